// `throughway doctor`: faults that lie in the gateway and around it are injected one by one, and the first
// thing it says must be the cause. A healthy household with traffic of every kind must hear nothing.
import { utimesSync } from 'node:fs';
import type { Cause } from '../../src/core/doctor/finding.ts';
import { emitAh } from '../../src/core/wire/ah.ts';
import type { Spi } from '../../src/core/wire/esp.ts';
import { ipProtocols } from '../../src/core/wire/ipv4.ts';
import { askDoctor, describeFindings, fault } from '../asking-doctor.ts';
import { UdpPeer } from '../peers/udp.ts';
import { EspPeer } from '../peers/esp.ts';
import { scenario, type Scenario } from '../scenario.ts';
import { connectTcp, listenTcp, RawSocket, UdpSocket } from '../sockets.ts';
import type { Household, HouseholdOptions } from '../topologies/household.ts';
import { claim, claimEqual, until } from '../wait.ts';

/** A fault of the gateway or around it. */
function gatewayFault(
  number: number,
  what: string,
  cause: Cause,
  evidence: string,
  inject: (household: Household) => void | Promise<void>,
  household: HouseholdOptions = {},
): Scenario {
  return fault({ id: `F${number}`, what, cause, evidence, inject, household });
}

const foreign = (household: Household, text: string): void => {
  household.gateway.run('nft', [text]);
};

