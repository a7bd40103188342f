// The configurations that were in force, each with who brought it and what it changed.
import type { Version } from '../api/config.ts';
import { diffTexts } from '../../core/config/text-diff.ts';
import { Failure } from '../failure.ts';
import type { AdminDatabase } from './database.ts';

/** Two years of a change a week. */
const MOST_VERSIONS = 100;

export class ConfigHistory {
  readonly #db: AdminDatabase;
  readonly #now: () => number;

  constructor(database: AdminDatabase, now: () => number = Date.now) {
    this.#db = database;
    this.#now = now;
  }

  /** A text that is the latest already is no new version. */
  note(text: string, who: string, what: string): void {
    if (this.latest() === text) return;
    this.#db.change(
      'INSERT INTO versions (at, who, what, text) VALUES (?, ?, ?, ?)',
      this.#now(),
      who,
      what,
      text,
    );
    this.#db.change(
      'DELETE FROM versions WHERE id <= (SELECT id FROM versions ORDER BY id DESC LIMIT 1 OFFSET ?)',
      MOST_VERSIONS,
    );
  }

  latest(): string | null {
    const row = this.#db.row('SELECT text FROM versions ORDER BY id DESC LIMIT 1');
    return row === null ? null : String(row['text']);
  }

  /** Newest first. */
  list(): Version[] {
    return this.#db.rows('SELECT id, at, who, what FROM versions ORDER BY id DESC').map((row) => ({
      id: Number(row['id']),
      at: new Date(Number(row['at'])).toISOString(),
      who: String(row['who']),
      what: String(row['what']),
    }));
  }

  text(id: number): string {
    const row = this.#db.row('SELECT text FROM versions WHERE id = ?', id);
    if (row) return String(row['text']);
    throw new Failure(
      'not-found',
      `There is no version ${id} of the configuration. "throughway config history" lists them.`,
    );
  }

  /** What the version changed, as a unified diff against the one before it. */
  diff(id: number): string {
    const text = this.text(id);
    const before = this.#db.row('SELECT id, text FROM versions WHERE id < ? ORDER BY id DESC LIMIT 1', id);
    const name = before === null ? 'nothing' : `version ${before['id']}`;
    return diffTexts(before === null ? '' : String(before['text']), text, [name, `version ${id}`]);
  }
}
