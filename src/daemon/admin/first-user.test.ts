import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Accounts } from './accounts.ts';
import { AdminDatabase } from './database.ts';
import { createFirstUser } from './first-user.ts';

let folder: string;
let database: AdminDatabase;
let accounts: Accounts;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'first-user-'));
  database = new AdminDatabase(join(folder, 'admin.sqlite'), () => undefined);
  accounts = new Accounts({ database, tell: () => undefined, endLogins: () => undefined });
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

const file = (): string => join(folder, 'first-user.yaml');
const create = () => createFirstUser(accounts, join(folder, 'config.yaml'));
function write(text: string, mode = 0o600): void {
  writeFileSync(file(), text);
  chmodSync(file(), mode);
}
const RIGHT = 'name: anna\npassword: several words of her own\n';

describe('the file that makes the first account', () => {
  it('is read, makes the account that can log in, and is removed', async () => {
    write(RIGHT);
    expect(await create()).toMatchObject({ level: 'info' });
    expect(existsSync(file())).toBe(false);
    const login = { name: 'anna', password: 'several words of her own' };
    expect(await accounts.verify(login, '192.168.1.11')).toMatchObject({ name: 'anna' });
  });

  it('is not there: nothing happens', async () => {
    expect(await create()).toBeNull();
    expect(accounts.isFirstRun).toBe(true);
  });

  it.each([
    ['everybody may read it', RIGHT, 0o644, 'chmod 600'],
    ['its password is too short', 'name: anna\npassword: short\n', 0o600, 'password'],
    ['a setting is not known', `${RIGHT}admin: yes\n`, 0o600, '"admin"'],
    ['it is no YAML', 'name: [', 0o600, 'makes no account'],
    ['it is empty', '', 0o600, 'makes no account'],
  ])('%s: it is told, makes nothing and stays', async (_why, text, mode, told) => {
    write(text, mode);
    const outcome = await create();
    expect(outcome?.level).toBe('warn');
    expect(outcome?.sentence).toContain(told);
    expect(outcome?.sentence).not.toContain('"short"');
    expect([accounts.isFirstRun, existsSync(file())]).toEqual([true, true]);
  });

  it('comes too late where there is an account', async () => {
    await accounts.add('admin', 'correct horse battery');
    write(RIGHT);
    expect((await create())?.sentence).toContain('there is one already');
    expect(accounts.list().map(({ name }) => name)).toEqual(['admin']);
  });
});
