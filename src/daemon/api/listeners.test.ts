import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../core/config/document.ts';
import type { Config } from '../../core/config/schema.ts';
import type { SystemLink } from '../../linux/links.ts';
import { listenWarnings, wantedListens } from './listeners.ts';

const link = (name: string, address: string) =>
  ({ name, up: true, addresses: [{ address, scope: 'global', tentative: false }] }) as unknown as SystemLink;
const LINKS = [link('wan0', '198.51.100.2'), link('lan0', '192.168.1.1')];

function configWith(web: string): Config {
  const read = parseConfig(`version: 1\ninterfaces: { wan: wan0, lan: [lan0] }\n${web}\n`);
  if ('problems' in read) throw new Error(JSON.stringify(read.problems));
  return read.config;
}
const warningsOf = (web: string): string[] => listenWarnings(configWith(web), LINKS);

describe('where the page is served', () => {
  it('is every address of the LAN for "lan", and nothing of the WAN', () => {
    expect(wantedListens(configWith(''), LINKS)).toEqual([
      { scheme: 'http', host: '192.168.1.1', port: 80 },
      { scheme: 'https', host: '192.168.1.1', port: 443 },
    ]);
    expect(warningsOf('')).toEqual([]);
  });

  it('is warned of when an address of the WAN is among them', () => {
    const [warning, ...more] = warningsOf('web: { listen: ["198.51.100.2:8080"] }');
    expect(more).toEqual([]);
    expect(warning).toContain('http://198.51.100.2:8080/ is an address of the WAN interface "wan0"');
    expect(warning).toContain('"lan:8080"');
  });

  it('is warned of when it is every address', () => {
    for (const all of ['0.0.0.0:8080', '[::]:8080'])
      expect(warningsOf(`web: { listen: ["${all}"] }`)[0]).toContain('every address, also that of the WAN');
  });

  it('is warned of when the firewall opens its port to the internet', () => {
    const [warning] = warningsOf('firewall: { wan_services: ["tcp/443"] }');
    expect(warning).toContain('can be reached from the internet at port 443');
  });
});
