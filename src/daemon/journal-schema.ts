// The tables of the journal, as migrations: each brings a file from one version to the next, and none
// is ever changed once it was released.
import type { DatabaseSync } from 'node:sqlite';

const MIGRATIONS: readonly string[] = [
  `CREATE TABLE sessions (id INTEGER PRIMARY KEY, ended_at INTEGER, record TEXT NOT NULL);
   CREATE INDEX sessions_ended ON sessions (ended_at);
   CREATE TABLE history (session INTEGER NOT NULL, at INTEGER NOT NULL, what TEXT NOT NULL);
   CREATE INDEX history_session ON history (session);
   CREATE TABLE events (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, level TEXT NOT NULL,
     what TEXT NOT NULL, session TEXT, device TEXT);
   CREATE TABLE devices (id TEXT PRIMARY KEY, given_name TEXT, last_seen INTEGER NOT NULL, facts TEXT NOT NULL);`,
];

/** Kept in the file as SQLite's `user_version`. */
export const JOURNAL_VERSION = MIGRATIONS.length;

/** Brings a file of `version` to the latest, in one transaction for each step. */
export function migrateJournal(db: DatabaseSync, version: number): void {
  for (const [index, sql] of MIGRATIONS.entries()) {
    if (index < version) continue;
    db.exec(`BEGIN; ${sql} PRAGMA user_version = ${index + 1}; COMMIT`);
  }
}
