// Which configuration the daemon runs on: the operator's, or the last good one when that is broken.
import { parseConfig } from '../core/config/document.ts';
import type { Problem } from '../core/config/problem.ts';
import type { Config } from '../core/config/schema.ts';
import { Failure } from './failure.ts';
import { readConfigText, type StateDirectory } from './files.ts';

/** The file of the state directory that holds the text last in force. */
export const LAST_GOOD = 'last-good.yaml';

/** Reads the configuration, or the last good one when it is broken. Throws Failure when there is neither. */
export function loadConfig(path: string, state: StateDirectory): { config: Config; problems: Problem[] } {
  let failure: Failure;
  try {
    const read = parseConfig(readConfigText(path));
    if ('config' in read) return { config: read.config, problems: [] };
    const count = read.problems.length === 1 ? 'a problem' : `${read.problems.length} problems`;
    failure = new Failure('config-invalid', `The configuration "${path}" has ${count}.`, read.problems);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    failure = error;
  }
  const kept = state.read(LAST_GOOD);
  const lastGood = kept === null ? null : parseConfig(kept);
  if (lastGood === null || 'problems' in lastGood) throw failure;
  if (failure.problems.length > 0) return { config: lastGood.config, problems: [...failure.problems] };
  // What happened and what to do are two sentences there.
  const end = failure.message.lastIndexOf('. ');
  const problem = { message: failure.message.slice(0, end), hint: failure.message.slice(end + 2, -1) };
  return { config: lastGood.config, problems: [{ path: '', ...problem }] };
}
