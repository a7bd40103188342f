// Everything that an administrator has decided, out of the daemon and back into it. A backup is brought back
// as a whole or not at all.
import type { Backup } from '../api/backup.ts';
import { emptyBackup } from '../api/backup.ts';
import type { Applied } from '../api/config.ts';
import { Failure } from '../failure.ts';
import type { Gateway } from '../gateway.ts';
import type { Records } from '../records.ts';
import type { Certificates } from '../tls/certificates.ts';
import type { Applying, ConfigChanges } from './config-changes.ts';
import type { AdminDatabase } from './database.ts';
import type { Keys } from './keys.ts';

export interface BackupsOptions {
  readonly gateway: Pick<Gateway, 'readText'>;
  readonly database: AdminDatabase;
  readonly changes: ConfigChanges;
  readonly keys: Keys;
  readonly certificates: Certificates;
  readonly records: Pick<Records, 'devices' | 'sessions'>;
}

const at = (value: unknown): string => new Date(Number(value)).toISOString();

export class Backups {
  readonly #options: BackupsOptions;

  constructor(options: BackupsOptions) {
    this.#options = options;
  }

  make(): Backup {
    const { gateway, database, certificates, records } = this.#options;
    return {
      ...emptyBackup(new Date(), gateway.readText()),
      users: database.rows('SELECT * FROM users ORDER BY name').map((row) => ({
        name: String(row['name']),
        password: String(row['password']),
        totp_secret: row['totp_secret'] === null ? null : String(row['totp_secret']),
        recovery_codes: database
          .rows('SELECT hash FROM recovery_codes WHERE user = ?', String(row['name']))
          .map((one) => String(one['hash'])),
        created_at: at(row['created_at']),
      })),
      tokens: database.rows('SELECT * FROM tokens ORDER BY created_at, rowid').map((row) => ({
        name: String(row['name']),
        scope: row['scope'] === 'full' ? 'full' : 'read',
        hash: String(row['hash']),
        created_at: at(row['created_at']),
      })),
      certificate: certificates.own(),
      devices: records.devices
        .list(records.sessions.countByAddress())
        .flatMap(({ id, given_name }) => (given_name === null ? [] : [{ id, given_name }])),
    };
  }

  /** Throws Failure, and then everything is as it was. */
  async restore(backup: Backup, applying: Applying): Promise<Applied> {
    const { gateway, changes, certificates } = this.#options;
    if (backup.certificate) certificates.check(backup.certificate);
    const { problems } = changes.check({ text: backup.config });
    if (problems.length > 0) {
      throw new Failure(
        'bad-request',
        'The configuration in the backup is not right, so nothing was restored.',
        problems.map(({ path, message, hint }) => ({
          path: path ? `config: ${path}` : 'config',
          message,
          hint,
        })),
      );
    }
    const former = gateway.readText();
    const applied = await changes.apply({ text: backup.config }, applying);
    try {
      this.#replaceAccounts(backup);
    } catch (error) {
      if (applied.pending) await changes.revert(applying.who);
      else await changes.apply({ text: former }, { ...applying, confirmWithin: null });
      throw error;
    }
    if (backup.certificate) certificates.use(backup.certificate);
    this.#nameDevices(backup);
    return applied;
  }

  /** A device that is not known here has no name to give, and one odd name is no reason to give up. */
  #nameDevices({ devices }: Backup): void {
    const { records } = this.#options;
    const known = new Set(records.devices.list(records.sessions.countByAddress()).map(({ id }) => id));
    for (const { id, given_name } of devices) {
      if (!known.has(id)) continue;
      try {
        records.devices.setGivenName(id, given_name, records.sessions.countByAddress());
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
      }
    }
  }

  #replaceAccounts({ users, tokens }: Backup): void {
    const { database, keys } = this.#options;
    const before = new Map(
      database.rows('SELECT name, password FROM users').map((row) => [String(row['name']), row['password']]),
    );
    const formerTokens = keys.tokens().map(({ id }) => id);
    database.together(() => {
      if (users.length > 0) {
        database.change('DELETE FROM users');
        database.change('DELETE FROM recovery_codes');
      }
      for (const user of users) {
        database.change(
          'INSERT INTO users (name, password, totp_secret, created_at) VALUES (?, ?, ?, ?)',
          user.name,
          user.password,
          user.totp_secret,
          Date.parse(user.created_at),
        );
        for (const one of user.recovery_codes)
          database.change('INSERT INTO recovery_codes (user, hash) VALUES (?, ?)', user.name, one);
      }
      database.change('DELETE FROM tokens');
      for (const { name, scope, hash, created_at } of tokens)
        database.change(
          'INSERT INTO tokens (id, hash, name, scope, created_at) VALUES (?, ?, ?, ?, ?)',
          hash.slice(0, 12),
          hash,
          name,
          scope,
          Date.parse(created_at),
        );
    });
    // Whoever has another password now, or none, logs in anew.
    if (users.length > 0) {
      const now = new Map(users.map(({ name, password }) => [name, password]));
      for (const [name, password] of before) if (now.get(name) !== password) keys.endLoginsOf(name, null);
    }
    keys.closeTokens(formerTokens);
  }
}
