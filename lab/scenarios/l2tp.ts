// L2TP without IPsec: two devices with one server, a server that answers from another port, L2TPv3
// straight on IP, and the switch (cases L1, L2 and L4). L2TP within IPsec is a matter of IPsec.
import { switchOfEntry } from '../../src/core/policy/vpn-flows.ts';
import { icmpTypes, unreachableCodes } from '../../src/core/wire/icmp.ts';
import { ipProtocols } from '../../src/core/wire/ipv4.ts';
import { l2tpMessageType } from '../../src/core/wire/l2tp.ts';
import { l2tpMessageTypes } from '../../src/core/wire/l2tp-avp.ts';
import { listConntrack } from '../../src/linux/conntrack.ts';
import { IcmpPeer } from '../peers/icmp.ts';
import { L2TP_PORT, L2tpClient, type L2tpEnd, L2tpServer, type L2tpSession } from '../peers/l2tp.ts';
import { converse } from '../peers/converse.ts';
import { L2tpIpPeer } from '../peers/l2tp-ip.ts';
import { UdpPeer } from '../peers/udp.ts';
import { scenario, type Scenario } from '../scenario.ts';
import { address, ADDRESSES, type Household } from '../topologies/household.ts';
import { claim, claimEqual, until } from '../wait.ts';

const MOVED_PORT = 33_001;

/** A session of each of the first two devices, both from port 1701, with the first server; all begin at once. */
function twoSessions(household: Household, server: L2tpServer): Promise<L2tpSession[]> {
  return Promise.all(
    household.devices
      .slice(0, 2)
      // The same tunnel id: it is the receiver's to choose, and these know nothing of each other.
      .map((device) => new L2tpClient(household, device).open(server, 0x0101)),
  );
}

