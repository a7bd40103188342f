// The administrators' database: accounts, log-ins, tokens and the configuration's history, in an SQLite file
// of the state directory that only root reads. A file that is broken is moved aside and begun anew; where
// none can be kept it is in memory, and that is told. Times are milliseconds since 1970.
import { chmodSync, mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { Failure, reasonOf } from '../failure.ts';

export type Value = string | number | null;
export type Row = Readonly<Record<string, Value>>;

/** Each brings a file from one version to the next; none is ever changed once it was released. */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE users (name TEXT PRIMARY KEY COLLATE NOCASE, password TEXT NOT NULL, totp_secret TEXT,
     totp_offer TEXT, totp_last INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL, last_login_at INTEGER);
   CREATE TABLE recovery_codes (user TEXT NOT NULL COLLATE NOCASE, hash TEXT NOT NULL);
   CREATE TABLE logins (id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, user TEXT NOT NULL COLLATE NOCASE,
     address TEXT NOT NULL, agent TEXT NOT NULL, created_at INTEGER NOT NULL, last_used_at INTEGER NOT NULL);
   CREATE TABLE tokens (id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, name TEXT NOT NULL, scope TEXT NOT NULL,
     created_at INTEGER NOT NULL, last_used_at INTEGER);
   CREATE TABLE versions (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, who TEXT NOT NULL,
     what TEXT NOT NULL, text TEXT NOT NULL);`,
];

/** Kept in the file as SQLite's `user_version`. */
export const ADMIN_VERSION = MIGRATIONS.length;

export class AdminDatabase {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #statements = new Map<string, StatementSync>();

  /** `onTrouble` gets a sentence when nothing can be kept, or a broken file was moved aside. */
  constructor(path: string, onTrouble: (sentence: string) => void) {
    this.#path = path;
    this.#db = open(path, onTrouble);
  }

  rows(sql: string, ...values: Value[]): Row[] {
    return this.#attempt(() => this.#statement(sql).all(...values)) as Row[];
  }

  row(sql: string, ...values: Value[]): Row | null {
    return (this.#attempt(() => this.#statement(sql).get(...values)) as Row | undefined) ?? null;
  }

  /** How many rows it changed. */
  change(sql: string, ...values: Value[]): number {
    return Number(this.#attempt(() => this.#statement(sql).run(...values)).changes);
  }

  /** All of it or nothing. */
  together<T>(work: () => T): T {
    this.#attempt(() => this.#db.exec('BEGIN IMMEDIATE'));
    try {
      const done = work();
      this.#attempt(() => this.#db.exec('COMMIT'));
      return done;
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  close(): void {
    this.#db.close();
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const made = this.#db.prepare(sql);
    this.#statements.set(sql, made);
    return made;
  }

  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw new Failure(
        'state-unwritable',
        `The database "${this.#path}" cannot be used (${reasonOf(error)}), so nothing was changed. Make room, or make its folder writable.`,
      );
    }
  }
}

function open(path: string, onTrouble: (sentence: string) => void): DatabaseSync {
  try {
    return openFile(path);
  } catch (first) {
    try {
      renameSync(path, `${path}.broken`);
      const db = openFile(path);
      onTrouble(
        `The database of accounts was broken (${reasonOf(first)}); it was moved to "${path}.broken" and begun anew. Make the first account again, or restore a backup.`,
      );
      return db;
    } catch {
      onTrouble(
        `The database of accounts "${path}" cannot be used (${reasonOf(first)}): accounts and the configuration's history last only until the daemon ends. Make room, or make its folder writable.`,
      );
      return prepared(new DatabaseSync(':memory:'));
    }
  }
}

function openFile(path: string): DatabaseSync {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const db = new DatabaseSync(path);
  try {
    chmodSync(path, 0o600);
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    return prepared(db);
  } catch (error) {
    db.close();
    throw error;
  }
}

function prepared(db: DatabaseSync): DatabaseSync {
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
  if (version > ADMIN_VERSION) throw new Error(`version ${version} is of a newer Throughway`);
  for (const [index, sql] of MIGRATIONS.entries())
    if (index >= version) db.exec(`BEGIN; ${sql} PRAGMA user_version = ${index + 1}; COMMIT`);
  return db;
}