export const doctorScenarios: readonly Scenario[] = [
  scenario('F1', 'doctor: a healthy gateway with traffic hears nothing', async (household) => {
    const { devices, server, ledger, wan } = household;
    const far = new UdpPeer(household, server, 4500);
    for (const device of devices) {
      new UdpPeer(household, device, 4500).send(server.address, 4500, server);
      await ledger.settle();
      far.send(wan, far.received.at(-1)!.sourcePort, device);
    }
    const [first, second] = devices.map((device) => new EspPeer(household, device));
    first!.send(server.address, 0x1001, server);
    second!.send(server.address, 0x1002, server);
    await ledger.settle();
    const { report, status } = await askDoctor(household);
    claimEqual(describeFindings(report), '', 'findings');
    claimEqual(status, 0, 'the exit status');
    const { stdout } = await household.daemon.command('doctor');
    claim(stdout.startsWith('All is well'), `it says so: ${stdout}`);
  }),

  gatewayFault(2, 'forwarding is off', 'forwarding-off', 'net.ipv4.ip_forward', ({ gateway }) =>
    gateway.sysctl('net.ipv4.ip_forward', '0'),
  ),
  gatewayFault(3, 'forwarding is off on one interface', 'forwarding-off', 'lan0', ({ gateway }) =>
    gateway.sysctl('net.ipv4.conf.lan0.forwarding', '0'),
  ),
  gatewayFault(
    4,
    'reverse path filtering drops what the WAN brings',
    'reverse-path-filter',
    'wan0',
    ({ gateway }) => {
      gateway.sysctl('net.ipv4.conf.wan0.rp_filter', '1');
      gateway.ip(
        'link add other type veth peer name other-end',
        'address add 10.99.0.1/24 dev other',
        'link set other up',
        'route replace default via 10.99.0.2 dev other',
      );
    },
  ),
  gatewayFault(
    5,
    'the rules are changed again and again',
    'table-changed',
    'put them back',
    async (household) => {
      const { gateway } = household;
      const isThere = (): boolean => gateway.run('nft', ['list chains']).includes('table inet throughway');
      for (let count = 0; count < 3; count += 1) {
        gateway.run('nft', ['delete table inet throughway']);
        await until('the table to be put back', isThere);
      }
    },
  ),
  gatewayFault(6, 'another table drops VPN packets', 'foreign-drop', 'table "inet other"', (household) =>
    foreign(
      household,
      'add table inet other; add chain inet other f { type filter hook forward priority 0; }; add rule inet other f udp dport 500 drop',
    ),
  ),
  gatewayFault(
    7,
    "another table's policy drops what is forwarded",
    'foreign-drop',
    'policy "drop"',
    (household) =>
      foreign(
        household,
        'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }',
      ),
  ),
  gatewayFault(8, 'another table translates VPN packets', 'foreign-nat', 'table "ip other"', (household) =>
    foreign(
      household,
      'add table ip other; add chain ip other n { type nat hook postrouting priority 90; }; add rule ip other n oifname "wan0" udp dport 500 snat to 198.51.100.99',
    ),
  ),
  gatewayFault(9, 'another table exempts L2TP from tracking', 'foreign-tracking', 'L2TP', (household) =>
    foreign(
      household,
      'add table ip other; add chain ip other r { type filter hook prerouting priority raw; }; add rule ip other r udp dport 1701 notrack',
    ),
  ),
  gatewayFault(10, 'another table puts IKE into a zone of its own', 'foreign-tracking', 'IKE', (household) =>
    foreign(
      household,
      'add table ip other; add chain ip other r { type filter hook prerouting priority raw; }; add rule ip other r udp dport 500 ct zone set 7',
    ),
  ),
  gatewayFault(
    11,
    'a protocol is switched off and wanted',
    'passthrough-disabled',
    'were refused',
    async ({ device, server, daemon }) => {
      await connectTcp(device, server.address, 1723).catch(() => undefined);
      await until('the refusal', async () => (await daemon.drops('pptp_disabled')) > 0);
    },
    { config: 'passthrough: { pptp: disabled }' },
  ),
  gatewayFault(
    12,
    'a PPTP connection is older than the gateway',
    'helper-missing',
    '192.168.1.11 to 203.0.113.1',
    async (household) => {
      const { device, server, gateway, daemon } = household;
      // Plain forwarding, as before Throughway was installed.
      gateway.sysctl('net.ipv4.ip_forward', '1');
      gateway.run('nft', [
        'add table ip old; add chain ip old n { type nat hook postrouting priority 100; }; add rule ip old n oifname "wan0" masquerade',
      ]);
      const listener = listenTcp(server, 1723, () => undefined);
      const socket = await connectTcp(device, server.address, 1723);
      household.onClose(() => {
        socket.destroy();
        listener.close();
      });
      gateway.run('nft', ['delete table ip old']);
      await daemon.start();
    },
    { running: false },
  ),
  gatewayFault(13, 'the WAN address is private', 'wan-private', '10.20.30.40', ({ gateway }) =>
    gateway.ip(
      'address flush dev wan0',
      'address add 10.20.30.40/24 dev wan0',
      'route add default via 10.20.30.1',
    ),
  ),
  gatewayFault(
    14,
    'the WAN address is the provider’s own',
    'wan-carrier-grade',
    '100.64.7.8',
    ({ gateway }) =>
      gateway.ip(
        'address flush dev wan0',
        'address add 100.64.7.8/24 dev wan0',
        'route add default via 100.64.7.1',
      ),
  ),
  gatewayFault(15, 'AH is tried', 'ah-through-nat', 'packets of AH', async (household) => {
    const { device, server, daemon } = household;
    const socket = new RawSocket(device, ipProtocols.ah, () => undefined);
    household.onClose(() => socket.close());
    socket.send(
      server.address,
      emitAh({
        nextHeader: ipProtocols.esp,
        spi: 0x2001 as Spi,
        sequence: 1,
        integrityValue: new Uint8Array(12),
        payload: new Uint8Array(16),
      }),
    );
    await until('the refusal', async () => (await daemon.drops('ah_refused')) > 0);
  }),
  gatewayFault(16, 'two devices have one address', 'address-twice', 'answer for it', async (household) => {
    const { devices, server, ledger } = household;
    const [first, second] = devices as [typeof household.device, typeof household.device];
    new UdpPeer(household, first, 4000).send(server.address, 4000, server);
    await ledger.settle();
    second.namespace.ip(`address add ${first.address}/24 dev eth0`);
  }),
  gatewayFault(
    17,
    'the LAN has the network of the WAN',
    'networks-overlap',
    '198.51.100.77/25',
    ({ gateway }) =>
      gateway.ip('address add 198.51.100.77/25 dev lan0', 'address delete 192.168.1.1/24 dev lan0'),
  ),
  gatewayFault(18, 'the clock is far off', 'clock-wrong', 'It says', ({ daemon }) => {
    const later = Date.now() / 1000 + 400 * 86_400;
    utimesSync(daemon.configPath, later, later);
  }),
  gatewayFault(
    19,
    'a VPN program of the gateway listens where IKE is preserved',
    'own-vpn-port',
    'no device has sent',
    (household) => {
      const socket = new UdpSocket(
        { namespace: household.gateway, address: household.wan },
        500,
        () => undefined,
      );
      household.onClose(() => socket.close());
    },
    { config: 'ike: { source_port: preserve }' },
  ),
  gatewayFault(20, 'the WAN interface is gone', 'wan-missing', 'no interface', ({ gateway }) =>
    gateway.ip('link delete wan0'),
  ),
  gatewayFault(21, 'the LAN interface is down', 'lan-down', 'switched off', ({ gateway }) =>
    gateway.ip('link set lan0 down'),
  ),
  gatewayFault(22, 'the WAN has no address', 'wan-without-address', 'no address', ({ gateway }) =>
    gateway.ip('address flush dev wan0'),
  ),
  gatewayFault(23, 'there is no default route', 'no-default-route', 'No IPv4 default route', ({ gateway }) =>
    gateway.ip('route delete default'),
  ),
  gatewayFault(24, 'the configuration file is broken', 'config-broken', 'ipsek', async ({ daemon }) => {
    daemon.writeConfig(`${daemon.readConfig()}\nipsek: 1\n`);
    await daemon.reload().catch(() => undefined);
  }),
  gatewayFault(25, 'the daemon does not run', 'daemon-down', 'No daemon answers', ({ daemon }) =>
    daemon.signal('SIGTERM'),
  ),
];
