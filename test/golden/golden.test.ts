import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openNft } from '../../src/linux/nft.ts';
import { goldenCases } from './cases.ts';

describe('whole rulesets', () => {
  for (const { name, path, text } of goldenCases()) {
    it(`${name} is as it was reviewed (npm run golden writes it anew)`, () => {
      expect(text).toBe(readFileSync(path, 'utf8'));
    });
  }
});

// A kernel and a namespace of the test's own are needed: see scripts/test.ts.
describe.skipIf(!process.env['THROUGHWAY_NETNS'])('the kernel takes every ruleset', () => {
  for (const way of ['libnftables', 'nft'] as const) {
    it(`after any other one, by ${way}, and can list it`, async () => {
      const nft = openNft(way);
      expect(nft.way).toBe(way);
      const cases = goldenCases();
      for (const { text } of [...cases, ...cases.toReversed()]) {
        await nft.run(text);
        const listed = await nft.run('list table inet throughway', 'terse');
        expect(listed).toContain('chain prerouting');
      }
      nft.close();
    });
  }
});
