// IPv6: routed and not translated, with the same switches and a stateful filter (cases V1 to V4).
// What the internet may begin with a LAN host is RFC 6092's: AH, ESP and IKE, and nothing else.
import { emitAh } from '../../src/core/wire/ah.ts';
import type { ConntrackEntry } from '../../src/core/wire/ctnetlink.ts';
import { emitEsp, type Spi } from '../../src/core/wire/esp.ts';
import { emitGre } from '../../src/core/wire/gre.ts';
import { ipProtocols } from '../../src/core/wire/ipv4.ts';
import { ipv6Extensions } from '../../src/core/wire/ipv6.ts';
import type { Protocol } from '../../src/core/config/schema.ts';
import { emitUdp } from '../../src/core/wire/udp.ts';
import { listConntrack } from '../../src/linux/conntrack.ts';
import { LinuxError } from '../../src/linux/libc.ts';
import { icmpv6, Icmpv6Peer, RawIpv6Peer, UdpIpv6Peer, type Wrap } from '../peers/ipv6.ts';
import { scenario, type Scenario } from '../scenario.ts';
import { connectTcpIpv6, listenTcpIpv6 } from '../sockets-ipv6.ts';
import { IPV6_ADDRESSES, type Host, type Household } from '../topologies/household.ts';
import { claim, claimEqual, until } from '../wait.ts';

const withIpv6 = { ipv6: true } as const;
/** Refused is at once; a drop would take a device's own time-out. */
const AT_ONCE_MS = 100;
/** Of the VPN ports: the configuration's default. */
const VPN_UDP_SECONDS = 330;
const inEsp: Wrap = (tag) => emitEsp({ spi: 0x1001, sequence: 1, rest: tag });
/** AH and what it protects: to conntrack, the UDP inside is all there is. */
const inAh: Wrap = (tag, ends) =>
  emitAh({
    nextHeader: ipProtocols.udp,
    spi: 0x1001 as Spi,
    sequence: 1,
    integrityValue: new Uint8Array(12),
    payload: emitUdp(ends, { sourcePort: 7777, destinationPort: 7777, payload: tag }),
  });
/** AH behind destination options, which are padding (RFC 8200 4.2, RFC 4302 3.1.1). */
const inAhBehindOptions: Wrap = (tag, ends) =>
  Buffer.concat([Uint8Array.of(ipProtocols.ah, 0, 1, 4, 0, 0, 0, 0), inAh(tag, ends)]);
const inPptpData: Wrap = (tag) =>
  emitGre({ version: 1, callId: 7, sequence: 0, acknowledgment: null, payload: tag });
const inL2tp: Wrap = (tag) => Buffer.concat([Uint8Array.of(0, 0, 0, 9), tag]);

/** A way of speaking that both ends have open: each sends to the other, and keeps what came. */
interface Way {
  readonly name: string;
  readonly protocol: number;
  readonly device: Talker;
  readonly server: Talker;
  /** The server has nothing to answer by: the kernel follows calls of PPTP over IPv4 only, as there are no others. */
  readonly isUpOnly?: boolean;
  /** Blocked without a word: the kernel answers what has a right checksum or is known to have none, and this is neither. */
  readonly isRefusedSilently?: boolean;
}

interface Talker {
  send(host: Host, arrives: boolean): void;
  readonly received: { readonly source: string }[];
}

function udpWay(household: Household, port: number, devicePort = port): Way {
  const talker = (host: Host, from: number, to: number): Talker => {
    const peer = new UdpIpv6Peer(household, host, from);
    return { received: peer.received, send: (other, arrives) => peer.send(other, to, arrives) };
  };
  return {
    name: `UDP ${port}`,
    protocol: ipProtocols.udp,
    device: talker(household.device, devicePort, port),
    server: talker(household.server, port, devicePort),
  };
}

function rawWay(household: Household, name: string, protocol: number, wrap: Wrap): Way {
  const talker = (host: Host): Talker => new RawIpv6Peer(household, host, protocol, wrap);
  return { name, protocol, device: talker(household.device), server: talker(household.server) };
}

