// PPTP by pptp-linux and pptpd, with MPPE, on kernels of their own: GRE has no ports, and what tells the
// devices apart is the Call ID in the control connection.
import { claim } from '../../lab/wait.ts';
import { UML, type Row, type Tunnel } from '../row.ts';
import { pppAddresses } from './ppp.ts';

const SERVER_INSIDE = '10.20.0.1';

const OPTIONS = `name server
refuse-pap
refuse-chap
refuse-mschap
require-mschap-v2
require-mppe-128
nodefaultroute
noipv6
lock
nobsdcomp
nodeflate
novj
novjccomp
mtu 1400
mru 1400
debug
logfile /var/log/interop/pppd
`;

function pptp(devices: number): Row {
  return {
    id: devices === 2 ? 'pptp' : `pptp-${devices}`,
    title: 'pptp-linux to pptpd, MPPE 128',
    packages: ['pptp-linux', 'pptpd', 'ppp', 'user-mode-linux'],
    server: UML,
    device: UML,
    devices,
    isFast: false,
    governedBy: 'pptp',
    megabytes: 4,
    async prepare({ server, devices: all }) {
      server.put('/etc/ppp/pptpd-options', OPTIONS);
      server.put('/etc/ppp/chap-secrets', all.map(({ name }) => `${name} server secret *\n`).join(''), 0o600);
      server.put(
        '/etc/pptpd.conf',
        `option /etc/ppp/pptpd-options\nlocalip ${SERVER_INSIDE}\nremoteip 10.20.0.10-50\ndebug\n`,
      );
      await server.run('mkdir -p /var/run');
      await server.start('pptpd', 'pptpd --fg --conf /etc/pptpd.conf');
      await server.run('until ss -ltn | grep -q :1723; do sleep 0.1; done');
    },
    async connect({ server, devices: all }, index): Promise<Tunnel> {
      const device = all[index]!;
      device.put('/etc/ppp/chap-secrets', `${device.name} server secret *\n`, 0o600);
      await device.start(
        'pppd',
        `pppd nodetach noauth noipdefault nodefaultroute noipv6 nobsdcomp nodeflate novj novjccomp mtu 1400 mru 1400 maxfail 1 debug require-mppe-128 refuse-eap refuse-pap refuse-chap refuse-mschap user ${device.name} remotename server pty "pptp ${server.host.address} --nolaunchpppd --loglevel 1"`,
      );
      return pppAddresses(device);
    },
    async disconnect({ devices: all }, index) {
      await all[index]!.run(
        'pkill -x pppd; n=0; while pgrep -x "pppd|pptp" && [ $n -lt 80 ]; do sleep 0.1; n=$((n+1)); done; pkill -KILL -x "pppd|pptp"; rm -f /var/run/pptp/*; true',
      );
    },
    rekeys: [],
    checks: [
      {
        title: 'GRE is what carries the data',
        play({ household }) {
          const entries = household.gateway.run('cat', ['/proc/net/nf_conntrack']);
          claim(entries.includes(' gre '), 'conntrack has GRE entries');
          return Promise.resolve();
        },
      },
    ],
  };
}

export const PPTP_ROWS: readonly Row[] = [pptp(2)];
