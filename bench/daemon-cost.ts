// What the daemon itself costs: how long it takes to be ready, and how much memory it holds.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Household } from '../lab/topologies/household.ts';
import { spreadOf, type Cell, type Figures } from './figures.ts';
import { countElements, countTracked, fillPairs, forgetPairs, Opener } from './fill.ts';

const PAIRS = 100_000;
const SESSIONS = 10_000;
const STARTS = 10;
const REST_MS = 10_000;
/** What the daemon may hold, whatever the gateway carries. */
const MOST_MEGABYTES = 150;

export async function measureStartUp(): Promise<Figures> {
  const rows: Record<string, Cell>[] = [];
  for (const pairs of [0, PAIRS]) {
    const household = await Household.build({ running: false });
    const { daemon } = household;
    try {
      // An empty cache of compiled code, as after an installation; the ones after find it filled.
      const environment = { NODE_COMPILE_CACHE: `${daemon.folder}/compile-cache` };
      const startOnce = async (): Promise<number> => {
        const begun = performance.now();
        await daemon.start(environment);
        return performance.now() - begun;
      };
      const cold = await startOnce();
      if (pairs > 0) fillPairs(household, pairs);
      const warm: number[] = [];
      for (let count = 0; count < STARTS; count += 1) {
        await daemon.signal('SIGTERM');
        warm.push(await startOnce());
      }
      const { median, max } = spreadOf(warm);
      rows.push({
        pairs,
        cold_ms: pairs === 0 ? cold : null,
        warm_ms: median,
        warm_worst_ms: max,
        pairs_after: await countElements(household, 'esp_in'),
      });
    } finally {
      await household.close();
    }
  }
  return {
    name: 'start-up',
    title: `Start-up: milliseconds from the start of the process to "ready", median and worst of ${STARTS}`,
    notes: [
      '"first" is the first start of all: no compiled code is cached, and no table is in the kernel.',
      'The pairs are in the maps already, as after a restart.',
    ],
    columns: [
      { key: 'pairs', heading: 'learned pairs' },
      { key: 'cold_ms', heading: 'first' },
      { key: 'warm_ms', heading: 'later' },
      { key: 'warm_worst_ms', heading: 'worst' },
      { key: 'pairs_after', heading: 'pairs afterwards' },
    ],
    rows,
  };
}

export async function measureMemory(): Promise<Figures> {
  const rows: Record<string, Cell>[] = [];
  const household = await Household.build();
  const { daemon } = household;
  const note = async (state: string): Promise<void> => {
    await sleep(REST_MS);
    rows.push({
      state,
      pairs: await countElements(household, 'esp_in'),
      connections: countTracked(household),
      ...readMemory(daemon.pid),
    });
  };
  const restart = async (): Promise<void> => {
    await daemon.signal('SIGTERM');
    await daemon.start();
  };
  try {
    await daemon.status();
    await note('idle');
    fillPairs(household, PAIRS);
    for (let count = 0; count < 20; count += 1) await daemon.status();
    await note('pairs, after 20 status calls');
    for (let count = 0; count < 10; count += 1) await daemon.reload();
    await note('and 10 reloads');
    await restart();
    await daemon.status();
    await note('restarted with the pairs');

    forgetPairs(household);
    await restart();
    const opener = new Opener(household, 'udp', 4500, SESSIONS);
    const fill = async (): Promise<void> => {
      fillPairs(household, SESSIONS);
      await opener.open();
    };
    await fill();
    for (let count = 0; count < 100; count += 1) await daemon.status();
    await note('sessions, after 100 status calls');
    for (let count = 0; count < 50; count += 1) await daemon.reload();
    await note('and 50 reloads');
    await daemon.setPassthrough({ ipsec: 'disabled' });
    await note('and ipsec disabled');
    await daemon.setPassthrough({ ipsec: 'enabled' });
    for (let count = 0; count < 5; count += 1) {
      await fill();
      await daemon.setPassthrough({ ipsec: 'disabled' });
      await daemon.setPassthrough({ ipsec: 'enabled' });
    }
    await fill();
    await daemon.status();
    await note('and 5 times more, filled again');
  } finally {
    await household.close();
  }
  return {
    name: 'memory',
    title: `Memory of the daemon in megabytes; it may hold ${MOST_MEGABYTES}`,
    notes: [
      `VmRSS after ${REST_MS / 1000} s of rest, in which the daemon gives back what it needed for a moment; VmHWM as the`,
      'most since its start. A session is a connection on UDP 4500 and a pair.',
    ],
    columns: [
      { key: 'state', heading: 'state' },
      { key: 'pairs', heading: 'pairs' },
      { key: 'connections', heading: 'connections' },
      { key: 'rss_megabytes', heading: 'now', digits: 1 },
      { key: 'most_megabytes', heading: 'most', digits: 1 },
    ],
    rows,
  };
}

export function readMemory(pid: number): { rss_megabytes: number; most_megabytes: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const megabytes = (name: string): number =>
    (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? NaN) * 1024) / 1e6;
  return { rss_megabytes: megabytes('VmRSS'), most_megabytes: megabytes('VmHWM') };
}
