// What each release has written is still understood, and what a later one writes is refused with a clear
// word. A release adds a folder to test/releases; no folder is ever changed.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { AdminDatabase } from '../src/daemon/admin/database.ts';
import { Journal } from '../src/daemon/journal.ts';
import { parseConfig } from '../src/core/config/document.ts';
import { CONFIG_VERSION } from '../src/core/config/schema.ts';

const folder = new URL('releases/', import.meta.url);
const releases = readdirSync(folder);
const configOf = (release: string): string => readFileSync(new URL(`${release}/config.yaml`, folder), 'utf8');

describe('the configuration of', () => {
  it.each(releases)('%s is understood', (release) => {
    const read = parseConfig(configOf(release));
    expect(read).toMatchObject({
      config: {
        version: CONFIG_VERSION,
        interfaces: { wan: 'ppp0', lan: ['eth1', 'eth0.20'] },
        passthrough: { ipsec: 'enabled', pptp: 'disabled', l2tp: 'enabled' },
        ike: { source_port: 'preserve' },
        firewall: { wan_ping: false },
      },
    });
  });
});

it('a configuration of a later version is refused, with what to do', () => {
  const later = configOf(releases.at(-1)!).replace(/^version: \d+$/m, `version: ${CONFIG_VERSION + 1}`);
  expect(parseConfig(later)).toEqual({
    problems: [
      {
        path: 'version',
        message: `"${CONFIG_VERSION + 1}" is of a newer Throughway; this one reads versions up to ${CONFIG_VERSION}`,
        hint: 'Upgrade Throughway, or restore the configuration that this version wrote',
        line: 2,
      },
    ],
  });
});

/** Makes the file as the release left it, lets `use` open it, and clears it away. */
function withFile(release: string, name: string, use: (path: string) => void): void {
  const home = mkdtempSync(join(tmpdir(), 'release-'));
  try {
    const path = join(home, `${name}.sqlite`);
    const db = new DatabaseSync(path);
    db.exec(readFileSync(new URL(`${release}/${name}.sql`, folder), 'utf8'));
    db.close();
    use(path);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

describe('the databases of', () => {
  it.each(releases)(
    '%s: sessions, history, events and names of devices are there after the upgrade',
    (release) => {
      withFile(release, 'journal', (path) => {
        const troubles: (string | null)[] = [];
        const journal = new Journal({
          path,
          now: () => 1_790_000_001_000,
          live: () => [],
          onTrouble: (sentence) => troubles.push(sentence),
        });
        expect(journal.liveSessions().map(({ id, client, server }) => [id, client, server])).toEqual([
          [2, '192.168.1.11', '203.0.113.1'],
        ]);
        expect(journal.endedSessions(10).map(({ id }) => id)).toEqual([1]);
        expect(journal.history(2).map(({ what }) => what)).toEqual(['It began.']);
        expect(journal.events(0, 10).map(({ what }) => what)).toEqual(['The gateway is ready.']);
        expect(journal.devices().map(({ givenName }) => givenName)).toEqual(["Ann's phone"]);
        expect(journal.nextSessionId()).toBe(3);
        journal.close();
        expect(troubles.filter((one) => one !== null)).toEqual([]);
      });
    },
  );

  it.each(releases)('%s: accounts, tokens and the history of the configuration too', (release) => {
    withFile(release, 'admin', (path) => {
      const troubles: string[] = [];
      const admin = new AdminDatabase(path, (sentence) => troubles.push(sentence));
      expect(admin.rows('SELECT name FROM users')).toEqual([{ name: 'admin' }]);
      expect(admin.rows('SELECT name, scope FROM tokens')).toEqual([{ name: 'monitoring', scope: 'read' }]);
      expect(admin.rows('SELECT who, what FROM versions')).toEqual([
        { who: 'admin', what: 'passthrough.pptp' },
      ]);
      admin.close();
      expect(troubles).toEqual([]);
    });
  });
});
