// Observation at its limits: how many copies of packets the daemon reads in a second without missing
// one, a flood of made-up ESP, and a long soak with churn. With the real daemon in the lab's gateway;
// a rule of another table makes copies without the shares that the gateway's own rules give.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { OBSERVATION_GROUP } from '../src/core/policy/observe.ts';
import { emitEsp } from '../src/core/wire/esp.ts';
import { emitIpv4Packet, ipProtocols } from '../src/core/wire/ipv4.ts';
import { emitIsakmp, exchangeTypes } from '../src/core/wire/isakmp.ts';
import { emitUdp } from '../src/core/wire/udp.ts';
import { callDaemon } from '../src/cli/client.ts';
import type { GatewayEvent } from '../src/daemon/api/session.ts';
import { blast } from './blast.ts';
import { address, Household, type Host } from '../lab/topologies/household.ts';
import { until } from '../lab/wait.ts';
import { readMemory } from './daemon-cost.ts';
import type { Cell, Figures } from './figures.ts';
import { countElements } from './fill.ts';
import { Traffic } from './live.ts';

const WANTED_PER_SECOND = 50_000;
const SECONDS = 5;
/** As many as are sent when the rate is not limited. */
const MOST_PER_SECOND = 100_000;
const FLOOD = 1_000_000;
/** Sources and sequence numbers of the flood, again and again with other SPIs. */
const FLOOD_SHAPES = 4_096;
const SOAK = 2_000_000;
const SOAK_PER_SECOND = 40_000;
/** What a burst leaves behind is given back by then. */
const REST_MS = 5_000;
/** The IKE SAs that copies are of; each is another beginning. */
const IKE_SAS = 2_000;

/** Clock ticks of a process, user and system (proc(5)). */
function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Whole packets of IKE from a device to a server, one for each of many IKE SAs. */
function ikePackets(from: Host, to: Host, generation = 0): Uint8Array[] {
  const ends = { source: from.address, destination: to.address };
  return Array.from({ length: IKE_SAS }, (_, index) => {
    const payload = emitIsakmp({
      header: {
        initiatorSpi: 1n + BigInt(index + generation * IKE_SAS),
        responderSpi: 0n,
        majorVersion: 1,
        minorVersion: 0,
        exchangeType: exchangeTypes.mainMode,
        flags: {},
        messageId: 0,
      },
      payloads: [{ type: 13, critical: false, body: new Uint8Array(16) }],
      encrypted: null,
    });
    const udp = emitUdp(ends, { sourcePort: 500, destinationPort: 500, payload });
    return emitIpv4Packet({ ...ends, protocol: ipProtocols.udp, payload: udp });
  });
}

/** Packets that found the queue of their processor full (net.core.netdev_max_backlog), of all namespaces. */
function countOverrun(): number {
  const lines = readFileSync('/proc/net/softnet_stat', 'latin1').trim().split('\n');
  return lines.reduce((sum, line) => sum + Number.parseInt(line.split(' ')[1]!, 16), 0);
}

/** Copies everything to the daemon, whatever its share; in a table of its own. */
function copyEverything({ gateway }: Household): void {
  gateway.run(
    'nft',
    ['-f', '-'],
    `table inet every_copy {
      chain prerouting {
        type filter hook prerouting priority mangle - 5; policy accept;
        iifname "lan0" udp dport 500 log prefix "lan" group ${OBSERVATION_GROUP} snaplen 512 drop
      }
    }\n`,
  );
}

async function observation(household: Household): Promise<{ copies: number; missed: number }> {
  const { observation: seen } = await household.daemon.status();
  return { copies: seen?.copies ?? 0, missed: seen?.missed ?? 0 };
}

/** Resolves when every copy has been read or counted as missed. */
async function settle(
  household: Household,
  from: number,
  count: number,
): Promise<{ copies: number; missed: number }> {
  return until(
    'the copies to be read',
    async () => {
      const seen = await observation(household);
      return seen.copies + seen.missed - from >= count ? seen : null;
    },
    60_000,
  );
}

export async function measureObserving(): Promise<Figures> {
  const rows: Record<string, Cell>[] = [];
  const household = await Household.build();
  const { daemon, device, server } = household;
  try {
    copyEverything(household);
    const packets = ikePackets(device, server);
    for (const perSecond of [10_000, WANTED_PER_SECOND, 1_000_000]) {
      const count = Math.min(perSecond, MOST_PER_SECOND) * SECONDS;
      const before = await observation(household);
      const processor = processorSeconds(daemon.pid);
      const { seconds } = await blast(device.namespace, {
        packets,
        destination: server.address,
        count,
        perSecond,
        counterAt: null,
      });
      const after = await settle(household, before.copies + before.missed, count);
      rows.push({
        wanted: perSecond === 1_000_000 ? null : perSecond,
        reached: count / seconds,
        copies: after.copies - before.copies,
        missed: after.missed - before.missed,
        processor: ((processorSeconds(daemon.pid) - processor) / count) * 1e6,
      });
    }
  } finally {
    await household.close();
  }
  return {
    name: 'observing',
    title: 'Copies of packets that the daemon reads: IKE of 2,000 SAs, parsed, told to the machines',
    notes: [
      'One process for the daemon, one that sends, one that measures; the last row as fast as the packets can be made.',
      'Processor time of the daemon for each copy, all its threads.',
    ],
    columns: [
      { key: 'wanted', heading: 'wanted/s' },
      { key: 'reached', heading: 'sent/s' },
      { key: 'copies', heading: 'read' },
      { key: 'missed', heading: 'missed' },
      { key: 'processor', heading: 'µs each', digits: 1 },
    ],
    rows,
  };
}

