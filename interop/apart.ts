// Plays a row in a process of its own, with namespaces of its own: what one row leaves behind, or breaks,
// is not there for the next, and two can be played at once. Most of a row is waiting.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { insideOwnNamespaces } from '../lab/enter.ts';
import { playRow, playTrial, type Result } from './play.ts';
import { ROWS, TRIALS } from './rows/all.ts';
import type { Way } from './world.ts';

const PROGRAM = join(import.meta.dirname, 'main.ts');
/** Far longer than the longest row on a slow machine. */
const PATIENCE_MS = 900_000;

/** What the process is told: which row, which way, and where its result goes. */
export interface Task {
  readonly id: string;
  readonly way: Way;
  readonly to: string;
}

export interface Played {
  readonly result: Result;
  /** What it printed: evidence, when something did not hold. */
  readonly output: string;
}

/** In the process of its own. */
export async function playHere({ id, way, to }: Task): Promise<void> {
  insideOwnNamespaces(PROGRAM, ['--pid', '--mount-proc']);
  const row = ROWS.find((one) => one.id === id);
  const trial = TRIALS.find((one) => one.id === id);
  if (row) writeFileSync(to, JSON.stringify(await playRow(row, way)));
  else if (trial) writeFileSync(to, JSON.stringify(await playTrial(trial)));
  else throw new Error(`"${id}" is no row`);
}

/** In the process that waits for it. A row that does not end, or ends without a result, has failed. */
export async function playApart(id: string, way: Way): Promise<Played> {
  const folder = mkdtempSync(join(tmpdir(), 'throughway-interop-'));
  const to = join(folder, 'result.json');
  const began = performance.now();
  const { output, status } = await runNode([PROGRAM, '--play', id, '--way', way, '--to', to]);
  try {
    if (status === 0) return { result: JSON.parse(readFileSync(to, 'utf8')) as Result, output };
    const note = `its process ended with ${status ?? 'a signal'}: ${output.trim().split('\n').at(-1)}`;
    const seconds = Math.round((performance.now() - began) / 1000);
    return {
      result: { id, way, stages: [{ stage: 'play', holds: false, note }], rates: [], seconds },
      output,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function runNode(args: readonly string[]): Promise<{ output: string; status: number | null }> {
  return new Promise((resolve) => {
    // It ends with this process, however that ends.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const timer = setTimeout(() => {
      output += `\nnot over after ${PATIENCE_MS / 1000} s`;
      child.kill('SIGKILL');
    }, PATIENCE_MS);
    child.once('error', (error) => resolve({ output: error.message, status: 127 }));
    child.once('close', (status) => {
      clearTimeout(timer);
      resolve({ output, status });
    });
  });
}
