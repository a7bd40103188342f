// What an upgrade could spoil is kept beside it: when another version starts on the same state, it first
// copies the configuration and the journal that the former one left, so that going back loses nothing.
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { StateDirectory } from './files.ts';
import { readConfigText } from './files.ts';

const VERSION_FILE = 'version';
/** Copies of more versions than one goes back to are of no use, and the disk may be small. */
const MOST_VERSIONS = 3;
const COPY = /^(?:config|journal)-of-(.+)\.(?:yaml|sqlite)$/;

export interface Upgrade {
  readonly from: string;
  /** The names of the copies in the state directory. */
  readonly copies: readonly string[];
}

/** Before anything else is read or written there. Null when the same version ran last, or none. Never throws. */
export function keepBeforeUpgrade(
  state: StateDirectory,
  configPath: string,
  journalPath: string,
  running: string,
): Upgrade | null {
  const from = state.read(VERSION_FILE)?.trim() ?? null;
  if (from === running) return null;
  // The name of a file is made from it.
  const isUpgrade = from !== null && /^[\w.+~-]{1,64}$/.test(from);
  const copies = isUpgrade
    ? [copyConfig(state, configPath, from), copyJournal(state, journalPath, from)].filter(
        (one) => one !== null,
      )
    : [];
  state.write(VERSION_FILE, `${running}\n`);
  if (!isUpgrade) return null;
  forgetOldest(state);
  return { from, copies };
}

function copyConfig(state: StateDirectory, path: string, from: string): string | null {
  try {
    const name = `config-of-${from}.yaml`;
    state.write(name, readConfigText(path));
    return name;
  } catch {
    return null;
  }
}

/** By SQLite itself, which takes what is still in the log beside the file along. */
function copyJournal(state: StateDirectory, path: string, from: string): string | null {
  if (!existsSync(path)) return null;
  const name = `journal-of-${from}.sqlite`;
  try {
    rmSync(join(state.path, name), { force: true });
    const db = new DatabaseSync(path);
    try {
      db.prepare('VACUUM INTO ?').run(join(state.path, name));
    } finally {
      db.close();
    }
    return name;
  } catch {
    // A broken journal is moved aside by whoever opens it.
    rmSync(join(state.path, name), { force: true });
    return null;
  }
}

function forgetOldest(state: StateDirectory): void {
  const changed = (name: string): number => statSync(join(state.path, name)).mtimeMs;
  const byVersion = Map.groupBy(
    readdirSync(state.path).filter((name) => COPY.test(name)),
    (name) => COPY.exec(name)![1]!,
  );
  const latestFirst = [...byVersion.values()].sort(
    (a, b) => Math.max(...b.map(changed)) - Math.max(...a.map(changed)),
  );
  for (const name of latestFirst.slice(MOST_VERSIONS).flat()) state.remove(name);
}
