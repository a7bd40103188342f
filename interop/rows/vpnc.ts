// vpnc 0.5 with `NAT Traversal Mode none`: IKEv1 aggressive mode with XAUTH, and raw ESP made by the program
// itself, to strongSwan with the kernel's ESP. Four devices within the same second.
import { ADDRESSES } from '../../lab/topologies/household.ts';
import { CELL, UML, type Row, type Tunnel } from '../row.ts';
import { PSK, renderConnection, SERVER_INSIDE, startCharon } from './strongswan-config.ts';

const POOL = '10.98.0.0/24';

/** What vpnc runs when the tunnel is there: only the one route, and nothing of the machine's own. */
const SCRIPT = `#!/bin/sh
[ "$reason" = connect ] || exit 0
ip link set "$TUNDEV" mtu 1390 up
ip address add "$INTERNAL_IP4_ADDRESS/32" dev "$TUNDEV"
ip route replace ${SERVER_INSIDE} dev "$TUNDEV"
`;

function vpnc(devices: number): Row {
  return {
    id: `vpnc-${devices}`,
    title: `vpnc to strongSwan, IKEv1 and raw ESP, ${devices} devices at once`,
    packages: ['vpnc', 'strongswan-libcharon', 'user-mode-linux'],
    server: UML,
    device: CELL,
    devices,
    isFast: devices === 2,
    governedBy: 'ipsec',
    megabytes: 4,
    async prepare({ server, devices: all }) {
      await server.run(
        `ip address add ${SERVER_INSIDE}/32 dev lo; ip route add ${POOL} via ${ADDRESSES.ispNet} src ${SERVER_INSIDE}`,
      );
      await startCharon(
        server,
        false,
        `${renderConnection(1, {
          home: [
            `local_addrs = ${server.host.address}`,
            'aggressive = yes',
            'pools = pool',
            'unique = never',
          ],
          remote: ['id = keyid:household'],
          more: 'remote-xauth {\nauth = xauth\n}\n',
          child: ['local_ts = 0.0.0.0/0'],
        })}pools {\n pool {\n  addrs = ${POOL}\n }\n}\n`,
        all.map(({ name }) => ` xauth-${name} {\n  id = ${name}\n  secret = secret\n }\n`).join(''),
      );
    },
    async connect({ server, devices: all }, index): Promise<Tunnel> {
      const device = all[index]!;
      device.put('/etc/vpnc/up', SCRIPT, 0o755);
      device.put(
        '/etc/vpnc/home.conf',
        `IPSec gateway ${server.host.address}\nIPSec ID household\nIPSec secret ${PSK}\nXauth username ${device.name}\nXauth password secret\nNAT Traversal Mode none\nIKE DH Group dh2\nPerfect Forward Secrecy nopfs\nInterface name tun0\nScript /etc/vpnc/up\nNo Detach\nDebug 1\n`,
        0o600,
      );
      await device.start('vpnc', 'vpnc /etc/vpnc/home.conf');
      const listed = await device.run(
        'n=0; until ip -4 -o address show dev tun0 2> /dev/null | grep inet; do n=$((n+1)); [ $n -lt 250 ] || exit 1; sleep 0.1; done',
      );
      return { serverInside: SERVER_INSIDE, deviceInside: /inet ([\d.]+)/.exec(listed)![1]! };
    },
    async disconnect({ devices: all }, index) {
      await all[index]!.run('pkill -x vpnc; while pgrep -x vpnc; do sleep 0.1; done');
    },
    // vpnc renews nothing, and does not answer a server that does.
    rekeys: [],
  };
}

export const VPNC_ROWS: readonly Row[] = [vpnc(2), vpnc(4)];