export const l2tpScenarios: readonly Scenario[] = [
  scenario(
    'L1',
    'two devices from source port 1701 with one server, one of them with two tunnels',
    async (household) => {
      const server = new L2tpServer(household, household.server);
      const [one, two] = household.devices.slice(0, 2).map((device) => new L2tpClient(household, device));
      const sessions = [
        await one!.open(server, 0x0101),
        await two!.open(server, 0x0101),
        await two!.open(server, 0x0102),
      ];
      const ports = server.callers.map(({ sourcePort }) => sourcePort);
      claimEqual(ports[0], L2TP_PORT, 'the port of the first device at the server');
      claim(
        ports[1] !== L2TP_PORT && ports[1] === ports[2],
        `the second has one of its own: ${ports.join(', ')}`,
      );
      await converse(household, sessions, 20);
      for (const session of sessions) await session.hello();
      await sessions[1]!.stop();
      await converse(household, [sessions[0]!, sessions[2]!]);
    },
  ),

  scenario('L4', 'the server answers two devices that begin at once from another port', async (household) => {
    const server = new L2tpServer(household, household.server, MOVED_PORT);
    const sessions = await twoSessions(household, server);
    claimEqual(
      sessions.map(({ near }) => near.path.port),
      [MOVED_PORT, MOVED_PORT],
      'the port that the devices go on with',
    );
    await converse(household, sessions, 20);
    for (const session of sessions) await session.hello();
    // Nobody else may use the mapping, from this port or another.
    const stranger = new UdpPeer(household, household.servers[1]!, MOVED_PORT);
    for (const { sourcePort } of server.callers) stranger.send(household.wan, sourcePort, null);
    await converse(household, sessions);
    const moved = (await household.gateway.inside(() => listConntrack({ protocol: ipProtocols.udp }))).filter(
      ({ original }) => original.sourcePort === MOVED_PORT,
    );
    const seconds = moved.map(({ timeoutSeconds }) => timeoutSeconds ?? 0);
    claim(
      seconds.length === 2 && Math.min(...seconds) > 300,
      `idle for as long as any tunnel: ${seconds.join(', ')}`,
    );
  }),

  scenario('L2', 'L2TPv3 over protocol 115, of two devices with two servers', async (household) => {
    const { devices, servers, ledger, wan } = household;
    const pairs = [0, 1].map((index) => ({
      near: new L2tpIpPeer(household, devices[index]!),
      far: new L2tpIpPeer(household, servers[index]!),
    }));
    const types = l2tpMessageTypes;
    for (const { near, far } of pairs) {
      near.say(far.host.address, types.startControlConnectionRequest, 0, 0x0a01);
      await until('the request at the server', () => far.received.length === 1);
      claimEqual(far.received[0]!.source, wan, 'the source that the server sees');
      far.say(wan, types.startControlConnectionReply, 0x0a01, 0x0b01);
      await until('the reply at the device', () => near.received.length === 1);
      near.say(far.host.address, types.startControlConnectionConnected, 0x0b01, 0x0a01);
      for (let count = 0; count < 10; count += 1) {
        near.send(far.host.address, 0x0000_1001, far.host);
        far.send(wan, 0x0000_2001, near.host);
      }
      await ledger.settle();
    }
    const replies = pairs.map(({ near }) => {
      const { message } = near.received[0]!;
      return message.kind === 'control' ? l2tpMessageType(message) : null;
    });
    claimEqual(replies, [2, 2], 'the first message at each device');
  }),

  scenario(
    'L2b',
    "L2TPv3 over protocol 115, a second device with the same server: it gets nothing, the first goes on (conntrack's limit)",
    async (household) => {
      const { devices, server, ledger, wan } = household;
      const [one, two] = devices.map((device) => new L2tpIpPeer(household, device));
      const far = new L2tpIpPeer(household, server);
      const exchange = async (): Promise<void> => {
        one!.send(server.address, 0x1001, server);
        await ledger.settle();
        far.send(wan, 0x2001, one!.host);
        await ledger.settle();
      };
      await exchange();
      for (let count = 0; count < 5; count += 1) two!.send(server.address, 0x1002, null);
      await exchange();
    },
  ),

  scenario(
    'L4b',
    'the server answers from another port, and the WAN gets a new address: the session is forgotten, and dialled again it works',
    async (household) => {
      const { gateway, isp, daemon } = household;
      const server = new L2tpServer(household, household.server, MOVED_PORT);
      const client = new L2tpClient(household, household.device);
      await converse(household, [await client.open(server, 0x0101)]);
      const moved = address('198.51.100.77');
      gateway.ip(
        `address delete ${ADDRESSES.wan}/24 dev wan0`,
        `address add ${moved}/24 dev wan0`,
        `route replace default via ${ADDRESSES.ispWan}`,
      );
      isp.ip('neighbor flush all');
      await until('the daemon to forget', () => daemon.log.includes('former WAN address are forgotten'));
      await converse(household, [await client.open(server, 0x0102)]);
      claimEqual(server.callers.at(-1)!.source, moved, 'the source that the server sees');
      const entries = await gateway.inside(() => listConntrack({ protocol: ipProtocols.udp }));
      const stale = entries.filter(({ original }) => original.destination === ADDRESSES.wan);
      claimEqual(stale.length, 0, 'entries of the former address');
    },
  ),

  scenario(
    'L5',
    "switched off: refused at once, running sessions ended (of protocol 115 without a word: the kernel's limit); switched on, new ones work",
    async (household) => {
      const { daemon, devices, device, server: host, gateway, ledger, wan } = household;
      const server = new L2tpServer(household, host);
      const sessions = await twoSessions(household, server);
      await converse(household, sessions);
      const [overIp, farOverIp] = [new L2tpIpPeer(household, devices[2]!), new L2tpIpPeer(household, host)];
      overIp.send(host.address, 0x1001, host);
      await ledger.settle();
      farOverIp.send(wan, 0x2001, devices[2]!);
      await ledger.settle();
      const errors = new IcmpPeer(household, device);

      claimEqual((await daemon.setPassthrough({ l2tp: 'disabled' })).ended, { l2tp: 3 }, 'connections ended');
      const askedMs = performance.now();
      for (const { near, far } of sessions) sendAfterSwitch(household, near, far);
      const refusal = await until('the ICMP error', () => errors.errors[0]);
      claim(performance.now() - askedMs < 100, 'refused at once');
      claimEqual(
        [refusal.type, refusal.code, refusal.source, refusal.about.destination],
        [
          icmpTypes.destinationUnreachable,
          unreachableCodes.administrativelyProhibited,
          ADDRESSES.gatewayLan,
          host.address,
        ],
        'the refusal',
      );
      // The kernel's reject checks a checksum that it takes every protocol but a few to have, and is
      // silent where there is none: so protocol 115 is dropped without an answer.
      const before = await daemon.drops('l2tp_disabled');
      overIp.send(host.address, 0x1001, null);
      farOverIp.send(wan, 0x2001, null);
      await until('it to be counted', async () => (await daemon.drops('l2tp_disabled')) > before);
      await flush(household);
      const entries = await gateway.inside(() => listConntrack());
      const left = entries.filter((entry) => switchOfEntry(entry) === 'l2tp');
      claimEqual(left.length, 0, 'entries of L2TP that conntrack still holds');

      await daemon.setPassthrough({ l2tp: 'enabled' });
      const again = await new L2tpClient(household, devices[1]!, 0).open(server, 0x0201);
      await converse(household, [again]);
    },
  ),

  scenario(
    'L5b',
    'switched off: sessions whose server answered from another port end too',
    async (household) => {
      const { daemon, gateway } = household;
      const server = new L2tpServer(household, household.server, MOVED_PORT);
      const sessions = await twoSessions(household, server);
      await converse(household, sessions);
      await daemon.setPassthrough({ l2tp: 'disabled' });
      for (const { near, far } of sessions) sendAfterSwitch(household, near, far);
      await flush(household);
      const entries = await gateway.inside(() => listConntrack({ protocol: ipProtocols.udp }));
      const left = entries.filter(({ original, reply }) =>
        [original, reply].some((tuple) => tuple.sourcePort === MOVED_PORT),
      );
      claimEqual(left.length, 0, 'entries of the moved port that conntrack still holds');
    },
  ),
];

function sendAfterSwitch({ ledger }: Household, near: L2tpEnd, far: L2tpEnd): void {
  near.carry(ledger.tag(`L2TP of ${near.host.name} after the switch`, null));
  far.carry(ledger.tag('L2TP of the server after the switch', null));
}

/** Resolves when whatever was sent before, either way, has arrived or never will. */
async function flush(household: Household): Promise<void> {
  const { device, server, ledger, wan } = household;
  const [near, far] = [new UdpPeer(household, device, 9000), new UdpPeer(household, server, 9000)];
  near.send(server.address, 9000, server);
  await ledger.settle();
  far.send(wan, 9000, device);
  await ledger.settle();
}
