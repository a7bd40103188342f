// What ten thousand sessions cost: two hundred devices that each begin IPsec with NAT-T with fifty
// servers, as real packets through the real daemon; its memory, and how long their table takes.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseIpv4, type Port } from '../src/core/address.ts';
import type { Session } from '../src/daemon/api/session.ts';
import { callDaemon } from '../src/cli/client.ts';
import { emitIpv4Packet, ipProtocols } from '../src/core/wire/ipv4.ts';
import { emitUdp } from '../src/core/wire/udp.ts';
import { PacketSender } from '../lab/sockets.ts';
import { Household } from '../lab/topologies/household.ts';
import { claimEqual, until } from '../lab/wait.ts';
import { readMemory } from './daemon-cost.ts';
import { spreadOf, type Cell, type Figures } from './figures.ts';

const DEVICES = 200;
const SERVERS = 50;
const ASKED = 15;
const LOOK_EVERY_MS = 500;
/** What a burst leaves behind is collected by then. */
const REST_MS = 4_000;
/** What must be reached. */
const MOST_MEGABYTES = 200;
const MOST_MS = 300;

export async function measureSessions(): Promise<Figures> {
  const household = await Household.build();
  const { daemon } = household;
  const rows: Record<string, Cell>[] = [];
  try {
    await daemon.status();
    rows.push(await measure(household, 0, 0));
    const begun = performance.now();
    open(household);
    await until(
      'all sessions to be shown',
      async () => {
        // To ask without a pause would be measured too.
        await sleep(LOOK_EVERY_MS);
        return (await daemon.sessions()).length === DEVICES * SERVERS;
      },
      60_000,
    );
    rows.push(await measure(household, DEVICES * SERVERS, performance.now() - begun));
    await daemon.signal('SIGKILL');
    const again = performance.now();
    await daemon.start();
    rows.push(await measure(household, DEVICES * SERVERS, performance.now() - again));
  } finally {
    await household.close();
  }
  return {
    name: 'sessions',
    title: `Sessions: memory (may be ${MOST_MEGABYTES} MB) and milliseconds until "throughway sessions --json" has printed them (may be ${MOST_MS}), median of ${ASKED}`,
    notes: [
      `Of ${DEVICES} devices with ${SERVERS} servers each. Memory is that of four seconds later. "shown" is from the first packet, and in the last line from the start after a kill -9.`,
      '"command" is the whole program with its start, "API" the answer alone.',
    ],
    columns: [
      { key: 'sessions', heading: 'sessions' },
      { key: 'shown_ms', heading: 'shown' },
      { key: 'rss_megabytes', heading: 'MB now', digits: 1 },
      { key: 'most_megabytes', heading: 'most', digits: 1 },
      { key: 'api_ms', heading: 'API' },
      { key: 'command_ms', heading: 'command' },
      { key: 'worst_ms', heading: 'worst' },
    ],
    rows,
  };
}

function open(household: Household): void {
  const { device } = household;
  household.isp.ip('route replace blackhole 198.18.0.0/15');
  const sender = new PacketSender(device.namespace);
  household.onClose(() => sender.close());
  for (let server = 1; server <= SERVERS; server += 1) {
    const destination = parseIpv4(`198.18.0.${server}`)!;
    for (let host = 1; host <= DEVICES; host += 1) {
      const ends = { source: parseIpv4(`192.168.1.${host + 20}`)!, destination };
      const ports = { sourcePort: 4500 as Port, destinationPort: 4500 as Port };
      const payload = emitUdp(ends, { ...ports, payload: Uint8Array.of(0xff) });
      sender.send(destination, emitIpv4Packet({ ...ends, protocol: ipProtocols.udp, payload }));
    }
  }
}

async function measure(
  household: Household,
  sessions: number,
  shownMs: number,
): Promise<Record<string, Cell>> {
  const { daemon } = household;
  await sleep(REST_MS);
  const memory = readMemory(daemon.pid);
  const [api, command]: [number[], number[]] = [[], []];
  for (let count = 0; count < ASKED; count += 1) {
    let begun = performance.now();
    const text = await callDaemon(daemon.socket, 'GET', '/api/v1/sessions');
    api.push(performance.now() - begun);
    claimEqual((JSON.parse(text) as Session[]).length, sessions, 'sessions in the answer');
    begun = performance.now();
    const { stdout, status } = await daemon.command('sessions', '--json');
    command.push(performance.now() - begun);
    const printed = (JSON.parse(stdout) as Session[]).length;
    claimEqual([status, printed], [0, sessions], 'status and sessions of the command');
  }
  return {
    sessions,
    shown_ms: shownMs,
    ...memory,
    api_ms: spreadOf(api).median,
    command_ms: spreadOf(command).median,
    worst_ms: spreadOf(command).max,
  };
}
