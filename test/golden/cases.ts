// The golden cases: a configuration NAME.yaml, whose first comment says what it shows and whose
// `# system:` comment says how the machine differs, and the whole transaction it must bring, NAME.nft.
import { readdirSync, readFileSync } from 'node:fs';
import { parseIpv4 } from '../../src/core/address.ts';
import { parseConfig } from '../../src/core/config/document.ts';
import { planRuleset } from '../../src/core/policy/gateway.ts';
import { renderTransaction } from '../../src/core/policy/ruleset.ts';

const folder = new URL('./', import.meta.url);

export interface GoldenCase {
  readonly name: string;
  readonly path: URL;
  readonly text: string;
}

export function goldenCases(): GoldenCase[] {
  const names = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
  return names.map((file) => {
    const name = file.slice(0, -'.yaml'.length);
    return { name, path: new URL(`${name}.nft`, folder), text: renderCase(readFileSync(new URL(file, folder), 'utf8')) };
  });
}

function renderCase(source: string): string {
  const read = parseConfig(source);
  if ('problems' in read) throw new Error(JSON.stringify(read.problems));
  const system = /^# system: (.*)$/m.exec(source)?.[1] ?? '';
  const remotes = /own GRE to (.*)/.exec(system)?.[1]?.split(', ') ?? [];
  const ruleset = planRuleset(read.config, {
    wanAddress: system.includes('no WAN address') ? null : parseIpv4('198.51.100.2'),
    othersFilter: system.includes('others filter'),
    ownGreRemotes: remotes.map((one) => parseIpv4(one)!),
  });
  const forgotten = ruleset.forget.map((name) => `# Emptied afterwards: ${name}\n`).join('');
  return `${source.split('\n')[0]}\n${renderTransaction(ruleset, 'same-schema')}${forgotten}`;
}
