// What a request proves itself with: the cookie of a log-in, which ends when it is idle or revoked, or a
// token of a program. Only fingerprints of either are kept.
import { randomBytes } from 'node:crypto';
import type { Login, MadeToken, Token } from '../api/account.ts';
import { Failure } from '../failure.ts';
import type { AdminDatabase, Row } from './database.ts';
import { fingerprint, makeSecret } from './passwords.ts';

/** However busy: a stolen cookie must not live for ever. */
const MOST_AGE_MS = 7 * 86_400_000;
/** Writing each use down would write to the disk with each request. */
const NOTED_EVERY_MS = 30_000;
const MOST_LOGINS_OF_USER = 32;
const MOST_TOKENS = 64;
const MOST_AGENT = 200;
/** So that a token in a file or a log can be recognised as one. */
const TOKEN_MARK = 'tw_';

export interface LoginKey {
  readonly id: string;
  readonly user: string;
}

export interface TokenKey {
  readonly id: string;
  readonly name: string;
  readonly scope: 'read' | 'full';
}

export interface KeysOptions {
  readonly database: AdminDatabase;
  readonly idleMs: () => number;
  /** What the key had opened is to be closed. */
  readonly onEnded: (id: string) => void;
  readonly now?: () => number;
}

export class Keys {
  readonly #options: KeysOptions;
  readonly #db: AdminDatabase;
  readonly #now: () => number;

  constructor(options: KeysOptions) {
    this.#options = options;
    this.#db = options.database;
    this.#now = options.now ?? Date.now;
  }

  /** The cookie's value. */
  logIn(user: string, address: string, agent: string): { secret: string; id: string } {
    const secret = makeSecret();
    const id = randomBytes(9).toString('base64url');
    const now = this.#now();
    this.#dropOld();
    this.#db.change(
      'INSERT INTO logins (id, hash, user, address, agent, created_at, last_used_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
      id,
      fingerprint(secret),
      user,
      address,
      agent.slice(0, MOST_AGENT),
      now,
      now,
    );
    const surplus = this.#db.rows(
      'SELECT id FROM logins WHERE user = ? ORDER BY last_used_at DESC, rowid DESC LIMIT -1 OFFSET ?',
      user,
      MOST_LOGINS_OF_USER,
    );
    for (const row of surplus) this.endLogin(String(row['id']));
    return { secret, id };
  }

  findLogin(secret: string): LoginKey | null {
    const row = this.#db.row('SELECT * FROM logins WHERE hash = ?', fingerprint(secret));
    if (!row) return null;
    if (this.#isOld(row)) {
      this.endLogin(String(row['id']));
      return null;
    }
    this.#noteUse('logins', row);
    return { id: String(row['id']), user: String(row['user']) };
  }

  logins(current: string | null): Login[] {
    this.#dropOld();
    return this.#db.rows('SELECT * FROM logins ORDER BY last_used_at DESC, rowid DESC').map((row) => ({
      id: String(row['id']),
      user: String(row['user']),
      address: String(row['address']),
      agent: String(row['agent']),
      created_at: time(row['created_at']),
      last_used_at: time(row['last_used_at']),
      current: row['id'] === current,
    }));
  }

  endLogin(id: string): void {
    if (this.#db.change('DELETE FROM logins WHERE id = ?', id) === 0)
      throw new Failure('not-found', `There is no log-in ${JSON.stringify(id)}; perhaps it has ended.`);
    this.#options.onEnded(id);
  }

  endLoginsOf(user: string, except: string | null): void {
    for (const { id } of this.logins(null).filter((one) => one.user === user))
      if (id !== except) this.endLogin(id);
  }

  makeToken(name: string, scope: 'read' | 'full'): MadeToken {
    const tokens = this.tokens();
    if (tokens.length >= MOST_TOKENS)
      throw new Failure('busy', `There are ${MOST_TOKENS} tokens, the most there can be. Revoke one first.`);
    if (tokens.some((one) => one.name === name)) {
      throw new Failure('exists', `There is a token "${name}" already.`, [
        {
          path: 'name',
          message: `"${name}" is taken`,
          hint: 'Take another name, or revoke that token first',
        },
      ]);
    }
    const token = `${TOKEN_MARK}${makeSecret()}`;
    const id = randomBytes(9).toString('base64url');
    this.#db.change(
      'INSERT INTO tokens (id, hash, name, scope, created_at) VALUES (?, ?, ?, ?, ?)',
      id,
      fingerprint(token),
      name,
      scope,
      this.#now(),
    );
    return { id, token };
  }

  findToken(token: string): TokenKey | null {
    if (!token.startsWith(TOKEN_MARK)) return null;
    const row = this.#db.row('SELECT * FROM tokens WHERE hash = ?', fingerprint(token));
    if (!row) return null;
    this.#noteUse('tokens', row);
    return {
      id: String(row['id']),
      name: String(row['name']),
      scope: row['scope'] === 'full' ? 'full' : 'read',
    };
  }

  tokens(): Token[] {
    return this.#db.rows('SELECT * FROM tokens ORDER BY created_at, rowid').map((row) => ({
      id: String(row['id']),
      name: String(row['name']),
      scope: row['scope'] === 'full' ? 'full' : 'read',
      created_at: time(row['created_at']),
      last_used_at: row['last_used_at'] === null ? null : time(row['last_used_at']),
    }));
  }

  /** By its id, or by its name. */
  revokeToken(which: string): void {
    const row = this.#db.row(
      'SELECT id FROM tokens WHERE id = ? OR name = ? ORDER BY id = ? DESC',
      which,
      which,
      which,
    );
    if (!row)
      throw new Failure(
        'not-found',
        `There is no token ${JSON.stringify(which)}. "throughway token list" lists them.`,
      );
    this.#db.change('DELETE FROM tokens WHERE id = ?', String(row['id']));
    this.#options.onEnded(String(row['id']));
  }

  /** What these had opened is closed. */
  closeTokens(ids: readonly string[]): void {
    for (const id of ids) this.#options.onEnded(id);
  }

  #isOld(row: Row): boolean {
    const now = this.#now();
    const idle = now - Number(row['last_used_at']);
    // What was used lately may not be written down yet.
    return idle > this.#options.idleMs() + NOTED_EVERY_MS || now - Number(row['created_at']) > MOST_AGE_MS;
  }

  #dropOld(): void {
    for (const row of this.#db.rows('SELECT * FROM logins'))
      if (this.#isOld(row)) this.endLogin(String(row['id']));
  }

  #noteUse(table: 'logins' | 'tokens', row: Row): void {
    const now = this.#now();
    if (row['last_used_at'] !== null && now - Number(row['last_used_at']) < NOTED_EVERY_MS) return;
    try {
      this.#db.change(`UPDATE ${table} SET last_used_at = ? WHERE id = ?`, now, String(row['id']));
    } catch {
      // A full disk must not lock the administrator out.
    }
  }
}

const time = (value: string | number | null | undefined): string => new Date(Number(value)).toISOString();
