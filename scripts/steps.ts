// Runs the parts of a check as programs, prints a line for each, and keeps the count that the last
// line of `npm test` gives. A part's output is shown only when it failed.
import { spawn } from 'node:child_process';

export interface Step {
  readonly name: string;
  readonly command: readonly string[];
  /** How many tests were in it, read from its output; 1 unless it says otherwise. */
  readonly count?: (output: string) => { passed: number; failed: number } | null;
  /** Shows the output while it comes. */
  readonly live?: boolean;
}

export interface Tally {
  passed: number;
  failed: number;
}

/** Exit status of a part that this system forbids, which is said and not counted. */
const FORBIDDEN = 77;

export async function runStep(step: Step, tally: Tally): Promise<void> {
  const began = performance.now();
  const { status, output } = await runProgram(step);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  if (status === FORBIDDEN) {
    const why = step.live ? output.trim().split('\n').at(-1)! : output.trim();
    process.stdout.write(`left out  ${step.name}: ${why}\n`);
    return;
  }
  const counted = step.count?.(output) ?? { passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1 };
  // A program that fails without naming a failed test has failed all the same.
  if (status !== 0 && counted.failed === 0) counted.failed = 1;
  tally.passed += counted.passed;
  tally.failed += counted.failed;
  const what =
    counted.passed + counted.failed > 1 ? ` (${counted.passed} passed, ${counted.failed} failed)` : '';
  process.stdout.write(`${status === 0 ? 'ok     ' : 'FAILED '}   ${step.name}${what}, ${seconds} s\n`);
  if (status !== 0 && !step.live) process.stdout.write(output);
}

function runProgram({ command, live }: Step): Promise<{ status: number; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (live) process.stdout.write(chunk);
      });
    }
    child.once('error', (error) => resolve({ status: 1, output: error.message }));
    child.once('close', (status) => resolve({ status: status ?? 1, output }));
  });
}

/** The last line, and the exit status that goes with it. */
export function tellTally({ passed, failed }: Tally): void {
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}

/** The last `N passed, N failed` of an output. */
export function countOf(output: string): Tally | null {
  const last = [...output.matchAll(/^(\d+) passed, (\d+) failed$/gm)].at(-1);
  return last ? { passed: Number(last[1]), failed: Number(last[2]) } : null;
}
