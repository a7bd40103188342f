// A change that could cut the administrator off is in force on probation: unless it is confirmed in time, the
// former text comes back. What is on probation stands in the state directory, so a daemon that dies or is
// restarted goes on counting, and a machine that is restarted begins with the former text: whoever cut
// themselves off pulls the plug.
import { readFileSync } from 'node:fs';
import { stageConfigText, readConfigText, type StateDirectory } from '../files.ts';

const FILE = 'probation.json';

export interface Probation {
  /** What comes back, and what is on probation. */
  readonly former: string;
  readonly text: string;
  readonly who: string;
  readonly what: string;
  /** The boot in which it began, and on its monotonic clock, when it ends. */
  readonly boot: string;
  readonly endsAtMs: number;
}

/** The same for all processes, and nobody sets it. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** Whether it is safely on the disk. */
export function keepProbation(state: StateDirectory, probation: Probation): boolean {
  const text = JSON.stringify(probation);
  state.write(FILE, text);
  return state.read(FILE) === text;
}

export function forgetProbation(state: StateDirectory): void {
  state.remove(FILE);
}

export function readProbation(state: StateDirectory): Probation | null {
  const text = state.read(FILE);
  if (text === null) return null;
  try {
    const { former, text: applied, who, what, boot, endsAtMs } = JSON.parse(text) as Probation;
    if ([former, applied, who, what, boot].some((one) => typeof one !== 'string')) return null;
    return Number.isFinite(endsAtMs) ? { former, text: applied, who, what, boot, endsAtMs } : null;
  } catch {
    return null;
  }
}

/**
 * Before the configuration is read at a start: what is over brings the former text back. A sentence when
 * it did. Throws Failure when the file cannot be written.
 */
export function endProbationAtStart(state: StateDirectory, configPath: string): string | null {
  const probation = readProbation(state);
  if (probation === null) return null;
  const isRunning = probation.boot === bootId() && probation.endsAtMs > monotonicMs();
  if (isRunning) return null;
  const wasEdited = readConfigText(configPath) !== probation.text;
  if (!wasEdited) stageConfigText(configPath, probation.former).commit();
  forgetProbation(state);
  return wasEdited
    ? null
    : `The change of ${probation.what} by ${probation.who} was not confirmed in time, so the former configuration is in force again.`;
}
