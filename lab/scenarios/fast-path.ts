// Busy pairs of ESP pass by conntrack, routing and the filter (core/policy/fast-path.ts). All that is
// out of the ordinary must go as without it, and whatever changes must end it (cases Q1 to Q8).
import { setTimeout as sleep } from 'node:timers/promises';
import { emitIpv4Packet, ipProtocols } from '../../src/core/wire/ipv4.ts';
import { icmpTypes, unreachableCodes } from '../../src/core/wire/icmp.ts';
import { LinuxError } from '../../src/linux/libc.ts';
import { converse } from '../peers/converse.ts';
import type { EspSession } from '../peers/esp-session.ts';
import { IcmpPeer } from '../peers/icmp.ts';
import { scenario, type Scenario } from '../scenario.ts';
import { PacketSender } from '../sockets.ts';
import { address, ADDRESSES, type Host, type Household } from '../topologies/household.ts';
import { claim, claimEqual, until } from '../wait.ts';
import { sessionsWithServer } from './esp.ts';
import { meet } from './icmp.ts';

/** Two devices with one server. */
async function sessionsOf(household: Household): Promise<EspSession[]> {
  const sessions = sessionsWithServer(household, 2);
  for (const session of sessions) await session.begin();
  return sessions;
}

/** As nft lists it; empty while there is none. */
function fastTable({ gateway }: Household): string {
  try {
    return gateway.run('nft', ['list', 'table', 'netdev', 'throughway']);
  } catch (error) {
    if (error instanceof LinuxError) return '';
    throw error;
  }
}

/** The packets that the fast path has carried, by element, such as `192.168.1.11 . 203.0.113.1 . 0x00001001`. */
function carried(household: Household): Map<string, number> {
  const elements = fastTable(household).matchAll(/([\d.]+ \. [\w. ]+?) counter packets (\d+)/g);
  return new Map([...elements].map(([, key, packets]) => [key!, Number(packets)]));
}

/** Traffic both ways until every session takes the fast path both ways, or so many directions do, and a packet of each has taken it. */
async function makeBusy(
  household: Household,
  sessions: readonly EspSession[],
  least = sessions.length * 2,
): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (let round = 0; ; round += 1) {
    for (const session of sessions) {
      session.up();
      session.down();
    }
    await sleep(2);
    if (round % 100 !== 0) continue;
    const packets = [...carried(household).values()];
    if (packets.length >= least && packets.every((count) => count > 0)) break;
    claim(performance.now() < deadline, `the fast path within 10 s: ${fastTable(household) || 'no table'}`);
  }
  await household.ledger.settle();
}

const untilGone = (household: Household): Promise<unknown> =>
  until('the fast path to be gone', () => fastTable(household) === '');

/** Sends ESP with header fields of its own. */
function sendOdd(
  household: Household,
  from: Host,
  to: { readonly address: Parameters<PacketSender['send']>[0] },
  fields: Partial<Parameters<typeof emitIpv4Packet>[0]> & { payload: Uint8Array },
): void {
  const sender = new PacketSender(from.namespace);
  household.onClose(() => sender.close());
  sender.send(
    to.address,
    emitIpv4Packet({ protocol: ipProtocols.esp, source: from.address, destination: to.address, ...fields }),
  );
}

