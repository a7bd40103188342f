// What packets notice of the daemon's life: reloads under traffic, kill -9 and restarts, and a flood
// of inbound SPIs that nobody has asked for. Two devices with one server, ESP and UDP 4500 both ways.
import { setTimeout as sleep } from 'node:timers/promises';
import { emitEsp } from '../src/core/wire/esp.ts';
import { ipProtocols } from '../src/core/wire/ipv4.ts';
import { Household } from '../lab/topologies/household.ts';
import { spreadOf, type Cell, type Figures } from './figures.ts';
import { countElements, fillPairs } from './fill.ts';
import { Traffic } from './live.ts';

const PACKETS_PER_SECOND = 4000;
const PAIRS = 1000;
const SPOOFED_SPIS = 100_000;
/** Between two packets of the flood the live ones get their turn. */
const SPOOFED_AT_ONCE = 50;

interface Losses {
  readonly sent: number;
  readonly lost: number;
  readonly misdelivered: number;
}

async function openHousehold(): Promise<{ household: Household; traffic: Traffic }> {
  const household = await Household.build();
  const traffic = new Traffic(household);
  for (const [index, device] of household.devices.slice(0, 2).entries()) {
    traffic.addEsp(device, household.server, 0x1001 + index, 0x2001 + index);
    traffic.addUdp('UDP 4500', device, household.server);
    // One after the other: which device an unknown SPI is for goes by order.
    for (let round = 0; round < 3; round += 1) {
      for (const stream of traffic.streams.slice(-4)) stream.send();
      await sleep(10);
    }
  }
  return { household, traffic };
}

/** Counts what was lost of the traffic while `work` went on. */
async function during(traffic: Traffic, work: () => Promise<void>): Promise<Losses> {
  const from = traffic.streams.map((stream) => stream.sentAt.length);
  const misdelivered = traffic.misdelivered;
  traffic.start(PACKETS_PER_SECOND);
  await sleep(20);
  await work();
  await sleep(20);
  traffic.stop();
  // Whatever is still on its way is in some socket's buffer.
  await sleep(300);
  const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0);
  return {
    sent: sum(traffic.streams.map((stream, index) => stream.sentAt.length - from[index]!)),
    lost: sum(traffic.streams.map((stream, index) => stream.lostSince(from[index]!))),
    misdelivered: traffic.misdelivered - misdelivered,
  };
}

async function countPairs(household: Household): Promise<{ in: number; out: number }> {
  return {
    in: await countElements(household, 'esp_in'),
    out: await countElements(household, 'esp_out'),
  };
}

export async function measureReloads(): Promise<Figures> {
  const rows: Record<string, Cell>[] = [];
  const { household, traffic } = await openHousehold();
  const { daemon } = household;
  try {
    fillPairs(household, PAIRS);
    const measure = async (event: string, times: number, once: () => Promise<void>): Promise<void> => {
      const before = await countPairs(household);
      const took: number[] = [];
      const losses = await during(traffic, async () => {
        for (let count = 0; count < times; count += 1) {
          const begun = performance.now();
          await once();
          took.push(performance.now() - begun);
        }
      });
      const after = await countPairs(household);
      rows.push({
        event,
        times,
        took_ms: spreadOf(took).median,
        took_worst_ms: spreadOf(took).max,
        ...losses,
        pairs_in_before: before.in,
        pairs_in_after: after.in,
        pairs_out_before: before.out,
        pairs_out_after: after.out,
      });
    };
    await measure('nothing', 1, () => sleep(1000).then(() => undefined));
    await measure('reload', 50, () => daemon.reload());
    await measure('kill -9, start', 5, async () => {
      await daemon.signal('SIGKILL');
      await daemon.start();
    });
  } finally {
    await household.close();
  }
  return {
    name: 'reloads',
    title: 'Reloads and deaths: what the traffic notices',
    notes: [
      `Two devices with one server, ESP and UDP 4500 both ways, ${PACKETS_PER_SECOND.toLocaleString('en')} packets a second; besides, ${PAIRS.toLocaleString('en')} learned pairs.`,
      '"ms" is the time of one reload, or from the signal to "ready".',
    ],
    columns: [
      { key: 'event', heading: 'event' },
      { key: 'times', heading: 'times' },
      { key: 'took_ms', heading: 'ms', digits: 1 },
      { key: 'took_worst_ms', heading: 'worst', digits: 1 },
      { key: 'sent', heading: 'packets' },
      { key: 'lost', heading: 'lost' },
      { key: 'misdelivered', heading: 'misdelivered' },
      { key: 'pairs_in_before', heading: 'esp_in before' },
      { key: 'pairs_in_after', heading: 'after' },
      { key: 'pairs_out_before', heading: 'esp_out before' },
      { key: 'pairs_out_after', heading: 'after' },
    ],
    rows,
  };
}

export async function measureSpoofing(): Promise<Figures> {
  const rows: Record<string, Cell>[] = [];
  const { household, traffic } = await openHousehold();
  const { daemon, devices, servers, wan } = household;
  try {
    // The second server has one device only.
    traffic.addEsp(devices[2]!, servers[1]!, 0x1003, 0x2003);
    for (const stream of traffic.streams.slice(-2)) stream.send();
    await sleep(10);
    traffic.start(PACKETS_PER_SECOND);
    await traffic.flowing();
    traffic.stop();
    const cases = [
      { server: servers[0]!, what: 'a server of two devices' },
      { server: servers[1]!, what: 'a server of one device' },
    ];
    for (const { server, what } of cases) {
      const before = {
        elements: await countElements(household, 'esp_in'),
        drops: await daemon.drops('esp_unknown'),
      };
      const socket = traffic.raw(server, ipProtocols.esp);
      const rest = new Uint8Array(24);
      const losses = await during(traffic, async () => {
        for (let sent = 0; sent < SPOOFED_SPIS; sent += SPOOFED_AT_ONCE) {
          for (let count = 0; count < SPOOFED_AT_ONCE; count += 1) {
            socket.send(
              wan,
              emitEsp({ spi: 0x4000_0000 + sent + count, sequence: 1 + ((sent + count) % 16), rest }),
            );
          }
          await new Promise<void>((resolve) => setImmediate(resolve));
        }
      });
      rows.push({
        from: what,
        spis: SPOOFED_SPIS,
        elements_before: before.elements,
        elements_after: await countElements(household, 'esp_in'),
        dropped: (await daemon.drops('esp_unknown')) - before.drops,
        ...losses,
      });
    }
  } finally {
    await household.close();
  }
  return {
    name: 'spoofing',
    title: 'Spoofed inbound SPIs: what a stranger with the address of a server can fill',
    notes: [
      'Beside live sessions of three devices with both servers; packets and losses are of those sessions.',
    ],
    columns: [
      { key: 'from', heading: 'in the name of' },
      { key: 'spis', heading: 'SPIs' },
      { key: 'elements_before', heading: 'esp_in before' },
      { key: 'elements_after', heading: 'after' },
      { key: 'dropped', heading: 'dropped' },
      { key: 'sent', heading: 'live packets' },
      { key: 'lost', heading: 'lost' },
      { key: 'misdelivered', heading: 'misdelivered' },
    ],
    rows,
  };
}
