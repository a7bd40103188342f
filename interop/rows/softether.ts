// SoftEther's server with everything it speaks: its own protocol on TCP 443, 992 and 5555 (each device
// takes another port), OpenVPN, L2TP over IPsec, and SSTP. A TAP device in the server's hub is the far end
// that the devices ping. sstp-client crashes on Debian 12, so SSTP is a TLS connection and the
// SSTP_DUPLEX_POST request of MS-SSTP, taken by the server.
import { claim } from '../../lab/wait.ts';
import { PROTOCOLS } from '../../src/core/config/schema.ts';
import type { Machine } from '../machine.ts';
import { CELL, UML, type MachineKind, type Row, type Tunnel } from '../row.ts';
import type { World } from '../world.ts';
import { dialL2tpIpsec, hangUpL2tpIpsec } from './l2tp-ipsec.ts';
import { renewedTwice } from './openvpn.ts';
import { PSK, renew } from './strongswan-config.ts';

const SERVER_INSIDE = '10.30.0.1';
const PORTS = [443, 992, 5555];
/** As short as makes sense, so that the run sees it; OpenVPN's own default is an hour. */
const RENEGOTIATE_SECONDS = 12;
/** Of `timeout`, when it had to end the command. */
const TIMED_OUT = 124;

/** Commands of vpncmd, one a line; throws when one is refused. */
async function vpncmd(machine: Machine, target: string, commands: readonly string[]): Promise<string> {
  machine.put('/root/commands', `${commands.join('\n')}\n`);
  const said = await machine.run(`vpncmd localhost ${target} /IN:/root/commands`, 60_000);
  const refused = /^.*(?:Command not found|Error occurred|not possible to specify).*$/m.exec(said)?.[0];
  claim(refused === undefined, `vpncmd on ${machine.name} takes its commands: ${refused}`);
  return said;
}

async function startServer({ server, devices }: World): Promise<void> {
  await server.run('mkdir -p /run/softether /var/lib/softether /var/log/softether');
  await server.start('vpnserver', '/usr/libexec/softether/vpnserver/vpnserver execsvc');
  await server.run('until ss -ltn | grep -q :5555; do sleep 0.2; done', 60_000);
  await vpncmd(server, '/SERVER', [
    'HubCreate VPN /PASSWORD:hub',
    'BridgeCreate VPN /DEVICE:far /TAP:yes',
    `IPsecEnable /L2TP:yes /L2TPRAW:yes /ETHERIP:no /PSK:"${PSK}" /DEFAULTHUB:VPN`,
    'Hub VPN',
    'SecureNatHostSet /MAC:none /IP:10.30.0.254 /MASK:255.255.255.0',
    'DhcpSet /START:10.30.0.10 /END:10.30.0.50 /MASK:255.255.255.0 /EXPIRE:7200 /GW:none /DNS:none /DNS2:none /DOMAIN:none /LOG:no',
    'NatDisable',
    'SecureNatEnable',
    ...devices.flatMap(({ name }) => [
      `UserCreate ${name} /GROUP:none /REALNAME:none /NOTE:none`,
      `UserPasswordSet ${name} /PASSWORD:secret`,
    ]),
  ]);
  await server.run(
    `until ip link show tap_far > /dev/null 2>&1; do sleep 0.1; done; ip address add ${SERVER_INSIDE}/24 dev tap_far; ip link set tap_far up`,
  );
}

interface Way {
  readonly id: string;
  readonly title: string;
  readonly packages: readonly string[];
  readonly device: MachineKind;
  readonly isFast: boolean;
  readonly governedBy: Row['governedBy'];
  readonly devices?: number;
  readonly rekeys?: Row['rekeys'];
  connect(world: World, index: number): Promise<Tunnel>;
  hangUp(device: Machine): Promise<void>;
  readonly checks?: NonNullable<Row['checks']>;
}

function row(way: Way): Row {
  return {
    devices: 2,
    rekeys: [],
    ...way,
    packages: ['softether-vpnserver', ...way.packages],
    server: CELL,
    megabytes: way.device === CELL ? 16 : 4,
    prepare: startServer,
    disconnect: ({ devices }, index) => way.hangUp(devices[index]!),
  };
}

const OWN = row({
  id: 'softether',
  title: 'SoftEther client, TCP 443, 992 and 5555, and UDP acceleration',
  packages: ['softether-vpnclient'],
  device: CELL,
  devices: PORTS.length,
  isFast: false,
  governedBy: null,
  async connect({ server, devices }, index) {
    const device = devices[index]!;
    const inside = `10.30.0.${100 + index}`;
    await device.run('mkdir -p /run/softether /var/lib/softether /var/log/softether');
    if (!(await isRunning(device, 'vpnclient'))) {
      await device.start('vpnclient', '/usr/libexec/softether/vpnclient/vpnclient execsvc');
      await device.run(
        'until ss -ltn | grep -q :9931 || ss -ltn | grep -q :9930; do sleep 0.2; done',
        60_000,
      );
      await vpncmd(device, '/CLIENT', [
        'NicCreate se0',
        `AccountCreate home /SERVER:${server.host.address}:${PORTS[index % PORTS.length]} /HUB:VPN /USERNAME:${device.name} /NICNAME:se0`,
        'AccountPasswordSet home /PASSWORD:secret /TYPE:standard',
      ]);
    }
    await vpncmd(device, '/CLIENT', ['AccountConnect home']);
    await device.run(
      `n=0; until vpncmd localhost /CLIENT /CMD AccountStatusGet home | grep -q 'Connection Completed'; do n=$((n+1)); [ $n -lt 60 ] || exit 1; sleep 0.3; done; ip address replace ${inside}/24 dev vpn_se0; ip link set vpn_se0 mtu 1400 up`,
      60_000,
    );
    return { serverInside: SERVER_INSIDE, deviceInside: inside };
  },
  async hangUp(device) {
    await vpncmd(device, '/CLIENT', ['AccountDisconnect home']);
  },
  checks: [
    { title: 'UDP acceleration carries the data of each device', play: isAccelerated },
    { title: 'SSTP is taken of each device', play: sstp },
    {
      title: 'SSTP is taken with every switch off',
      async play(world) {
        const { daemon } = world.household;
        const all = (value: 'enabled' | 'disabled') =>
          daemon.setPassthrough(Object.fromEntries(PROTOCOLS.map((protocol) => [protocol, value])));
        await all('disabled');
        await sstp(world).finally(() => all('enabled'));
      },
    },
  ],
});

