// `npm run bench:pairing`: random schedules of several devices of one server, played through three ways of
// pairing ESP; and what a decision costs. The same seed gives the same figures, on any number of threads.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { measureDecisions } from './decision-cost.ts';
import { playSchedules, SCHEMES, type Scheme, type Tallies } from './play.ts';
import { renderReport, rowsOf } from './report.ts';
import { addTally, emptyTally, type Group, type Tally } from './tally.ts';

const USAGE = `Usage: npm run bench:pairing -- [options]

  --schedules N   how many (default 10000)
  --seed N        other schedules (default 1)
  --schemes LIST  of ${Object.keys(SCHEMES).join(', ')} (default: all)
  --threads N     (default: one for each processor)
  --json          print JSON instead of tables
  --help          print this
`;

interface Share {
  readonly scheme: Scheme;
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

class UsageError extends Error {}

function wholeNumber(name: string, word: string, least: number): number {
  const value = Number(word);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new UsageError(`--${name}: "${word}" is not a whole number of at least ${least}. See --help.`);
}

function parseSchemes(word: string): Scheme[] {
  return word.split(',').map((one) => {
    if (Object.hasOwn(SCHEMES, one)) return one as Scheme;
    throw new UsageError(`--schemes: "${one}" is not one of ${Object.keys(SCHEMES).join(', ')}. See --help.`);
  });
}

async function play(scheme: Scheme, seed: number, schedules: number, threads: number): Promise<Tallies> {
  const shares = Array.from({ length: threads }, (_, from): Share => ({
    scheme,
    seed,
    from,
    to: schedules,
    step: threads,
  }));
  const parts = await Promise.all(
    shares.map(
      (share) =>
        new Promise<Tallies>((resolve, reject) => {
          const worker = new Worker(new URL(import.meta.url), { workerData: share });
          worker.once('message', resolve);
          worker.once('error', reject);
        }),
    ),
  );
  const all: Tallies = {};
  for (const part of parts) {
    for (const [group, tally] of Object.entries(part) as [Group, Tally][]) {
      addTally((all[group] ??= emptyTally()), tally);
    }
  }
  return all;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      schedules: { type: 'string', default: '10000' },
      seed: { type: 'string', default: '1' },
      schemes: { type: 'string', default: Object.keys(SCHEMES).join(',') },
      threads: { type: 'string', default: String(availableParallelism()) },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  const schedules = wholeNumber('schedules', values.schedules, 1);
  const seed = wholeNumber('seed', values.seed, 0);
  const threads = Math.min(wholeNumber('threads', values.threads, 1), schedules);
  const begun = performance.now();
  const results = new Map<Scheme, Tallies>();
  for (const scheme of parseSchemes(values.schemes)) {
    results.set(scheme, await play(scheme, seed, schedules, threads));
  }
  const costs = results.has('daemon') ? measureDecisions() : [];
  const seconds = (performance.now() - begun) / 1000;
  const rows = rowsOf(results);
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ schedules, seed, pairing: rows, decisions: costs, seconds }, null, 2)}\n`
      : renderReport(rows, costs, seconds),
  );
}

if (isMainThread) {
  main().catch((error: unknown) => {
    if (!(error instanceof UsageError) && !(error instanceof TypeError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  });
} else {
  const { scheme, seed, from, to, step } = workerData as Share;
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  parentPort!.postMessage(playSchedules(scheme, seed, from, to, step));
}
