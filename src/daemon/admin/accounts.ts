// Accounts: who there is, how they log in and what proves it. There is no default password: the first
// account is made with a one-time code that the daemon prints. Knows no HTTP.
import type { LogIn, TotpOffer, User } from '../api/account.ts';
import type { Problem } from '../../core/config/problem.ts';
import { Failure } from '../failure.ts';
import type { AdminDatabase, Row } from './database.ts';
import { LockOut } from './lock-out.ts';
import { fingerprint, hashPassword, isPassword, isSameCode, makeCode, plainCode } from './passwords.ts';
import { makeTotpSecret, totpUri, verifyTotp } from './totp.ts';

const MOST_USERS = 32;
const RECOVERY_CODES = 10;
const FIRST_RUN_LETTERS = 8;
const RECOVERY_LETTERS = 12;

export interface AccountsOptions {
  readonly database: AdminDatabase;
  /** For the journal of events; `level` as there. */
  readonly tell: (level: 'info' | 'warn', what: string) => void;
  /** The account's log-ins are over, but for the one named. */
  readonly endLogins: (user: string, except: string | null) => void;
  readonly now?: () => number;
}

export class Accounts {
  readonly #options: AccountsOptions;
  readonly #db: AdminDatabase;
  readonly #now: () => number;
  readonly #lockOut: LockOut;
  #firstRunCode: string | null = null;
  /** Since the daemon began, for the metrics. */
  failures = 0;
  lockOuts = 0;

  constructor(options: AccountsOptions) {
    this.#options = options;
    this.#db = options.database;
    this.#now = options.now ?? Date.now;
    this.#lockOut = new LockOut(this.#now);
  }

  get isFirstRun(): boolean {
    return this.#db.row('SELECT 1 AS one FROM users LIMIT 1') === null;
  }

  /** Proves that whoever makes the first account has the machine; null when there is one. */
  get firstRunCode(): string | null {
    if (!this.isFirstRun) return null;
    return (this.#firstRunCode ??= makeCode(FIRST_RUN_LETTERS));
  }

  list(): User[] {
    return this.#db.rows('SELECT * FROM users ORDER BY name').map(describeUser);
  }

  get(name: string): User {
    return describeUser(this.#row(name));
  }

  /** Throws Failure; `address` has failed then. */
  async createFirst(code: string, name: string, password: string, address: string): Promise<User> {
    const wanted = this.firstRunCode;
    if (wanted === null) throw new Failure('not-first-run', 'There is an account already. Log in instead.');
    const keys = [`address ${address}`, 'first run'];
    this.#begin(keys);
    if (!isSameCode(code, wanted)) {
      this.#failed(`A wrong one-time code was given for the first account, from ${address}.`);
      throw new Failure('login-failed', 'The one-time code is not right, so nothing was changed.', [
        {
          path: 'code',
          message: 'this is not the code',
          hint: 'It is in the daemon\'s log, and "throughway user first-code" prints it',
        },
      ]);
    }
    this.#lockOut.forget(keys);
    return this.add(name, password);
  }

  async add(name: string, password: string): Promise<User> {
    const count = Number(this.#db.row('SELECT count(*) AS count FROM users')!['count']);
    if (count >= MOST_USERS)
      throw new Failure('busy', `There are ${MOST_USERS} accounts, the most there can be. Remove one first.`);
    this.#refuseTaken(name);
    const hash = await hashPassword(password);
    this.#refuseTaken(name);
    this.#db.change(
      'INSERT INTO users (name, password, created_at) VALUES (?, ?, ?)',
      name,
      hash,
      this.#now(),
    );
    this.#firstRunCode = null;
    this.#options.tell('info', `The account "${name}" was made.`);
    return this.get(name);
  }

  #refuseTaken(name: string): void {
    if (this.#db.row('SELECT 1 AS one FROM users WHERE name = ?', name) === null) return;
    const hint = 'Take another name, or change the password of this one';
    throw new Failure('exists', `There is an account "${name}" already.`, [
      { path: 'name', message: `"${name}" is taken`, hint },
    ]);
  }

  remove(name: string): void {
    this.#row(name);
    this.#db.together(() => {
      if (Number(this.#db.row('SELECT count(*) AS count FROM users')!['count']) === 1)
        throw new Failure(
          'last-user',
          `"${name}" is the last account, and cannot be removed. Make another one first.`,
        );
      this.#db.change('DELETE FROM users WHERE name = ?', name);
      this.#db.change('DELETE FROM recovery_codes WHERE user = ?', name);
    });
    this.#options.endLogins(name, null);
    this.#options.tell('info', `The account "${name}" was removed.`);
  }

  /** Resolves when name, password and second factor are right, and to the account. Throws Failure. */
  async verify({ name, password, code }: LogIn, address: string): Promise<User> {
    if (this.isFirstRun) throw firstRun();
    const keys = [`address ${address}`, `account ${name.toLowerCase()}`];
    this.#begin(keys);
    const row = this.#db.row('SELECT * FROM users WHERE name = ?', name);
    if (!(await isPassword(password, row === null ? null : String(row['password'])))) {
      this.#failed(`Logging in as ${JSON.stringify(name)} from ${address} failed.`);
      throw new Failure('login-failed', 'The name or the password is not right.');
    }
    if (row!['totp_secret'] !== null) {
      if (code === undefined || code === '') {
        this.#lockOut.takeBack(keys);
        throw new Failure('totp-required', 'The account asks for the code of its authenticator too.', [
          { path: 'code', message: 'the code is missing', hint: 'Type the six digits, or a recovery code' },
        ]);
      }
      if (!this.#isSecondFactor(name, code)) {
        this.#failed(`Logging in as ${JSON.stringify(name)} from ${address} failed at the second factor.`);
        throw new Failure('login-failed', 'The code is not right, or was used already.', [
          { path: 'code', message: 'this is not the code', hint: 'Take the next one that is shown' },
        ]);
      }
    }
    this.#lockOut.forget(keys);
    this.#db.change('UPDATE users SET last_login_at = ? WHERE name = ?', this.#now(), name);
    this.#options.tell('info', `"${String(row!['name'])}" logged in from ${address}.`);
    return this.get(name);
  }

  #begin(keys: readonly string[]): void {
    try {
      this.#lockOut.begin(keys);
    } catch (error) {
      this.lockOuts += 1;
      throw error;
    }
  }

  #failed(what: string): void {
    this.failures += 1;
    this.#options.tell('warn', what);
  }