/** After some traffic, since it is tried beside the TCP connection. */
async function isAccelerated({ devices }: World): Promise<void> {
  for (const device of devices)
    await device.run(
      'n=0; until vpncmd localhost /CLIENT /CMD AccountStatusGet home | tee /tmp/status | grep -q "UDP Acceleration is Active *|Yes"; do n=$((n+1)); [ $n -lt 60 ] || { cat /tmp/status; exit 1; }; sleep 0.5; done',
      60_000,
    );
}

async function isRunning(device: Machine, program: string): Promise<boolean> {
  return (await device.attempt(`pgrep -x ${program}`)).status === 0;
}

/**
 * MS-SSTP 3.2.4.1: the HTTP request that opens the tunnel. This server takes it without a word and waits for
 * the client's first SSTP message, where another request is refused with a status and the end of the connection.
 */
async function sstp({ server, devices }: World): Promise<void> {
  const ask = async (device: Machine, method: string): Promise<{ status: number; output: string }> =>
    device.attempt(
      `exec 2> /dev/null; (printf '${method} /sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/ HTTP/1.1\\r\\nHost: ${server.host.address}\\r\\nContent-Length: 18446744073709551615\\r\\nSSTPCORRELATIONID: {00000000-0000-0000-0000-000000000001}\\r\\n\\r\\n'; sleep 6) | timeout 4 openssl s_client -quiet -connect ${server.host.address}:443`,
    );
  await Promise.all(
    devices.map(async (device) => {
      const taken = await ask(device, 'SSTP_DUPLEX_POST');
      claim(
        taken.status === TIMED_OUT && !/^HTTP\/1\.1 [45]/.test(taken.output),
        `SSTP of ${device.name} is taken; the server answered "${taken.output.slice(0, 120)}"`,
      );
      const refused = await ask(device, 'SSTP_UNKNOWN_POST');
      claim(
        refused.output.startsWith('HTTP/1.1 '),
        `another request of ${device.name} is refused; the server answered "${refused.output.slice(0, 120)}"`,
      );
    }),
  );
}

const OPENVPN = row({
  id: 'softether-openvpn',
  title: "OpenVPN client at SoftEther's OpenVPN function",
  packages: ['openvpn'],
  device: CELL,
  isFast: false,
  governedBy: null,
  async connect({ server, devices }, index) {
    const device = devices[index]!;
    const certificate = await server.run(
      'openssl s_client -connect localhost:443 < /dev/null 2> /dev/null | openssl x509',
    );
    device.put('/etc/openvpn/ca.crt', certificate);
    device.put('/etc/openvpn/login', `${device.name}@VPN\nsecret\n`, 0o600);
    device.put(
      '/etc/openvpn/client.conf',
      `client\ndev tun\nproto udp\nremote ${server.host.address} 1194\nca /etc/openvpn/ca.crt\nauth-user-pass /etc/openvpn/login\ndata-ciphers AES-128-CBC:AES-128-GCM:AES-256-GCM\nauth SHA1\nroute-nopull\nreneg-sec ${RENEGOTIATE_SECONDS}\nverb 3\n`,
    );
    await device.start('openvpn', 'openvpn --config /etc/openvpn/client.conf');
    await device.waitForLog('openvpn', 'Initialization Sequence Completed');
    // Its hub is an Ethernet, and a layer-3 client is given one neighbour only.
    const listed = await device.run(
      `ip route replace ${SERVER_INSIDE} dev tun0; ip -4 -o address show dev tun0`,
    );
    return { serverInside: SERVER_INSIDE, deviceInside: /inet ([\d.]+)/.exec(listed)![1]! };
  },
  rekeys: [
    {
      title: `the client, every ${RENEGOTIATE_SECONDS} s`,
      play: ({ devices }) => renewedTwice(devices, RENEGOTIATE_SECONDS),
    },
  ],
  async hangUp(device) {
    await device.run('pkill -x openvpn; while pgrep -x openvpn; do sleep 0.1; done');
  },
});

const L2TP = row({
  id: 'softether-l2tp',
  title: 'L2TP/IPsec at SoftEther, both devices at once',
  packages: ['xl2tpd', 'strongswan-libcharon', 'user-mode-linux'],
  device: UML,
  isFast: false,
  governedBy: 'ipsec',
  async connect({ server, devices }, index) {
    const device = devices[index]!;
    const { deviceInside } = await dialL2tpIpsec(device, server.host.address);
    await device.run(`ip route replace ${SERVER_INSIDE} dev ppp0`);
    return { serverInside: SERVER_INSIDE, deviceInside };
  },
  hangUp: hangUpL2tpIpsec,
  rekeys: [
    {
      title: 'every client renews the SA',
      play: ({ devices }) =>
        renew(devices, async (device) => {
          await device.run('swanctl --rekey --child net');
        }),
    },
  ],
});

export const SOFTETHER_ROWS: readonly Row[] = [OWN, OPENVPN, L2TP];
