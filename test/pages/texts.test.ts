// The catalogues of the pages' texts: the type-checker proves that a language has every key; here, that
// its texts have the same places to fill in, and that no text is kept that no page shows.
import { globSync, readFileSync } from 'node:fs';
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

test('every text is shown by some page', () => {
  const source = globSync('src/ui/**/*.{ts,tsx}')
    .filter((path) => !/\/text\/(en|de)\.ts$/.test(path))
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');
  const built = [...source.matchAll(/`([\w.]*\$\{[^`]+)`/g)].map(
    ([, pattern]) =>
      new RegExp(`^${pattern!.replaceAll('.', String.raw`\.`).replaceAll(/\$\{[^}]+\}/g, '[\\w-]+')}$`),
  );
  const isShown = (key: string): boolean => {
    const name = key.replace(/\.(one|other)$/, '');
    return [key, name].some((one) => source.includes(`'${one}'`) || built.some((shape) => shape.test(one)));
  };
  expect(keys.filter((key) => !isShown(key))).toEqual([]);
});
