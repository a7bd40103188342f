// The journal: sessions with their history, events and devices, in an SQLite file of the state
// directory, so that they outlive the daemon. Write-ahead logging with `synchronous = normal`: a power
// cut may lose the last seconds and never breaks the file. Nothing here may stop the gateway: when the
// disk is full the journal goes on in memory and returns to the disk later; a broken file is moved
// aside and begun anew. Both are said in `status`. Times are milliseconds since 1970.
import { closeSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { SessionRecord } from '../core/alg/session-record.ts';
import type { GatewayEvent } from './api/session.ts';
import { reasonOf } from './failure.ts';
import { migrateJournal, JOURNAL_VERSION } from './journal-schema.ts';

/** A month of ended sessions, as long as there are not too many. */
const SESSION_AGE_MS = 30 * 86_400_000;
const MOST_ENDED = 10_000;
/** A session that flaps for a year must not fill the disk: the first lines and the latest ones tell most. */
const MOST_LINES_OF_SESSION = 200;
const EVENT_AGE_MS = 90 * 86_400_000;
const MOST_EVENTS = 20_000;
const MOST_DEVICES = 4_096;
/** About 64 MB: ten thousand live and ten thousand ended sessions with their lines take half of it. */
const MOST_PAGES = 16_384;
/** While there is no disk, only what a small machine can spare. */
const MOST_PAGES_IN_MEMORY = 2_048;
/** Of lines that wait for the next write. */
const MOST_PENDING = 20_000;
const RETRY_DISK_MS = 30_000;
const PRUNE_EVERY_MS = 3_600_000;

// sqlite3.h: the file itself is damaged, as opposed to a disk that is full or cannot be written.
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

export interface HistoryLine {
  readonly at: number;
  readonly what: string;
}

/** An event before it has its number; times as everywhere here. */
export interface EventDraft {
  readonly at: number;
  readonly kind: GatewayEvent['kind'];
  readonly level: GatewayEvent['level'];
  readonly what: string;
  readonly session: string | null;
  readonly device: string | null;
}

export interface KeptEvent extends EventDraft {
  readonly id: number;
}

/** What is kept of a device; see devices.ts. */
export interface KeptDevice {
  readonly id: string;
  readonly givenName: string | null;
  readonly lastSeen: number;
  /** The rest, as JSON. */
  readonly facts: string;
}

type Row = Record<string, string | number | null>;
type Statement = readonly [sql: string, values: readonly (string | number | null)[]];

export interface JournalOptions {
  readonly path: string;
  /** A sentence for `status` while something is wrong, and null when it is right again. */
  readonly onTrouble: (sentence: string | null) => void;
  /** Those that live now, to begin anew with. */
  readonly live: () => Iterable<SessionRecord>;
  readonly now?: () => number;
}

export class Journal {
  readonly #options: JournalOptions;
  readonly #now: () => number;
  #db: DatabaseSync;
  #isOnDisk = false;
  #pendingSessions = new Map<number, () => SessionRecord>();
  #pending: Statement[] = [];
  #nextEventId: number;
  #retryAt = 0;
  #pruneAt = 0;
  /** Said once the file was moved aside, for as long as the daemon runs. */
  #movedAside: string | null = null;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#db = this.#open();
    this.#nextEventId = this.#number('SELECT max(id) AS value FROM events') + 1;
    this.#prune();
  }

  /** The number for the next new session. */
  nextSessionId(): number {
    return this.#number('SELECT max(id) AS value FROM sessions') + 1;
  }

  /** What had not ended when it was last written. */
  liveSessions(): SessionRecord[] {
    return this.#rows('SELECT record FROM sessions WHERE ended_at IS NULL ORDER BY id').flatMap(readRecord);
  }

  /** The latest first. */
  endedSessions(limit: number): SessionRecord[] {
    this.flush();
    return this.#rows(
      'SELECT record FROM sessions WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, id DESC LIMIT ?',
      limit,
    ).flatMap(readRecord);
  }

  session(id: number): SessionRecord | null {
    this.flush();
    return this.#rows('SELECT record FROM sessions WHERE id = ?', id).flatMap(readRecord)[0] ?? null;
  }

  /** Oldest first. */
  history(id: number): HistoryLine[] {
    this.flush();
    return this.#rows('SELECT at, what FROM history WHERE session = ? ORDER BY rowid', id).map((row) => ({
      at: Number(row['at']),
      what: String(row['what']),
    }));
  }

  /** Kept with the next `flush`, which asks for it then: ten thousand copies at once are a burden. */
  keepSession(id: number, record: () => SessionRecord): void {
    this.#pendingSessions.set(id, record);
  }

  /** A session that became part of another leaves nothing. */
  dropSession(id: number): void {
    this.#pendingSessions.delete(id);
    this.#add('DELETE FROM sessions WHERE id = ?', id);
    this.#add('DELETE FROM history WHERE session = ?', id);
  }

  addLine(session: number, at: number, what: string): void {
    this.#add('INSERT INTO history (session, at, what) VALUES (?, ?, ?)', session, at, what);
  }

  addEvent(draft: EventDraft): KeptEvent {
    const event = { id: this.#nextEventId, ...draft };
    this.#nextEventId += 1;
    const { id, at, kind, level, what, session, device } = event;
    this.#add(
      'INSERT OR REPLACE INTO events (id, at, kind, level, what, session, device) VALUES (?, ?, ?, ?, ?, ?, ?)',
      id,
      at,
      kind,
      level,
      what,
      session,
      device,
    );
    return event;
  }

  /** Those after `since`, oldest first; with more than `limit` the latest. */
  events(since: number, limit: number): KeptEvent[] {
    this.flush();
    const rows = this.#rows('SELECT * FROM events WHERE id > ? ORDER BY id DESC LIMIT ?', since, limit);
    return rows.toReversed() as unknown as KeptEvent[];
  }

  devices(): KeptDevice[] {
    return this.#rows(
      'SELECT id, given_name AS givenName, last_seen AS lastSeen, facts FROM devices',
    ) as unknown as KeptDevice[];
  }

  keepDevice({ id, givenName, lastSeen, facts }: KeptDevice): void {
    this.#add(
      'INSERT OR REPLACE INTO devices (id, given_name, last_seen, facts) VALUES (?, ?, ?, ?)',
      id,
      givenName,
      lastSeen,
      facts,
    );
  }

  dropDevice(id: string): void {
    this.#add('DELETE FROM devices WHERE id = ?', id);
  }

  get hasPending(): boolean {
    return this.#pending.length > 0 || this.#pendingSessions.size > 0;
  }

  /** Writes what waits, in one transaction. Never throws. */
  flush(): void {
    const now = this.#now();
    if (!this.#isOnDisk && now >= this.#retryAt) this.#returnToDisk();
    if (now >= this.#pruneAt) this.#prune();
    if (!this.hasPending) return;
    const statements = this.#pending;
    const sessions = this.#pendingSessions;
    this.#pending = [];
    this.#pendingSessions = new Map();
    try {
      this.#write(statements, sessions.values());
    } catch (error) {
      this.#recover(error);
      this.#tryWrite(statements, sessions.values());
    }
  }

  close(): void {
    this.flush();
    this.#db.close();
  }

  #add(sql: string, ...values: (string | number | null)[]): void {
    // Nobody writes so much between two flushes, unless something is wrong.
    if (this.#pending.length >= MOST_PENDING) this.#pending.splice(0, MOST_PENDING / 8);
    this.#pending.push([sql, values]);
  }

  #write(statements: readonly Statement[], sessions: Iterable<() => SessionRecord>): void {
    this.#db.exec('BEGIN');
    try {
      const prepared = new Map<string, ReturnType<DatabaseSync['prepare']>>();
      const run = (sql: string, values: readonly (string | number | null)[]): void => {
        let statement = prepared.get(sql);
        if (!statement) prepared.set(sql, (statement = this.#db.prepare(sql)));
        statement.run(...values);
      };
      for (const record of sessions) {
        const session = record();
        const { id, endedAt } = session;
        run('INSERT OR REPLACE INTO sessions (id, ended_at, record) VALUES (?, ?, ?)', [
          id,
          endedAt === null ? null : Math.round(endedAt),
          JSON.stringify(session),
        ]);
      }
      for (const [sql, values] of statements) run(sql, values);
      this.#db.exec('COMMIT');
    } catch (error) {
      try {
        this.#db.exec('ROLLBACK');
      } catch {
        // Some errors roll back by themselves.
      }
      throw error;
    }
  }

  /** What cannot be written now is given up: the gateway matters more than its history. */
  #tryWrite(statements: readonly Statement[], sessions: Iterable<() => SessionRecord>): void {
    try {
      this.#write(statements, sessions);
    } catch {
      // `status` says it already.
    }
  }

  #rows(sql: string, ...values: (string | number)[]): Row[] {
    try {
      return this.#db.prepare(sql).all(...values) as Row[];
    } catch (error) {
      this.#recover(error);
      return [];
    }
  }

  #number(sql: string): number {
    return Number(this.#rows(sql)[0]?.['value'] ?? 0);
  }

  /** The file if it can be used, a new one if it is broken, else memory. */
  #open(): DatabaseSync {
    try {
      return this.#openFile();
    } catch (error) {
      if (isBroken(error)) {
        try {
          return this.#beginAnew(reasonOf(error));
        } catch (another) {
          return this.#openMemory(another);
        }
      }
      return this.#openMemory(error);
    }
  }

  #openFile(): DatabaseSync {
    const { path } = this.#options;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // SQLite gives the files beside it the same permissions.
    closeSync(openSync(path, 'a', 0o600));
    const db = new DatabaseSync(path, { timeout: 1_000 });
    try {
      db.exec('PRAGMA journal_mode = wal; PRAGMA synchronous = normal; PRAGMA journal_size_limit = 4194304');
      db.exec(`PRAGMA max_page_count = ${MOST_PAGES}`);
      const check = db.prepare('PRAGMA quick_check(1)').get() as Row;
      if (check['quick_check'] !== 'ok') throw new BrokenJournal(String(check['quick_check']));
      const version = Number((db.prepare('PRAGMA user_version').get() as Row)['user_version']);
      if (version > JOURNAL_VERSION) {
        throw new BrokenJournal(`it is of version ${version}, and this program knows ${JOURNAL_VERSION}`);
      }
      migrateJournal(db, version);
    } catch (error) {
      db.close();
      throw error;
    }
    this.#isOnDisk = true;
    this.#options.onTrouble(this.#movedAside);
    return db;
  }

  #openMemory(error: unknown): DatabaseSync {
    this.#isOnDisk = false;
    this.#retryAt = this.#now() + RETRY_DISK_MS;
    const db = new DatabaseSync(':memory:');
    db.exec(`PRAGMA max_page_count = ${MOST_PAGES_IN_MEMORY}`);
    migrateJournal(db, 0);
    this.#options.onTrouble(
      `The journal "${this.#options.path}" cannot be written (${reasonOf(error)}): traffic passes, but sessions, events and names of devices are kept only until the daemon ends. Make room or make the folder writable; it is tried again every ${RETRY_DISK_MS / 1000} seconds.`,
    );
    return db;
  }

  #beginAnew(reason: string): DatabaseSync {
    const { path } = this.#options;
    const aside = path.replace(/\.sqlite$/, '.broken.sqlite');
    for (const suffix of ['-wal', '-shm']) {
      rmSync(`${aside}${suffix}`, { force: true });
      rmSync(`${path}${suffix}`, { force: true });
    }
    renameSync(path, aside);
    this.#movedAside = `The journal was broken (${reason}), so it was moved to "${aside}" and a new one was begun: traffic passes, but the history before that is not shown. Delete that file when you do not need it.`;
    return this.#openFile();
  }

  /** After an error of the present database: another one, with all that lives. */
  #recover(error: unknown): void {
    try {
      this.#db.close();
    } catch {
      // It could not be used any more anyway.
    }
    try {
      this.#db = isBroken(error) ? this.#beginAnew(reasonOf(error)) : this.#openMemory(error);
    } catch (another) {
      this.#db = this.#openMemory(another);
    }
    this.#tryWrite(
      [],
      Array.from(this.#options.live(), (session) => () => session),
    );
  }

  /** What was written into memory meanwhile is added to the file. */
  #returnToDisk(): void {
    this.#retryAt = this.#now() + RETRY_DISK_MS;
    const memory = this.#db;
    let disk: DatabaseSync;
    try {
      disk = this.#openFile();
    } catch (error) {
      if (isBroken(error)) this.#recover(error);
      return;
    }
    this.#db = disk;
    try {
      for (const table of ['sessions', 'history', 'events', 'devices']) {
        const rows = memory.prepare(`SELECT * FROM ${table}`).all() as Row[];
        if (rows.length === 0) continue;
        const columns = Object.keys(rows[0]!);
        const sql = `INSERT OR REPLACE INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`;
        const statements = rows.map((row): Statement => [sql, columns.map((column) => row[column]!)]);
        this.#write(statements, []);
      }
      memory.close();
    } catch (error) {
      disk.close();
      this.#db = memory;
      this.#isOnDisk = false;
      this.#options.onTrouble(
        `The journal "${this.#options.path}" still cannot be written (${reasonOf(error)}): traffic passes, but sessions, events and names of devices are kept only until the daemon ends. Make room or make the folder writable.`,
      );
    }
  }

  #prune(): void {
    const now = this.#now();
    this.#pruneAt = now + PRUNE_EVERY_MS;
    const oldest = `SELECT id FROM sessions WHERE ended_at IS NOT NULL AND (ended_at < ${now - SESSION_AGE_MS} OR id IN (SELECT id FROM sessions WHERE ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT -1 OFFSET ${MOST_ENDED}))`;
    try {
      this.#db.exec(`BEGIN;
        DELETE FROM sessions WHERE id IN (${oldest});
        DELETE FROM history WHERE session NOT IN (SELECT id FROM sessions);
        DELETE FROM history WHERE rowid IN (
          SELECT rowid FROM (SELECT rowid, row_number() OVER (PARTITION BY session ORDER BY rowid DESC) AS place FROM history)
          WHERE place > ${MOST_LINES_OF_SESSION});
        DELETE FROM events WHERE at < ${now - EVENT_AGE_MS}
          OR id <= (SELECT coalesce(max(id), 0) - ${MOST_EVENTS} FROM events);
        DELETE FROM devices WHERE id IN (SELECT id FROM devices WHERE given_name IS NULL
          ORDER BY last_seen DESC LIMIT -1 OFFSET ${MOST_DEVICES});
        COMMIT`);
    } catch (error) {
      this.#recover(error);
    }
  }
}

class BrokenJournal extends Error {}

function isBroken(error: unknown): boolean {
  if (error instanceof BrokenJournal) return true;
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === 'number' && [SQLITE_CORRUPT, SQLITE_NOTADB].includes(code & 0xff);
}

/** What cannot be read is left out: it is history. */
function readRecord(row: Row): SessionRecord[] {
  try {
    return [JSON.parse(String(row['record'])) as SessionRecord];
  } catch {
    return [];
  }
}