  #isSecondFactor(name: string, code: string): boolean {
    const row = this.#row(name);
    const secret = String(row['totp_secret']);
    const step = verifyTotp(code, secret, this.#now(), Number(row['totp_last']));
    if (step !== null)
      return (
        this.#db.change(
          'UPDATE users SET totp_last = ? WHERE name = ? AND totp_last < ?',
          step,
          name,
          step,
        ) === 1
      );
    const hash = fingerprint(plainCode(code));
    return this.#db.change('DELETE FROM recovery_codes WHERE user = ? AND hash = ?', name, hash) > 0;
  }

  /** Throws Failure naming `field` when the password is not that of the account; counts as a failed log-in. */
  async requirePassword(
    name: string,
    password: string | undefined,
    field: string,
    address: string,
  ): Promise<void> {
    const problem = (message: string, hint: string): Problem[] => [{ path: field, message, hint }];
    if (password === undefined) {
      throw new Failure(
        'bad-request',
        'The present password is needed, so nothing was changed.',
        problem('the present password is missing', 'Type it'),
      );
    }
    const keys = [`address ${address}`, `account ${name.toLowerCase()}`];
    this.#begin(keys);
    if (!(await isPassword(password, String(this.#row(name)['password'])))) {
      this.#failed(`A wrong password was given for "${name}" from ${address}.`);
      throw new Failure(
        'bad-request',
        'The present password is not right, so nothing was changed.',
        problem('this is not the present password', 'Type it again'),
      );
    }
    this.#lockOut.forget(keys);
  }

  /** `keptLogin` stays; every other one of the account is over. */
  async setPassword(
    name: string,
    password: string,
    keptLogin: string | null,
    removeTotp: boolean,
  ): Promise<void> {
    const known = String(this.#row(name)['name']);
    const hash = await hashPassword(password);
    this.#db.change('UPDATE users SET password = ? WHERE name = ?', hash, name);
    if (removeTotp) this.removeTotp(name);
    this.#lockOut.forgetWhole(`account ${name.toLowerCase()}`);
    this.#options.endLogins(known, keptLogin);
    this.#options.tell('info', `The password of "${known}" was changed.`);
  }

  /** Not in force before `proveTotp`. */
  offerTotp(name: string, issuer: string): TotpOffer {
    const known = String(this.#row(name)['name']);
    const secret = makeTotpSecret();
    this.#db.change('UPDATE users SET totp_offer = ? WHERE name = ?', secret, name);
    return { secret, uri: totpUri(known, secret, issuer) };
  }

  /** The recovery codes. */
  proveTotp(name: string, code: string): string[] {
    const row = this.#row(name);
    const offer = row['totp_offer'];
    const step = typeof offer === 'string' ? verifyTotp(code, offer, this.#now(), 0) : null;
    if (step === null) {
      throw new Failure('bad-request', 'The code is not right, so the second factor is not in force.', [
        {
          path: 'code',
          message: 'this is not the code',
          hint: 'Scan anew, and see that both clocks are right',
        },
      ]);
    }
    const codes = Array.from({ length: RECOVERY_CODES }, () => makeCode(RECOVERY_LETTERS));
    this.#db.together(() => {
      this.#db.change(
        'UPDATE users SET totp_secret = totp_offer, totp_offer = NULL, totp_last = ? WHERE name = ?',
        step,
        name,
      );
      this.#db.change('DELETE FROM recovery_codes WHERE user = ?', name);
      for (const one of codes)
        this.#db.change(
          'INSERT INTO recovery_codes (user, hash) VALUES (?, ?)',
          String(row['name']),
          fingerprint(plainCode(one)),
        );
    });
    this.#options.tell('info', `"${String(row['name'])}" now logs in with a second factor.`);
    return codes;
  }

  removeTotp(name: string): void {
    const known = String(this.#row(name)['name']);
    this.#db.together(() => {
      this.#db.change(
        'UPDATE users SET totp_secret = NULL, totp_offer = NULL, totp_last = 0 WHERE name = ?',
        name,
      );
      this.#db.change('DELETE FROM recovery_codes WHERE user = ?', name);
    });
    this.#options.tell('info', `"${known}" now logs in without a second factor.`);
  }

  #row(name: string): Row {
    const row = this.#db.row('SELECT * FROM users WHERE name = ?', name);
    if (row) return row;
    throw new Failure(
      'not-found',
      `There is no account ${JSON.stringify(name)}. "throughway user list" lists them.`,
    );
  }
}

export function firstRun(): Failure {
  return new Failure(
    'first-run',
    "There is no account yet. Make the first one, with the one-time code that is in the daemon's log.",
  );
}

function describeUser(row: Row): User {
  const at = row['last_login_at'];
  return {
    name: String(row['name']),
    totp: row['totp_secret'] !== null,
    created_at: new Date(Number(row['created_at'])).toISOString(),
    last_login_at: typeof at === 'number' ? new Date(at).toISOString() : null,
  };
}
