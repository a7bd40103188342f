import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { diffTexts } from './text-diff.ts';

const names = ['before', 'after'] as const;

it('shows what went and what came, with three lines around', () => {
  const before = Array.from({ length: 20 }, (_, index) => `line ${index + 1}`);
  const after = before.with(9, 'other').toSpliced(18, 1);
  expect(diffTexts(`${before.join('\n')}\n`, `${after.join('\n')}\n`, names)).toBe(`--- before
+++ after
@@ -7,7 +7,7 @@
 line 7
 line 8
 line 9
-line 10
+other
 line 11
 line 12
 line 13
@@ -16,5 +16,4 @@
 line 16
 line 17
 line 18
-line 19
 line 20
`);
});

it('nothing for the same, everything for a new text', () => {
  expect(diffTexts('a\n', 'a\n', names)).toBe('');
  expect(diffTexts('', 'a\n', names)).toBe('--- before\n+++ after\n@@ -0,0 +1 @@\n+a\n');
  expect(diffTexts('a\n', 'a', names)).toContain('\\ No newline at end of file');
});

it('takes any text to any other', () => {
  const text = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 12 });
  fc.assert(
    fc.property(text, text, (one, other) => {
      const [before, after] = [one, other].map((lines) => lines.map((line) => `${line}\n`).join(''));
      const diff = diffTexts(before!, after!, names);
      if (before === after) return diff === '';
      // With so few lines all are shown but those far from any change.
      const lines = diff.split('\n').slice(2, -1);
      const [olds, news] = ['-', '+'].map((sign) => lines.filter((line) => line.startsWith(sign)).length);
      return (news ?? 0) - (olds ?? 0) === other.length - one.length;
    }),
  );
});
