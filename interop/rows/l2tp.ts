// L2TP by xl2tpd on both sides, both from UDP port 1701, PPP in kernels of their own.
import { UML, type Row, type Tunnel } from '../row.ts';
import type { Machine } from '../machine.ts';
import { pppAddresses } from './ppp.ts';

const PPP_OPTIONS = `nodefaultroute
noipv6
nobsdcomp
nodeflate
novj
novjccomp
mtu 1400
mru 1400
debug
logfile /var/log/interop/pppd
`;

/** xl2tpd as a server; also what L2TP over IPsec talks to. */
export async function startLns(server: Machine, inside: string, users: readonly string[]): Promise<void> {
  server.put(
    '/etc/xl2tpd/xl2tpd.conf',
    `[global]\nport = 1701\n[lns default]\nip range = ${inside.replace(/\.1$/, '.10')}-${inside.replace(/\.1$/, '.50')}\nlocal ip = ${inside}\nrequire chap = yes\nrefuse pap = yes\nrequire authentication = yes\nname = server\npppoptfile = /etc/ppp/options.l2tp\nlength bit = yes\n`,
  );
  server.put('/etc/ppp/options.l2tp', `${PPP_OPTIONS}require-chap\n`);
  server.put('/etc/ppp/chap-secrets', users.map((user) => `${user} server secret *\n`).join(''), 0o600);
  await server.run('mkdir -p /var/run/xl2tpd');
  await server.start('xl2tpd', 'xl2tpd -D -c /etc/xl2tpd/xl2tpd.conf');
  await server.run('until ss -lun | grep -q :1701; do sleep 0.1; done');
}

/** Dials with xl2tpd; resolves when PPP is up. */
export async function dialLac(device: Machine, server: string): Promise<Tunnel> {
  device.put(
    '/etc/xl2tpd/xl2tpd.conf',
    `[global]\nport = 1701\n[lac home]\nlns = ${server}\nautodial = yes\nredial = yes\nredial timeout = 2\nmax redials = 20\nname = ${device.name}\npppoptfile = /etc/ppp/options.l2tp\nlength bit = yes\n`,
  );
  // Else pppd would propose the address of its host name, and SoftEther would take it.
  device.put('/etc/ppp/options.l2tp', `${PPP_OPTIONS}noauth\nnoipdefault\nrefuse-eap\nuser ${device.name}\n`);
  for (const secrets of ['chap-secrets', 'pap-secrets'])
    device.put(`/etc/ppp/${secrets}`, `${device.name} * secret *\n`, 0o600);
  await device.run('mkdir -p /var/run/xl2tpd');
  await device.start('xl2tpd', 'xl2tpd -D -c /etc/xl2tpd/xl2tpd.conf');
  return pppAddresses(device);
}

export async function hangUpLac(device: Machine): Promise<void> {
  await device.run(
    'xl2tpd-control disconnect home || true; sleep 0.5; pkill -x xl2tpd; n=0; while pgrep -x "xl2tpd|pppd" && [ $n -lt 80 ]; do sleep 0.1; n=$((n+1)); done; pkill -KILL -x "xl2tpd|pppd"; true',
  );
}

const L2TP: Row = {
  id: 'l2tp',
  title: 'xl2tpd to xl2tpd, both from port 1701',
  packages: ['xl2tpd', 'ppp', 'user-mode-linux'],
  server: UML,
  device: UML,
  devices: 2,
  isFast: false,
  governedBy: 'l2tp',
  megabytes: 4,
  prepare: ({ server, devices }) =>
    startLns(
      server,
      '10.21.0.1',
      devices.map(({ name }) => name),
    ),
  connect: ({ server, devices }, index) => dialLac(devices[index]!, server.host.address),
  disconnect: ({ devices }, index) => hangUpLac(devices[index]!),
  rekeys: [],
};

export const L2TP_ROWS: readonly Row[] = [L2TP];