export const fastPathScenarios: readonly Scenario[] = [
  scenario(
    'Q1',
    'busy ESP of two devices with one server, both ways; the ordinary way keeps the pairs alive',
    async (household) => {
      const sessions = await sessionsOf(household);
      await makeBusy(household, sessions);
      const before = carried(household);
      await converse(household, sessions, 80);
      for (const [element, packets] of carried(household)) {
        // All but every thirty-second, from wherever the sequence stands.
        const share = packets - before.get(element)!;
        claim(share >= 77 && share <= 78, `${share} of 80 packets of ${element} took it`);
      }
      claimEqual((await household.daemon.status()).problems, [], 'what is wrong');
      // What is shown of a session is the sum of both ways, but for what was held at the beginning and the
      // few packets between the last look at the counters and the table's being made anew.
      const MOST_UNSEEN_SHARE = 0.02;
      for (const { device, server, spiOut } of sessions) {
        const wanted = {
          out: server.received.filter(({ spi }) => spi === spiOut).length,
          in: device.received.length,
        };
        const shown = async (): Promise<number[]> => {
          const all = await household.daemon.sessions();
          const session = all.find((one) => one.device.address === device.host.address);
          return session ? [session.traffic.out.packets, session.traffic.in.packets] : [];
        };
        let last: number[] = [];
        await until(
          `the session of ${device.host.name} to show ${wanted.out} packets out and ${wanted.in} in`,
          async () => {
            last = await shown();
            const pairs = [
              [last[0]!, wanted.out],
              [last[1]!, wanted.in],
            ] as const;
            return (
              last.length === 2 &&
              pairs.every(([seen, sent]) => Math.abs(seen - sent) <= sent * MOST_UNSEEN_SHARE)
            );
          },
          20_000,
          () => last.join(' and '),
        );
      }
    },
  ),

  scenario(
    'Q2',
    'too big, out of time, in pieces: what is out of the ordinary is answered and passed as ever',
    async (household) => {
      const { gateway, devices, server, ledger, wan } = household;
      gateway.ip('link set wan0 mtu 1280');
      const sessions = await sessionsOf(household);
      await makeBusy(household, sessions);
      const [first, second] = sessions;
      const errors = new IcmpPeer(household, devices[0]!);
      const tooBig = await meet(household, first!, errors, { length: 1300 });
      claimEqual(
        [tooBig.code, tooBig.nextHopMtuBytes],
        [unreachableCodes.fragmentationNeeded, 1280],
        'too big',
      );
      const late = await meet(household, first!, errors, { length: 64, ttl: 1 });
      claimEqual(late.type, icmpTypes.timeExceeded, 'out of time');
      const [up, down] = [
        second!.device.packet(server.address, second!.spiOut, server, { length: 2000 }),
        second!.server.packet(wan, second!.spiIn, devices[1]!, { length: 2000 }),
      ];
      for (const offset of [0, 1000, 2000]) {
        const piece = { identification: 7, fragmentOffset: offset, moreFragments: offset < 2000 };
        sendOdd(household, devices[1]!, server, { ...piece, payload: up.subarray(offset, offset + 1000) });
        const back = { ...piece, payload: down.subarray(offset, offset + 1000) };
        sendOdd(household, server, { address: wan }, back);
      }
      await ledger.settle();
      await converse(household, sessions, 20);
      claim(fastTable(household) !== '', 'the fast path is still there');
    },
  ),

  scenario(
    'Q3',
    'switched off while busy: nothing more passes; switched on, all is as before',
    async (household) => {
      const { daemon, device, server, wan } = household;
      const sessions = await sessionsOf(household);
      await makeBusy(household, sessions);
      claimEqual((await daemon.command('disable', 'ipsec')).status, 0, 'disable');
      claimEqual(fastTable(household), '', 'the fast path right after it');
      const [first] = sessions;
      const errors = new IcmpPeer(household, device);
      const before = await daemon.drops('ipsec_disabled');
      for (let count = 0; count < 16; count += 1) {
        first!.device.send(server.address, first!.spiOut, null);
        first!.server.send(wan, first!.spiIn, null);
      }
      await until(
        'all of it to be dropped',
        async () => (await daemon.drops('ipsec_disabled')) === before + 32,
      );
      await until('the device to be told', () => errors.errors.length > 0);
      claimEqual((await daemon.command('enable', 'ipsec')).status, 0, 'enable');
      for (const session of sessions) await session.begin();
      // A second device of the server may be on trial for a while, on the ordinary way.
      await makeBusy(household, sessions, sessions.length);
      await converse(household, sessions, 20);
    },
  ),

  scenario(
    'Q4',
    'the WAN gets a new address while ESP is busy: no packet has the old one',
    async (household) => {
      const { gateway, isp, daemon, server, ledger } = household;
      const sessions = await sessionsOf(household);
      await makeBusy(household, sessions);
      const moved = address('198.51.100.77');
      gateway.ip(
        `address delete ${ADDRESSES.wan}/24 dev wan0`,
        `address add ${moved}/24 dev wan0`,
        `route replace default via ${ADDRESSES.ispWan}`,
      );
      await until('the daemon to follow', () => daemon.log.includes(`the WAN address is ${moved}`));
      isp.ip('neighbor flush all');
      const [first] = sessions;
      const heard = first!.server.received.length;
      for (let count = 0; count < 16; count += 1) first!.up();
      await ledger.settle();
      claimEqual(
        new Set(first!.server.received.slice(heard).map(({ source }) => source)).size === 1 &&
          first!.server.received.at(-1)!.source,
        moved,
        `the source that ${server.name} sees`,
      );
    },
  ),

  scenario(
    'Q5',
    'the daemon is killed while ESP is busy: the kernel takes the fast path away, nothing is lost, a new daemon brings it back',
    async (household) => {
      const { daemon, ledger } = household;
      const sessions = await sessionsOf(household);
      await makeBusy(household, sessions);
      const state = { over: false };
      const death = daemon.signal('SIGKILL').finally(() => {
        state.over = true;
      });
      for (let rounds = 0; !state.over || rounds < 50; rounds += 1) {
        for (const session of sessions) {
          session.up();
          session.down();
        }
        await sleep(1);
      }
      await death;
      await untilGone(household);
      await converse(household, sessions, 20);
      await daemon.start();
      await makeBusy(household, sessions);
      await daemon.signal('SIGTERM');
      claimEqual(fastTable(household), '', 'the fast path of a daemon that has stopped');
      await converse(household, sessions, 20);
      await ledger.settle();
    },
  ),

  scenario(
    'Q6',
    "another table's drop of ESP is heeded while ESP is busy, at forward and at ingress",
    async (household) => {
      const { gateway, server, wan, ledger } = household;
      const sessions = await sessionsOf(household);
      const [first] = sessions;
      const guards = [
        'table ip house { chain guard { type filter hook forward priority 0; meta l4proto esp counter drop; }; }',
        'table netdev house { chain guard { type filter hook ingress device "lan0" priority 500; ip protocol esp counter drop; }; }',
      ];
      for (const [index, guard] of guards.entries()) {
        await makeBusy(household, sessions);
        gateway.run('nft', ['-f', '-'], `${guard}\n`);
        await untilGone(household);
        const table = index === 0 ? ['ip', 'house'] : ['netdev', 'house'];
        for (let count = 0; count < 16; count += 1) first!.device.send(server.address, first!.spiOut, null);
        await until(
          'all of it to be dropped there',
          () => /counter packets (\d+)/.exec(gateway.run('nft', ['list', 'table', ...table]))?.[1] === '16',
        );
        if (index === 0) first!.server.send(wan, first!.spiIn, null);
        // Longer than the daemon waits to make it anew.
        await sleep(1500);
        claimEqual(fastTable(household), '', 'the fast path while the other table drops ESP');
        gateway.run('nft', ['delete', 'table', ...table]);
      }
      await makeBusy(household, sessions);
      await ledger.settle();
    },
  ),

  scenario('Q7', 'a busy pair is corrected: the packets follow to the other device', async (household) => {
    const { gateway, devices, server, wan, ledger } = household;
    const sessions = await sessionsOf(household);
    await makeBusy(household, sessions);
    const [first] = sessions;
    const pair = `${server.address} . ${first!.spiIn}`;
    gateway.run(
      'nft',
      ['-f', '-'],
      `delete element inet throughway esp_in { ${pair} }\nadd element inet throughway esp_in { ${pair} timeout 1h : ${devices[2]!.address} }\n`,
    );
    await until(
      'the fast path to forget it',
      () => !fastTable(household).includes(`: ${devices[0]!.address}`),
    );
    for (let count = 0; count < 16; count += 1) first!.server.send(wan, first!.spiIn, devices[2]!);
    await ledger.settle();
    await converse(household, [sessions[1]!], 20);
  }),

  scenario(
    'Q8',
    'routes and links change while ESP is busy: the fast path ends with what it was made from',
    async (household) => {
      const { gateway, daemon, server, ledger } = household;
      const sessions = await sessionsOf(household);
      const [first] = sessions;
      const unroutable = async (): Promise<void> => {
        await untilGone(household);
        for (let count = 0; count < 16; count += 1) first!.device.send(server.address, first!.spiOut, null);
      };
      await makeBusy(household, sessions);
      gateway.ip(`route add blackhole ${server.address}/32`);
      await unroutable();
      gateway.ip(`route delete blackhole ${server.address}/32`);
      await makeBusy(household, sessions);
      gateway.sysctl('net.ipv4.ip_forward', '0');
      await unroutable();
      gateway.sysctl('net.ipv4.ip_forward', '1');
      await makeBusy(household, sessions);
      gateway.ip('link set wan0 down');
      await unroutable();
      gateway.ip('link set wan0 up', `route add default via ${ADDRESSES.ispWan}`);
      await until('the gateway to be well', async () => (await daemon.status()).problems.length === 0);
      await converse(household, sessions, 5);
      await makeBusy(household, sessions);
      await ledger.settle();
    },
  ),
];
