import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Ipv4Address } from '../core/address.ts';
import type { SessionRecord } from '../core/alg/session-record.ts';
import { parseSessionInput } from '../core/alg/session-transcript.ts';
import { SessionMachine } from '../core/alg/sessions.ts';
import { Journal } from './journal.ts';

let folder = '';
let path = '';
let now = 0;
let trouble: string | null = null;
let live: SessionRecord[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'journal-'));
  path = join(folder, 'journal.sqlite');
  now = 1_800_000_000_000;
  trouble = null;
  live = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (): Journal =>
  new Journal({ path, now: () => now, live: () => live, onTrouble: (sentence) => (trouble = sentence) });

function session(id: number, endedAt: number | null = null): SessionRecord {
  const machine = new SessionMachine({ nextId: id, espIdleMs: 1000 });
  machine.handle(
    parseSessionInput('esp-sent client=192.168.1.11 server=203.0.113.1 packet=0x00001001#1+84'),
    now,
  );
  return { ...machine.session(id)!, endedAt };
}

const keep = (journal: Journal, one: SessionRecord): void => journal.keepSession(one.id, () => one);

const event = (what: string) =>
  ({ at: now, kind: 'system', level: 'info', what, session: null, device: null }) as const;

describe('the journal', () => {
  it('gives back after a restart what was kept', () => {
    const journal = open();
    expect(journal.nextSessionId()).toBe(1);
    keep(journal, session(1));
    keep(journal, session(2, now));
    journal.addLine(1, now, 'It began.');
    journal.addEvent(event('one'));
    journal.keepDevice({ id: 'a', givenName: 'Phone', lastSeen: now, facts: '{}' });
    journal.close();
    const again = open();
    expect(again.liveSessions()).toEqual([session(1)]);
    expect(again.endedSessions(10)).toEqual([session(2, now)]);
    expect(again.session(2)!.client).toBe('192.168.1.11' as Ipv4Address);
    expect(again.history(1)).toEqual([{ at: now, what: 'It began.' }]);
    expect(again.nextSessionId()).toBe(3);
    expect(again.devices()).toEqual([{ id: 'a', givenName: 'Phone', lastSeen: now, facts: '{}' }]);
    expect(again.addEvent(event('two')).id).toBe(2);
    expect(again.events(0, 10).map(({ id, what }) => [id, what])).toEqual([
      [1, 'one'],
      [2, 'two'],
    ]);
    expect(again.events(1, 10)).toHaveLength(1);
    expect(trouble).toBeNull();
    again.close();
  });

  it('is written by a process that is killed: what was flushed stands', () => {
    const journal = open();
    keep(journal, session(1));
    journal.flush();
    // Another reader sees it while the first has not closed.
    const reader = new DatabaseSync(path);
    expect(reader.prepare('SELECT id FROM sessions').all()).toHaveLength(1);
    reader.close();
    journal.close();
  });

  it('a broken file is moved aside, and said', () => {
    writeFileSync(path, 'this is no database, but long enough to be read as one'.repeat(100));
    const journal = open();
    expect(trouble).toContain('was broken');
    expect(trouble).toContain(`"${join(folder, 'journal.broken.sqlite')}"`);
    expect(readFileSync(join(folder, 'journal.broken.sqlite'), 'utf8')).toContain('this is no database');
    keep(journal, session(1));
    journal.close();
    expect(open().liveSessions()).toHaveLength(1);
  });

  it('a file that breaks while it is used is begun anew with all that lives', () => {
    const journal = open();
    for (let id = 1; id < 200; id += 1) keep(journal, session(id, now));
    journal.flush();
    live = [session(500)];
    // Somebody overwrites the database under the running daemon.
    new DatabaseSync(path).exec('PRAGMA wal_checkpoint(truncate)');
    const bytes = readFileSync(path);
    bytes.fill(0x41, 0, 3 * 4096);
    writeFileSync(path, bytes);
    for (let id = 200; id < 260; id += 1) {
      keep(journal, session(id, now));
      journal.flush();
    }
    expect(trouble).toContain('was broken');
    journal.close();
    expect(
      open()
        .liveSessions()
        .map(({ id }) => id),
    ).toEqual([500]);
  });

  it('a journal of a later version is moved aside and not written to', () => {
    const later = new DatabaseSync(path);
    later.exec('PRAGMA user_version = 999');
    later.close();
    open().close();
    expect(trouble).toContain('it is of version 999');
    expect(existsSync(join(folder, 'journal.broken.sqlite'))).toBe(true);
  });

  it('without a disk it goes on in memory, and returns to the disk with what it has', () => {
    // A folder where the file should be: nothing can be opened there, not even by root.
    mkdirSync(path);
    const journal = open();
    expect(trouble).toContain('cannot be written');
    keep(journal, session(1));
    journal.addEvent(event('one'));
    expect(journal.events(0, 10)).toHaveLength(1);
    rmSync(path, { recursive: true });
    now += 31_000;
    journal.flush();
    expect(trouble).toBeNull();
    keep(journal, session(2));
    journal.close();
    const again = open();
    expect(again.liveSessions().map(({ id }) => id)).toEqual([1, 2]);
    expect(again.events(0, 10)).toHaveLength(1);
  });

  it('a full journal goes on in memory with all that lives', () => {
    const journal = open();
    keep(journal, session(1));
    journal.flush();
    live = [session(1), session(2)];
    const long = 'x'.repeat(100_000);
    for (let count = 0; count < 900; count += 1) {
      journal.addLine(1, now, long);
      journal.flush();
    }
    expect(trouble).toMatch(/cannot be written \(database or disk is full\)/);
    expect(journal.liveSessions().map(({ id }) => id)).toEqual([1, 2]);
    expect(journal.nextSessionId()).toBe(3);
    journal.close();
  });

  it('is bounded by age and number, and what lives is never pruned', () => {
    const journal = open();
    keep(journal, session(1));
    keep(journal, session(2, now));
    for (let count = 0; count < 300; count += 1) journal.addLine(1, now, `line ${count}`);
    journal.addLine(2, now, 'gone');
    journal.addEvent(event('old'));
    journal.flush();
    now += 31 * 86_400_000;
    journal.flush();
    expect(journal.liveSessions()).toHaveLength(1);
    expect(journal.endedSessions(10)).toEqual([]);
    expect(journal.history(2)).toEqual([]);
    expect(journal.history(1)).toHaveLength(200);
    expect(journal.history(1).at(-1)!.what).toBe('line 299');
    expect(journal.events(0, 10)).toHaveLength(1);
    now += 60 * 86_400_000;
    journal.flush();
    expect(journal.events(0, 10)).toEqual([]);
    journal.close();
  });
});
