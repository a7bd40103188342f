import { readdirSync } from 'node:fs';
import { describe, it } from 'vitest';
import { corpus } from './corpus/corpus.ts';
import { machineTargets, wireTargets } from './fuzz-targets.ts';

describe('what npm run fuzz has found stays mended', () => {
  for (const { name, folder, run } of wireTargets) {
    it(`${name} reads or refuses every message of its corpus, whole and cut`, () => {
      const files = readdirSync(new URL(`corpus/${folder}/`, import.meta.url));
      for (const file of files.filter((one) => one.endsWith('.hex'))) {
        const bytes = corpus(folder, file.slice(0, -'.hex'.length));
        for (let length = 0; length <= bytes.length; length += 1) run(bytes.subarray(0, length));
      }
    });
  }

  for (const { name, run } of machineTargets) {
    it(`${name} hears any facts`, () => {
      for (const seed of [1, 2, 3]) run(seed);
    });
  }
});