function ipsecWays(household: Household): Way[] {
  return [
    udpWay(household, 500),
    udpWay(household, 4500),
    rawWay(household, 'ESP', ipProtocols.esp, inEsp),
    rawWay(household, 'AH', ipProtocols.ah, inAh),
  ];
}

function l2tpWays(household: Household): Way[] {
  return [
    udpWay(household, 1701),
    { ...rawWay(household, 'L2TPv3', ipProtocols.l2tp, inL2tp), isRefusedSilently: true },
  ];
}

/** One packet from the device on each way, then one back. */
async function exchange({ device, server, ledger }: Household, ways: readonly Way[]): Promise<void> {
  for (const way of ways) way.device.send(server, true);
  await ledger.settle();
  for (const way of ways) if (!way.isUpOnly) way.server.send(device, true);
  await ledger.settle();
}

/** What both ends have read from their sockets, when it has come to as much as that. */
async function claimSources({ device, server }: Household, ways: readonly Way[]): Promise<void> {
  for (const way of ways) {
    await until(`${way.name} to be read`, () => way.device.received[0] && way.server.received[0]);
    claimEqual(way.server.received[0]!.source, device.ipv6, `the source of ${way.name} at the server`);
    claimEqual(way.device.received[0]!.source, server.ipv6, `the source of ${way.name} at the device`);
  }
}

/** Resolves when what was sent before has passed the gateway, both ways: UDP that no switch governs comes last. */
async function quiet(household: Household, sentinel: Way): Promise<void> {
  await exchange(household, [sentinel]);
}

function entriesOf({ gateway, device }: Household): Promise<ConntrackEntry[]> {
  return gateway.inside(async () => {
    const entries = await listConntrack({ family: 6 });
    return entries.filter(({ original, reply }) =>
      [original.source, reply.source].some((address) => address === device.ipv6),
    );
  });
}

/** Each way is refused to the device at once, and dropped without a word from the WAN. */
async function claimRefused(household: Household, ways: readonly Way[], sentinel: Way): Promise<void> {
  const { device, server } = household;
  const [near, far] = [new Icmpv6Peer(household, device), new Icmpv6Peer(household, server)];
  for (const way of ways) {
    const before = near.errors.length;
    const askedMs = performance.now();
    way.device.send(server, false);
    way.server.send(device, false);
    if (way.isRefusedSilently) continue;
    const refusal = await until(`${way.name} to be refused`, () => near.errors[before]);
    claim(performance.now() - askedMs < AT_ONCE_MS, `${way.name} is refused at once`);
    claimEqual(
      [refusal.type, refusal.code, refusal.source, refusal.about.protocol, refusal.about.destination],
      [
        icmpv6.destinationUnreachable,
        icmpv6.administrativelyProhibited,
        IPV6_ADDRESSES.gatewayLan,
        way.protocol,
        server.ipv6,
      ],
      `the refusal of ${way.name}`,
    );
  }
  await quiet(household, sentinel);
  claimEqual(far.errors, [], 'ICMP errors at the server');
}

