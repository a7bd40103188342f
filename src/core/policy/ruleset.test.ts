import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseIpv4, type InterfaceName } from '../address.ts';
import { configSchema, PROTOCOLS, type Config } from '../config/schema.ts';
import { DROP_REASONS } from './counters.ts';
import { planRuleset } from './gateway.ts';
import {
  interfaceSet,
  renderTable,
  renderTransaction,
  rule,
  TABLE,
  TABLE_COMMENT,
  type Ruleset,
} from './ruleset.ts';
import type { SystemState } from './system.ts';

const small: Ruleset = {
  declarations: [
    { kind: 'counter', name: 'dropped', lines: [] },
    { kind: 'set', name: 'known', lines: ['type ipv4_addr', 'flags dynamic'] },
    { kind: 'map', name: 'kept', lines: ['type ipv4_addr : ipv4_addr'] },
  ],
  chains: [
    {
      name: 'forward',
      hook: 'filter hook forward priority filter',
      rules: [rule('ip saddr @known drop', 'Because')],
    },
    { name: 'empty', hook: null, rules: [] },
  ],
  unneeded: [],
  forget: ['known'],
};

const table = `table inet throughway {
	comment "${TABLE_COMMENT}"

	counter dropped {
	}

	set known {
		type ipv4_addr
		flags dynamic
	}

	map kept {
		type ipv4_addr : ipv4_addr
	}

	chain forward {
		type filter hook forward priority filter; policy accept;
		ip saddr @known drop comment "Because"
	}

	chain empty {
	}
}
`;

describe('the text', () => {
  it('is the table as nft writes it', () => expect(renderTable(small)).toBe(table));

  it('keeps what is learned in a table of the same schema', () => {
    expect(renderTransaction(small, 'same-schema')).toBe(
      `add table inet throughway { comment "${TABLE_COMMENT}"; }\nflush table inet throughway\n${table}`,
    );
  });

  it('puts another schema away in the same transaction', () => {
    expect(renderTransaction(small, 'other-schema')).toBe(
      `add table inet throughway { comment "${TABLE_COMMENT}"; }\ndelete table inet throughway\nadd table inet throughway { comment "${TABLE_COMMENT}"; }\n${table}`,
    );
  });

  it('names the schema in the comment of the table', () => {
    expect(TABLE_COMMENT).toMatch(/\bschema \d+:/);
    expect(TABLE_COMMENT.length).toBeLessThanOrEqual(128);
  });

  it('writes one interface as a word and several as a set', () => {
    expect(interfaceSet(['eth1'])).toBe('"eth1"');
    expect(interfaceSet(['eth1', 'br-lan'])).toBe('{ "eth1", "br-lan" }');
  });
});

const name = fc.stringMatching(/^[a-z][a-z0-9._-]{0,14}$/) as fc.Arbitrary<InterfaceName>;
const config: fc.Arbitrary<Config> = fc
  .record({
    names: fc.uniqueArray(name, { minLength: 2, maxLength: 5 }),
    switches: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
    preserve: fc.boolean(),
    seconds: fc.integer({ min: 120, max: 86_400 }),
    ping: fc.boolean(),
    services: fc.array(fc.constantFrom('tcp/22', 'udp/51820', 'tcp/443'), { maxLength: 3 }),
  })
  .map(({ names: [wan, ...lan], switches, preserve, seconds, ping, services }) =>
    configSchema.parse({
      version: 1,
      interfaces: { wan, lan },
      passthrough: Object.fromEntries(
        PROTOCOLS.map((protocol, index) => [protocol, switches[index] ? 'enabled' : 'disabled']),
      ),
      ike: { source_port: preserve ? 'preserve' : 'translate' },
      timeouts: { udp_seconds: seconds, vpn_udp_seconds: seconds, esp_seconds: seconds },
      firewall: { wan_ping: ping, wan_services: services },
    }),
  );
const address = fc.ipV4().map((text) => parseIpv4(text)!);
const system: fc.Arbitrary<SystemState> = fc.record({
  wanAddress: fc.option(address),
  ownGreRemotes: fc.uniqueArray(address, { maxLength: 3 }),
  othersFilter: fc.boolean(),
});

it('every ruleset of any configuration keeps to what nft 1.0.6 takes', () => {
  fc.assert(
    fc.property(config, system, fc.boolean(), (config, system, forgetAddress) => {
      const ruleset = planRuleset(config, system, { forgetAddress });
      const chains = new Set(ruleset.chains.map((chain) => chain.name));
      const objects = new Set(ruleset.declarations.map((one) => one.name));
      expect(chains.size).toBe(ruleset.chains.length);
      expect(objects.size).toBe(ruleset.declarations.length);
      for (const forgotten of ruleset.forget) expect(objects).toContain(forgotten);
      for (const { text, comment } of ruleset.chains.flatMap((chain) => chain.rules)) {
        expect(new TextEncoder().encode(comment).length).toBeLessThanOrEqual(128);
        expect(comment).toMatch(/^[^"\\\n]+$/);
        expect(text).not.toMatch(/\n|;|\} \}$/);
        for (const [, target] of text.matchAll(/\b(?:jump|goto) (\w+)/g)) expect(chains).toContain(target);
        for (const [, used] of text.matchAll(/@(\w+)/g))
          if (!/^(nh|th)$/.test(used!)) expect(objects).toContain(used);
        for (const [, used] of text.matchAll(/(?:counter name|helper set|timeout set) "(\w+)"/g))
          expect(objects).toContain(used);
      }
      // Every chain without a hook is reached, or empty.
      const text = renderTable(ruleset);
      for (const chain of ruleset.chains)
        if (chain.hook === null && chain.rules.length > 0)
          expect(text, chain.name).toMatch(new RegExp(`(jump|goto) ${chain.name}\\b`));
    }),
    { numRuns: 60 },
  );
});

it('a switch that is off takes its rules away from any address and keeps nothing of ESP', () => {
  fc.assert(
    fc.property(config, system, (config, system) => {
      const { forget } = planRuleset(config, system);
      expect(forget.includes('esp_in')).toBe(config.passthrough.ipsec === 'disabled');
    }),
    { numRuns: 20 },
  );
});

it('each counter has one name and whole sentences', () => {
  expect(new Set(DROP_REASONS.map((one) => one.name)).size).toBe(DROP_REASONS.length);
  expect(new Set(DROP_REASONS.map((one) => one.sentence)).size).toBe(DROP_REASONS.length);
  for (const { name, sentence } of DROP_REASONS) {
    expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
    expect(sentence).toMatch(/^[A-Z].*\.$/);
  }
  expect(TABLE).toBe('inet throughway');
});
