// What each release has written is still understood, and what a later one writes is refused with a clear
// word. A release adds a folder to test/releases; no folder is ever changed.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
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
