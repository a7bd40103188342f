// The catalogues of the pages' texts: the type-checker proves that a language has every key; here, that its
// texts have the same places to fill in, that no text is kept that no page shows, and that the first view
// shows none that is loaded later.
import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { dePages } from '../../src/ui/text/de-pages.ts';
import { de } from '../../src/ui/text/de.ts';
import { enPages } from '../../src/ui/text/en-pages.ts';
import { en, type TextKey } from '../../src/ui/text/en.ts';

const english: Readonly<Record<TextKey, string>> = { ...en, ...enPages };
const german: Readonly<Record<TextKey, string>> = { ...de, ...dePages };
const keys = Object.keys(english) as TextKey[];
const places = (text: string): string[] => [...text.matchAll(/\{\w+\}/g)].map(([place]) => place).sort();

test('every German text fills in what the English one does', () => {
  for (const key of keys)
    expect({ key, places: places(german[key]) }).toEqual({ key, places: places(english[key]) });
});

test('no German text is an English one that was forgotten', () => {
  // Long enough to differ, and no name or unit.
  const same = keys.filter((key) => english[key] === german[key] && /[a-z]{3,} [a-z]{3,}/.test(english[key]));
  expect(same).toEqual([]);
});

/** Whether some of these files names a text, in whole or with a part that is filled in. */
function shownBy(paths: readonly string[]): (key: string) => boolean {
  // The catalogues name all of them, and what chooses by number could mean any.
  const source = paths
    .filter((path) => !path.includes('/text/'))
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');
  const built = [...source.matchAll(/`([\w.]*(?:\$\{[\w.]+\}[\w.]*)+)`/g)].map(
    ([, pattern]) =>
      new RegExp(`^${pattern!.replaceAll('.', String.raw`\.`).replaceAll(/\$\{[^}]+\}/g, '[\\w-]+')}$`),
  );
  return (key) => {
    const name = key.replace(/\.(one|other)$/, '');
    return [key, name].some((one) => source.includes(`'${one}'`) || built.some((shape) => shape.test(one)));
  };
}

/** Shown by text.ts itself. */
const isWordOfTime = (key: string): boolean => key.startsWith('time.');

test('every text is shown by some page', () => {
  const isShown = shownBy(globSync('src/ui/**/*.{ts,tsx}'));
  expect(keys.filter((key) => !isShown(key) && !isWordOfTime(key))).toEqual([]);
});

test('what is around every page, the overview and the log-in show only texts of the first part', () => {
  const isShown = shownBy([
    ...globSync('src/ui/*.{ts,tsx}'),
    ...globSync('src/ui/api/*.ts'),
    ...['overview', 'log-in'].map((name) => `src/ui/pages/${name}.tsx`),
    ...['ago', 'countdown', 'icon', 'notice', 'page', 'scroll', 'state-mark', 'traffic-chart'].map(
      (name) => `src/ui/parts/${name}.tsx`,
    ),
  ]);
  expect(Object.keys(enPages).filter(isShown)).toEqual([]);
  expect(
    Object.keys(en).filter((key) => !isShown(key) && !isWordOfTime(key) && !key.startsWith('word.')),
  ).toEqual([]);
});
