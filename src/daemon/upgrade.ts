// What an upgrade could spoil is kept beside it: when another version starts on the same state, it first
// copies the configuration and the databases that the former one left. Going back, a database of a newer format is
// put aside, and the copy that this version left is in use again.
import { chmodSync, copyFileSync, existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ADMIN_VERSION } from './admin/database.ts';
import type { StateDirectory } from './files.ts';
import { readConfigText } from './files.ts';
import { JOURNAL_VERSION } from './journal-schema.ts';

const VERSION_FILE = 'version';
/** Copies of more versions than one goes back to are of no use, and the disk may be small. */
const MOST_VERSIONS = 3;
const COPY = /^(?:config|journal|admin)-of-(.+)\.(?:yaml|sqlite)$/;

/** The databases, what a person calls them, the format that this program writes, and what to do when one is new. */
const DATABASES = [
  { name: 'journal', what: 'journal', format: JOURNAL_VERSION, anew: 'the history is not shown' },
  {
    name: 'admin',
    what: 'database of accounts',
    format: ADMIN_VERSION,
    anew: 'make the first account again, or restore a backup',
  },
] as const;

export interface Upgrade {
  readonly from: string;
  /** The names of the copies in the state directory. */
  readonly copies: readonly string[];
}

/** Before anything else is read or written there. Null when the same version ran last, or none. Never throws. */
export function keepBeforeUpgrade(
  state: StateDirectory,
  configPath: string,
  running: string,
): Upgrade | null {
  const from = state.read(VERSION_FILE)?.trim() ?? null;
  if (from === running) return null;
  // The name of a file is made from it.
  const isUpgrade = from !== null && /^[\w.+~-]{1,64}$/.test(from);
  const copies = isUpgrade
    ? [
        copyConfig(state, configPath, from),
        ...DATABASES.map(({ name }) => copyDatabase(state, name, from)),
      ].filter((one) => one !== null)
    : [];
  state.write(VERSION_FILE, `${running}\n`);
  if (!isUpgrade) return null;
  forgetOldest(state);
  return { from, copies };
}

/**
 * Puts databases of a newer format aside, as after a downgrade; returns a sentence for each. Before anything opens
 * them. Never throws: what cannot be opened here is for whoever opens it next.
 */
export function takeBackAfterDowngrade(state: StateDirectory, running: string): string[] {
  return DATABASES.flatMap(({ name, what, format, anew }) => {
    const path = join(state.path, `${name}.sqlite`);
    try {
      if (!existsSync(path)) return [];
      const found = formatOf(path);
      if (found <= format) return [];
      const aside = join(state.path, `${name}.newer.sqlite`);
      renameSync(path, aside);
      const said = `The ${what} is of a newer Throughway (format ${found}; version ${running} reads up to ${format}), so it was put aside as "${aside}"`;
      const copy = join(state.path, `${name}-of-${running}.sqlite`);
      if (!existsSync(copy))
        return [`${said} and a new one is begun: ${anew}. Or install the newer version again.`];
      copyFileSync(copy, path);
      chmodSync(path, 0o600);
      return [`${said}, and the one that version ${running} left is in use again.`];
    } catch {
      return [];
    }
  });
}

/** The format of a database, with all in its file that stood beside it in the log. */
function formatOf(path: string): number {
  const db = new DatabaseSync(path);
  try {
    const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
    if (version > 0) db.exec('PRAGMA journal_mode = delete');
    return version;
  } finally {
    db.close();
  }
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
function copyDatabase(state: StateDirectory, database: string, from: string): string | null {
  const path = join(state.path, `${database}.sqlite`);
  if (!existsSync(path)) return null;
  const name = `${database}-of-${from}.sqlite`;
  try {
    rmSync(join(state.path, name), { force: true });
    const db = new DatabaseSync(path);
    try {
      db.prepare('VACUUM INTO ?').run(join(state.path, name));
    } finally {
      db.close();
    }
    chmodSync(join(state.path, name), 0o600);
    return name;
  } catch {
    // A broken one is moved aside by whoever opens it.
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
