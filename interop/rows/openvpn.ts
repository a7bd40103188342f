// OpenVPN 2.6 over UDP and over TCP, certificates on both sides, one server for all devices.
import type { Machine } from '../machine.ts';
import { CELL, type Row, type Tunnel } from '../row.ts';
import type { World } from '../world.ts';
import { until } from '../../lab/wait.ts';

const SERVER_INSIDE = '10.8.0.1';
/** As short as makes sense, so that the run sees it; OpenVPN's own default is an hour. */
const RENEGOTIATE_SECONDS = 12;
const CONNECTED = 'Initialization Sequence Completed';
/** Of every handshake that is over, whichever end began it. */
const RENEWED = 'Control Channel: TLS';

const COMMON = `
dev tun
verb 3
data-ciphers AES-128-GCM
reneg-sec ${RENEGOTIATE_SECONDS}
keepalive 5 30
auth-nocache
ca /etc/openvpn/ca.crt
cert /etc/openvpn/own.crt
key /etc/openvpn/own.key
`;

/** A certificate authority, a server's certificate and one for each device, made on the server. */
async function makeCertificates({ server, devices }: World): Promise<void> {
  const names = ['server', ...devices.map(({ name }) => name)];
  const newKey = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30';
  await server.run(`set -e; mkdir -p /srv/pki; cd /srv/pki
    openssl req -x509 ${newKey} -keyout ca.key -out ca.crt -subj /CN=authority
    for name in ${names.join(' ')}; do
      use=clientAuth; [ $name = server ] && use=serverAuth
      openssl req ${newKey} -keyout $name.key -out $name.csr -subj /CN=$name
      printf 'keyUsage=digitalSignature\\nextendedKeyUsage=%s\\n' $use > use
      openssl x509 -req -in $name.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile use -out $name.crt
    done`);
  const hand = (to: Machine, name: string): void => {
    to.put('/etc/openvpn/ca.crt', server.read('/srv/pki/ca.crt'));
    to.put('/etc/openvpn/own.crt', server.read(`/srv/pki/${name}.crt`));
    to.put('/etc/openvpn/own.key', server.read(`/srv/pki/${name}.key`), 0o600);
  };
  hand(server, 'server');
  for (const device of devices) hand(device, device.name);
}

function openvpn(protocol: 'udp' | 'tcp'): Row {
  return {
    id: `openvpn-${protocol}`,
    title: `OpenVPN over ${protocol.toUpperCase()}`,
    packages: ['openvpn'],
    server: CELL,
    device: CELL,
    devices: 2,
    isFast: protocol === 'udp',
    governedBy: null,
    async prepare(world) {
      await makeCertificates(world);
      const { server } = world;
      server.put(
        '/etc/openvpn/server.conf',
        `${COMMON}\nport 1194\nproto ${protocol === 'udp' ? 'udp' : 'tcp-server'}\ndh none\ntopology subnet\nserver 10.8.0.0 255.255.255.0\n`,
      );
      await server.start('openvpn', 'openvpn --config /etc/openvpn/server.conf');
      await server.waitForLog('openvpn', CONNECTED);
    },
    async connect({ server, devices }, index): Promise<Tunnel> {
      const device = devices[index]!;
      device.put(
        '/etc/openvpn/client.conf',
        `${COMMON}\nclient\nremote ${server.host.address} 1194 ${protocol === 'udp' ? 'udp' : 'tcp-client'}\nremote-cert-tls server\n`,
      );
      await device.start('openvpn', 'openvpn --config /etc/openvpn/client.conf');
      await device.waitForLog('openvpn', CONNECTED);
      const listed = await device.run('ip -4 -o address show dev tun0');
      return { serverInside: SERVER_INSIDE, deviceInside: /inet ([\d.]+)/.exec(listed)![1]! };
    },
    async disconnect({ devices }, index) {
      await devices[index]!.run('pkill -x openvpn; while pgrep -x openvpn; do sleep 0.1; done');
    },
    rekeys: [
      {
        title: `both ends, every ${RENEGOTIATE_SECONDS} s`,
        play: ({ devices }) => renewedTwice(devices, RENEGOTIATE_SECONDS),
      },
    ],
  };
}

/** Resolves when the OpenVPN of every device has renewed its keys twice. */
export async function renewedTwice(devices: readonly Machine[], everySeconds: number): Promise<void> {
  const before = devices.map((device) => renewals(device));
  await until(
    'every device to renew its keys twice',
    () => devices.every((device, index) => renewals(device) >= before[index]! + 2),
    6 * everySeconds * 1000,
    () => devices[0]!.log('openvpn').slice(-800),
  );
}

function renewals(device: Machine): number {
  return device.log('openvpn').split(RENEWED).length - 1;
}

export const OPENVPN_ROWS: readonly Row[] = [openvpn('udp'), openvpn('tcp')];
