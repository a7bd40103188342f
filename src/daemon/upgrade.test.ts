import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StateDirectory } from './files.ts';
import { keepBeforeUpgrade, takeBackAfterDowngrade, type Upgrade } from './upgrade.ts';

let folder: string;
let state: StateDirectory;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'throughway-'));
  state = new StateDirectory(join(folder, 'state'), () => undefined);
  writeFileSync(join(folder, 'config.yaml'), 'version: 1\n');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const journal = (): string => join(folder, 'state', 'journal.sqlite');
const start = (version: string): Upgrade | null =>
  keepBeforeUpgrade(state, join(folder, 'config.yaml'), version);

it('keeps nothing at the first start, nor when the same version starts again', () => {
  expect(start('1.0.0')).toBeNull();
  expect(start('1.0.0')).toBeNull();
  expect(existsSync(join(folder, 'state', 'config-of-1.0.0.yaml'))).toBe(false);
});

it('keeps what the former version left, up and down', () => {
  start('1.0.0');
  const db = new DatabaseSync(journal());
  db.exec('PRAGMA journal_mode = wal; CREATE TABLE t (a); INSERT INTO t VALUES (7)');
  expect(start('1.1.0')).toEqual({
    from: '1.0.0',
    copies: ['config-of-1.0.0.yaml', 'journal-of-1.0.0.sqlite'],
  });
  db.close();
  expect(readFileSync(join(folder, 'state', 'config-of-1.0.0.yaml'), 'utf8')).toBe('version: 1\n');
  const copy = new DatabaseSync(join(folder, 'state', 'journal-of-1.0.0.sqlite'));
  expect(copy.prepare('SELECT a FROM t').get()).toEqual({ a: 7 });
  copy.close();
  expect(start('1.0.0')?.from).toBe('1.1.0');
});

it('goes on without what cannot be copied', () => {
  start('1.0.0');
  writeFileSync(journal(), 'no database');
  rmSync(join(folder, 'config.yaml'));
  expect(start('1.1.0')).toEqual({ from: '1.0.0', copies: [] });
});

it('makes no file of a version that was tampered with', () => {
  start('1.0.0');
  state.write('version', '../../etc/x');
  expect(start('1.1.0')).toBeNull();
  expect(start('1.1.0')).toBeNull();
});

it('keeps the copies of three versions', () => {
  for (const [index, version] of ['1', '2', '3', '4', '5', '6'].entries()) {
    start(version);
    for (const kept of ['1', '2', '3', '4', '5'].slice(0, index)) {
      const path = join(folder, 'state', `config-of-${kept}.yaml`);
      if (existsSync(path)) utimesSync(path, Number(kept), Number(kept));
    }
  }
  const kept = ['1', '2', '3', '4', '5'].filter((one) =>
    existsSync(join(folder, 'state', `config-of-${one}.yaml`)),
  );
  expect(kept).toEqual(['3', '4', '5']);
});

describe('a database of a newer format', () => {
  const admin = (): string => join(folder, 'state', 'admin.sqlite');
  /** As a version leaves it that writes this format, with what stands in the log beside the file. */
  const leave = (path: string, format: number, user: string): void => {
    const db = new DatabaseSync(path);
    db.exec(
      `PRAGMA journal_mode = wal; CREATE TABLE IF NOT EXISTS users (name); INSERT INTO users VALUES ('${user}');
       PRAGMA user_version = ${format}`,
    );
    db.close();
  };
  const usersIn = (path: string): unknown[] => {
    const db = new DatabaseSync(path);
    try {
      return db.prepare('SELECT name FROM users').all();
    } finally {
      db.close();
    }
  };

  it('is put aside, and what this version left is in use again', () => {
    start('1.0.0');
    leave(admin(), 1, 'anna');
    expect(start('2.0.0')?.copies).toContain('admin-of-1.0.0.sqlite');
    leave(admin(), 999, 'bert');
    start('1.0.0');
    const sentences = takeBackAfterDowngrade(state, '1.0.0');
    expect(sentences).toEqual([
      `The database of accounts is of a newer Throughway (format 999; version 1.0.0 reads up to 1), so it was put aside as "${join(folder, 'state', 'admin.newer.sqlite')}", and the one that version 1.0.0 left is in use again.`,
    ]);
    expect(usersIn(admin())).toEqual([{ name: 'anna' }]);
    expect(usersIn(join(folder, 'state', 'admin.newer.sqlite'))).toEqual([
      { name: 'anna' },
      { name: 'bert' },
    ]);
    expect(statSync(admin()).mode & 0o777).toBe(0o600);
    expect(takeBackAfterDowngrade(state, '1.0.0')).toEqual([]);
  });

  it('is put aside and said, where this version has left none', () => {
    start('1.0.0');
    leave(admin(), 999, 'bert');
    const [sentence] = takeBackAfterDowngrade(state, '1.0.0');
    expect(sentence).toContain('a new one is begun: make the first account again, or restore a backup');
    expect(existsSync(admin())).toBe(false);
  });

  it('is what this version writes, and then stays, as does what cannot be read', () => {
    start('1.0.0');
    leave(admin(), 1, 'anna');
    writeFileSync(journal(), 'no database');
    expect(takeBackAfterDowngrade(state, '1.0.0')).toEqual([]);
    expect(usersIn(admin())).toEqual([{ name: 'anna' }]);
    expect(readFileSync(journal(), 'utf8')).toBe('no database');
  });
});
