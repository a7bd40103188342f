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
import { PacketSender } from '../lab/sockets.ts';
import { address, Household, type Host } from '../lab/topologies/household.ts';
import { until } from '../lab/wait.ts';
import { readMemory } from './daemon-cost.ts';
import type { Cell, Figures } from './figures.ts';
import { countElements } from './fill.ts';
import { Traffic } from './live.ts';

const WANTED_PER_SECOND = 50_000;
const SECONDS = 5;
const FLOOD = 1_000_000;
const SOAK = 2_000_000;
/** The IKE SAs that copies are of; each is another beginning. */
const IKE_SAS = 2_000;
/** Between two bursts the event loop of the bench gets its turn. */
const AT_ONCE = 50;

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

/** Sends `count` packets in turn, `perSecond` at the most; resolves to the seconds it took. */
async function pump(send: (serial: number) => void, count: number, perSecond: number): Promise<number> {
  const began = performance.now();
  for (let sent = 0; sent < count;) {
    const due = Math.min(count, ((performance.now() - began) / 1000) * perSecond);
    for (let burst = 0; burst < AT_ONCE && sent < due; burst += 1) send((sent += 1) - 1);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return (performance.now() - began) / 1000;
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
    const sender = new PacketSender(device.namespace);
    const packets = ikePackets(device, server);
    for (const perSecond of [10_000, WANTED_PER_SECOND, 1_000_000]) {
      const count = Math.min(perSecond, 100_000) * SECONDS;
      const before = await observation(household);
      const processor = processorSeconds(daemon.pid);
      const seconds = await pump(
        (serial) => sender.send(server.address, packets[serial % packets.length]!),
        count,
        perSecond,
      );
      const after = await settle(household, before.copies + before.missed, count);
      rows.push({
        wanted: perSecond === 1_000_000 ? null : perSecond,
        reached: count / seconds,
        copies: after.copies - before.copies,
        missed: after.missed - before.missed,
        processor: ((processorSeconds(daemon.pid) - processor) / count) * 1e6,
      });
    }
    sender.close();
  } finally {
    await household.close();
  }
  return {
    name: 'observing',
    title: 'Copies of packets that the daemon reads: IKE of 2,000 SAs, parsed, told to the machines',
    notes: [
      'One process for the daemon, one for everything else; the last row as fast as the packets can be made.',
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
    for (const [from, sourceOf] of Object.entries(sources)) {
      const elements = countElements(household, 'map', 'esp_in');
      const drops = await daemon.drops('esp_unknown');
      const events = (await listEvents(household)).length;
      const memory = readMemory(daemon.pid).rss_megabytes;
      const sender = new PacketSender(household.isp);
      const marks = traffic.streams.map((stream) => stream.sentAt.length);
      const rest = new Uint8Array(24);
      const seconds = await pump(
        (serial) => {
          const payload = emitEsp({ spi: 0x4000_0000 + serial, sequence: 1 + (serial % 4096), rest });
          const source = sourceOf(serial);
          sender.send(wan, emitIpv4Packet({ protocol: ipProtocols.esp, source, destination: wan, payload }));
        },
        FLOOD,
        1_000_000,
      );
      await sleep(6_000);
      sender.close();
      const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0);
      rows.push({
        from,
        spoofed: FLOOD,
        rate: FLOOD / seconds,
        live: sum(traffic.streams.map((stream, index) => stream.sentAt.length - marks[index]!)),
        lost: sum(traffic.streams.map((stream, index) => stream.lostSince(marks[index]!))),
        misdelivered: traffic.misdelivered,
        dropped: (await daemon.drops('esp_unknown')) - drops,
        elements: countElements(household, 'map', 'esp_in') - elements,
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
    notes: ['Lost, misdelivered: of the live packets, 1,000 a second. Memory: growth in megabytes.'],
    columns: [
      { key: 'from', heading: 'in the name of' },
      { key: 'spoofed', heading: 'made up' },
      { key: 'rate', heading: 'each second' },
      { key: 'dropped', heading: 'dropped' },
      { key: 'live', heading: 'live packets' },
      { key: 'lost', heading: 'lost' },
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
    const senders = devices.map((device) => new PacketSender(device.namespace));
    const parts = 8;
    let { copies, missed } = await observation(household);
    for (let part = 0; part <= parts; part += 1) {
      rows.push({ observed: copies, missed, ...readMemory(daemon.pid) });
      if (part === parts) break;
      // Churn: in each part every device begins with IKE SAs that were never seen.
      const packets = devices.map((device) => ikePackets(device, server, part));
      const count = SOAK / parts;
      await pump(
        (serial) => {
          const which = serial % senders.length;
          const own = packets[which]!;
          senders[which]!.send(server.address, own[Math.floor(serial / senders.length) % own.length]!);
        },
        count,
        40_000,
      );
      ({ copies, missed } = await settle(household, copies + missed, count));
      await sleep(1_000);
    }
    for (const sender of senders) sender.close();
  } finally {
    await household.close();
  }
  return {
    name: 'soak',
    title: 'Memory of the daemon over two million observed packets with churn, in megabytes',
    notes: ['48,000 IKE SAs of three devices with one server, 6,000 at a time, each seen some forty times.'],
    columns: [
      { key: 'observed', heading: 'observed' },
      { key: 'missed', heading: 'missed' },
      { key: 'rss_megabytes', heading: 'now', digits: 1 },
      { key: 'most_megabytes', heading: 'most', digits: 1 },
    ],
    rows,
  };
}
