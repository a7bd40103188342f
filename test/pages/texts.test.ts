// The catalogues of the pages' texts: the type-checker proves that a language has every key; here, that
// its texts have the same places to fill in.
import { expect, test } from 'vitest';
import { de } from '../../src/ui/text/de.ts';
import { en, type TextKey } from '../../src/ui/text/en.ts';

const keys = Object.keys(en) as TextKey[];
const places = (text: string): string[] => [...text.matchAll(/\{\w+\}/g)].map(([place]) => place).sort();

test('every German text fills in what the English one does', () => {
  for (const key of keys) expect({ key, places: places(de[key]) }).toEqual({ key, places: places(en[key]) });
});

test('no German text is an English one that was forgotten', () => {
  // Long enough to differ, and no name or unit.
  const same = keys.filter((key) => en[key] === de[key] && /[a-z]{3,} [a-z]{3,}/.test(en[key]));
  expect(same).toEqual([]);
});
