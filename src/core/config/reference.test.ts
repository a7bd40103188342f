import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { renderReference } from './reference.ts';

it('the reference in docs is that of the schema (npm run golden writes it anew)', () => {
  expect(renderReference()).toBe(
    readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8'),
  );
});
