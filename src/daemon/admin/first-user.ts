// The first account without anybody at a page: a file beside the configuration, such as an installer writes,
// is read once at the start and then removed. Knows nothing of how passwords are kept.
import { rmSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { renderProblem } from '../../core/config/problem.ts';
import { newUserSchema } from '../api/account.ts';
import { readPart } from '../api/route.ts';
import { Failure, reasonOf } from '../failure.ts';
import type { Accounts } from './accounts.ts';

const FILE = 'first-user.yaml';
/** Of the file's mode: who else may read the password. */
const OTHERS_MAY_READ = 0o004;

/** Resolves to a sentence of what was done, what is wrong with the file, or null when there is none. */
export async function createFirstUser(
  accounts: Accounts,
  configPath: string,
): Promise<{ level: 'info' | 'warn'; sentence: string } | null> {
  const path = join(dirname(configPath), FILE);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) return null;
  const wrong = (reason: string) =>
    ({ level: 'warn', sentence: `The file "${path}" makes no account: ${reason}` }) as const;
  if (!accounts.isFirstRun) return wrong('there is one already. Remove the file.');
  if ((stats.mode & OTHERS_MAY_READ) !== 0)
    return wrong(`everybody may read it. Write it anew with another password, and: chmod 600 ${path}`);
  try {
    const { name, password } = readPart('body', newUserSchema, parse(readFileSync(path, 'utf8'))) as {
      name: string;
      password: string;
    };
    await accounts.add(name, password);
    rmSync(path);
    return {
      level: 'info',
      sentence: `The first account "${name}" was made from "${path}", which is removed.`,
    };
  } catch (error) {
    const problems = error instanceof Failure ? error.problems.map(renderProblem).join(' ') : '';
    return wrong(problems === '' ? reasonOf(error) : problems);
  }
}