export const ipv6Scenarios: readonly Scenario[] = [
  scenario(
    'V1',
    'IPv6 is routed: every VPN keeps its addresses and ports, and lives as long as over IPv4',
    async (household) => {
      const ways = [...ipsecWays(household), ...l2tpWays(household)];
      await exchange(household, ways);
      await exchange(household, ways);
      await claimSources(household, ways);
      const udp = (await entriesOf(household)).filter(
        ({ original }) => original.protocol === ipProtocols.udp && original.sourcePort !== 7777,
      );
      claimEqual(
        udp.map(({ original }) => [original.sourcePort, original.destinationPort]).toSorted(byFirst),
        [
          [500, 500],
          [1701, 1701],
          [4500, 4500],
        ],
        'the ports of each flow',
      );
      claim(
        udp.every((entry) => entry.timeoutSeconds! > VPN_UDP_SECONDS - 5),
        `idle tunnels live ${VPN_UDP_SECONDS} s: ${udp.map((entry) => entry.timeoutSeconds).join(', ')}`,
      );
    },
    withIpv6,
  ),

  scenario(
    'V2',
    'a switch is off for IPv6 too: refused from the LAN, dropped from the WAN, sessions ended; on again, all pass',
    async (household) => {
      const { daemon, device, server, gateway } = household;
      const sentinel = udpWay(household, 9000);
      const governed: readonly [Protocol, Way[]][] = [
        ['ipsec', ipsecWays(household)],
        ['l2tp', l2tpWays(household)],
        ['pptp', [{ ...rawWay(household, 'GRE version 1', ipProtocols.gre, inPptpData), isUpOnly: true }]],
      ];
      const listener = listenTcpIpv6(server, 1723, (socket) => socket.on('error', () => {}).resume());
      const running = await connectTcpIpv6(device, server.ipv6, 1723);
      let ending = '';
      running.on('error', (error: NodeJS.ErrnoException) => {
        ending = error.code ?? '';
      });
      household.onClose(() => {
        running.destroy();
        listener.close();
      });
      for (const [, ways] of governed) await exchange(household, ways);
      await quiet(household, sentinel);
      for (const [protocol, ways] of governed) {
        const { ended } = await daemon.setPassthrough({ [protocol]: 'disabled' });
        claim((ended[protocol] ?? 0) >= ways.length - 1, `sessions of ${protocol} ended: ${ended[protocol]}`);
        await claimRefused(household, ways, sentinel);
        const others = governed.filter(([other]) => other !== protocol).flatMap(([, theirs]) => theirs);
        await exchange(household, others);
        if (protocol === 'pptp') {
          running.write('x');
          await until('the running connection to be reset', () => ending !== '');
          claimEqual(ending, 'ECONNRESET', 'how the running connection ended');
          const refused: unknown = await connectTcpIpv6(device, server.ipv6, 1723).catch((error) => error);
          claim(
            refused instanceof LinuxError && refused.errno === 'ECONNREFUSED',
            `refused: ${String(refused)}`,
          );
        }
        claim((await daemon.drops(`${protocol}_disabled`)) > 0, 'the drops are counted');
        await daemon.setPassthrough({ [protocol]: 'enabled' });
        await exchange(household, ways);
      }
      (await connectTcpIpv6(device, server.ipv6, 1723)).destroy();
      claim(
        !gateway.run('nft', ['list', 'ruleset']).includes('Passthrough is disabled'),
        'no rule refuses a protocol any more',
      );
    },
    withIpv6,
  ),

  scenario(
    'V3',
    'from the WAN, AH, ESP and IKE reach a LAN host while IPSec is enabled, and nothing else new does (RFC 6092)',
    async (household) => {
      const { daemon, device, server, ledger } = household;
      const ways = ipsecWays(household);
      const sentinel = udpWay(household, 9000);
      // An initiator behind a translator, or in user space, has a port of its own (RFC 7296 2.23).
      const initiator = new UdpIpv6Peer(household, server, 40_500);
      const responder = new UdpIpv6Peer(household, household.devices[1]!, 500);
      const options = new RawIpv6Peer(
        household,
        server,
        ipv6Extensions.destinationOptions,
        inAhBehindOptions,
      );

      const others = [udpWay(household, 5000), udpWay(household, 1701)];
      const gre = rawWay(household, 'GRE', ipProtocols.gre, inPptpData);
      const listener = listenTcpIpv6(device, 22, (socket) => socket.end());
      let outcome = 'open';
      const attempt = connectTcpIpv6(server, device.ipv6, 22).catch((error: Error) => error.message);
      household.onClose(() => listener.close());
      void attempt.then((result) => {
        outcome = typeof result === 'string' ? result : 'connected';
      });
      for (const way of [...others, gre]) way.server.send(device, false);
      await until('them to be dropped', async () => (await daemon.drops('wan_new')) >= others.length + 2);

      const begin = async (): Promise<void> => {
        for (const way of ways) way.server.send(device, true);
        initiator.send(responder.host, 500);
        options.send(device);
        await ledger.settle();
        for (const way of ways) way.device.send(server, true);
        responder.send(server, 40_500);
        await ledger.settle();
      };
      await begin();
      await claimSources(household, ways);
      const entries = await household.gateway.inside(() =>
        listConntrack({ family: 6, protocol: ipProtocols.udp, destinationPort: 500 }),
      );
      claim(
        entries.length === 2 && entries.every((entry) => entry.timeoutSeconds! > VPN_UDP_SECONDS - 5),
        `IKE lives ${VPN_UDP_SECONDS} s: ${entries.map((entry) => entry.timeoutSeconds).join(', ')}`,
      );

      await daemon.setPassthrough({ ipsec: 'disabled' });
      // The devices try to go on, which must not open the way for the server.
      responder.send(server, 40_500, false);
      await claimRefused(household, ways, sentinel);
      initiator.send(responder.host, 500, false);
      options.send(device, false);
      await quiet(household, sentinel);
      await daemon.setPassthrough({ ipsec: 'enabled' });
      await begin();
      claimEqual(outcome, 'open', 'the outcome of the SYN');
    },
    withIpv6,
  ),

  scenario(
    'V4',
    'the gateway itself over IPv6: neighbours find it, its services are for the LAN, pings are answered unless forbidden',
    async (household) => {
      const { daemon, gateway, device, server } = household;
      const page = listenTcpIpv6({ namespace: gateway, ipv6: null }, 80, (socket) => socket.end());
      household.onClose(() => page.close());
      (await connectTcpIpv6(device, IPV6_ADDRESSES.gatewayLan, 80)).destroy();
      (await connectTcpIpv6(device, IPV6_ADDRESSES.wan, 80)).destroy();
      const before = await daemon.drops('wan_input');
      let outcome = 'open';
      const attempt = connectTcpIpv6(server, IPV6_ADDRESSES.wan, 80).then(
        (socket) => {
          outcome = 'connected';
          socket.destroy();
        },
        (refusal: Error) => {
          outcome = refusal.message;
        },
      );
      await until('the SYN to be dropped', async () => (await daemon.drops('wan_input')) > before);
      claimEqual(outcome, 'open', 'the outcome of the SYN');

      const pinger = new Icmpv6Peer(household, server);
      // Neither side may know the other from before (RFC 4861 7.2).
      for (const router of [household.isp, gateway])
        router.run('ip', ['-6', 'neighbor', 'flush', 'dev', 'wan0']);
      pinger.ping(IPV6_ADDRESSES.wan, 77);
      await until('the echo reply', () => pinger.repliesFrom.length === 1);
      claimEqual(pinger.repliesFrom, [IPV6_ADDRESSES.wan], 'who answers a ping');

      daemon.writeConfig(`${daemon.readConfig()}firewall: { wan_ping: false, wan_services: ["tcp/80"] }\n`);
      await daemon.reload();
      const dropped = await daemon.drops('wan_input');
      pinger.ping(IPV6_ADDRESSES.wan, 78);
      await until('the ping to be dropped', async () => (await daemon.drops('wan_input')) > dropped);
      claimEqual(pinger.repliesFrom.length, 1, 'replies while pings are forbidden');
      for (const router of [household.isp, gateway])
        router.run('ip', ['-6', 'neighbor', 'flush', 'dev', 'wan0']);
      // The SYN that was dropped is sent again by the server's kernel, and now it comes through.
      await attempt;
      claimEqual(outcome, 'connected', 'the outcome once the service is opened');
    },
    withIpv6,
  ),
];

function byFirst(one: (number | null)[], other: (number | null)[]): number {
  return one[0]! - other[0]!;
}