export async function measureFlood(): Promise<Figures> {
  const rows: Record<string, Cell>[] = [];
  const household = await Household.build();
  const { daemon, devices, server, servers, wan } = household;
  try {
    const traffic = new Traffic(household);
    for (const [index, device] of devices.slice(0, 2).entries()) {
      traffic.addEsp(device, server, 0x1001 + index, 0x2001 + index);
      for (let round = 0; round < 3; round += 1) {
        for (const stream of traffic.streams.slice(-2)) {
          stream.send();
          await sleep(50);
        }
      }
    }
    traffic.start(1000);
    await traffic.flowing();
    const sources = {
      'the address of the server': () => server.address,
      'another server': () => servers[1]!.address,
      'made-up addresses': (serial: number) =>
        address(`${20 + (serial % 100)}.${serial & 0xff}.${(serial >> 8) & 0xff}.9`),
    };
    const destination = wan;
    for (const [from, sourceOf] of Object.entries(sources)) {
      const elements = await countElements(household, 'esp_in');
      const drops = await daemon.drops('esp_unknown');
      const events = (await listEvents(household)).length;
      const memory = readMemory(daemon.pid).rss_megabytes;
      const marks = traffic.streams.map((stream) => stream.sentAt.length);
      const overrun = countOverrun();
      const rest = new Uint8Array(24);
      const packets = Array.from({ length: FLOOD_SHAPES }, (_, serial) => {
        const payload = emitEsp({ spi: 0, sequence: 1 + serial, rest });
        return emitIpv4Packet({ protocol: ipProtocols.esp, source: sourceOf(serial), destination, payload });
      });
      const { seconds } = await blast(household.isp, {
        packets,
        destination,
        count: FLOOD,
        perSecond: 10_000_000,
        // Every packet has an SPI of its own.
        counterAt: 20,
      });
      const overrunBy = countOverrun() - overrun;
      // The event is told by now, and what was sent before has arrived or will not.
      await sleep(5_000);
      const ends = traffic.streams.map((stream) => stream.sentAt.length);
      await sleep(1_000);
      const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0);
      rows.push({
        from,
        spoofed: FLOOD,
        rate: FLOOD / seconds,
        live: sum(ends.map((end, index) => end - marks[index]!)),
        lost: sum(traffic.streams.map((stream, index) => stream.lostSince(marks[index]!, ends[index]))),
        overrun: overrunBy,
        misdelivered: traffic.misdelivered,
        dropped: (await daemon.drops('esp_unknown')) - drops,
        elements: (await countElements(household, 'esp_in')) - elements,
        events: (await listEvents(household)).length - events,
        memory: readMemory(daemon.pid).rss_megabytes - memory,
      });
    }
    traffic.stop();
  } finally {
    await household.close();
  }
  return {
    name: 'flood',
    title: 'A million made-up inbound ESP packets at full speed, beside live sessions of two devices',
    notes: [
      'Lost, misdelivered: of the live packets, 1,000 a second. Memory: growth in megabytes.',
      'Overrun: packets of any kind that the kernel threw away before any rule saw them, because its queue was full (/proc/net/softnet_stat).',
    ],
    columns: [
      { key: 'from', heading: 'in the name of' },
      { key: 'spoofed', heading: 'made up' },
      { key: 'rate', heading: 'each second' },
      { key: 'dropped', heading: 'dropped' },
      { key: 'live', heading: 'live packets' },
      { key: 'lost', heading: 'lost' },
      { key: 'overrun', heading: 'overrun' },
      { key: 'misdelivered', heading: 'misdelivered' },
      { key: 'elements', heading: 'new pairs' },
      { key: 'events', heading: 'events' },
      { key: 'memory', heading: 'MB more', digits: 1 },
    ],
    rows,
  };
}

async function listEvents({ daemon }: Household): Promise<GatewayEvent[]> {
  const answer = JSON.parse(await callDaemon(daemon.socket, 'GET', '/api/v1/events?limit=1000')) as unknown;
  return Array.isArray(answer) ? (answer as GatewayEvent[]) : (answer as { events: GatewayEvent[] }).events;
}

export async function measureSoak(): Promise<Figures> {
  const rows: Record<string, Cell>[] = [];
  const household = await Household.build();
  const { daemon, devices, server } = household;
  try {
    copyEverything(household);
    const parts = 8;
    const count = SOAK / parts;
    let { copies, missed } = await observation(household);
    for (let part = 0; part <= parts; part += 1) {
      rows.push({ observed: copies, missed, ...readMemory(daemon.pid) });
      if (part === parts) break;
      // Churn: in each part every device begins with IKE SAs that were never seen.
      await Promise.all(
        devices.map((device, index) =>
          blast(device.namespace, {
            packets: ikePackets(device, server, part),
            destination: server.address,
            // The remainder is the first one's.
            count: Math.floor(count / devices.length) + (index === 0 ? count % devices.length : 0),
            perSecond: SOAK_PER_SECOND / devices.length,
            counterAt: null,
          }),
        ),
      );
      ({ copies, missed } = await settle(household, copies + missed, count));
      await sleep(1_000);
    }
    await sleep(REST_MS);
    rows.push({ observed: copies, missed, ...readMemory(daemon.pid) });
  } finally {
    await household.close();
  }
  return {
    name: 'soak',
    title: 'Memory of the daemon over two million observed packets with churn, in megabytes',
    notes: [
      '48,000 IKE SAs of three devices with one server, 6,000 at a time, each seen some forty times.',
      'The last line is of five seconds later.',
    ],
    columns: [
      { key: 'observed', heading: 'observed' },
      { key: 'missed', heading: 'missed' },
      { key: 'rss_megabytes', heading: 'now', digits: 1 },
      { key: 'most_megabytes', heading: 'most', digits: 1 },
    ],
    rows,
  };
}
