import { expect, test } from 'vitest';
import { alignColumns, renderFigures, rowsForJson, spreadOf, type Figures } from './figures.ts';

const figures: Figures = {
  name: 'example',
  title: 'Example:',
  notes: ['a note'],
  columns: [
    { key: 'what', heading: 'what' },
    { key: 'took_ms', heading: 'ms', digits: 1 },
    { key: 'count', heading: 'count' },
  ],
  rows: [
    { what: 'first', took_ms: 1.26, count: 100_000 },
    { what: 'second', took_ms: null, count: 0 },
  ],
};

test('the median of an even number of values lies between the middle two', () => {
  expect(spreadOf([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4 });
  expect(spreadOf([10, 9, 100])).toEqual({ median: 10, min: 9, max: 100 });
});

test('numbers stand to the right, text to the left, and what was not measured is a dash', () => {
  expect(renderFigures(figures).split('\n')).toEqual([
    'Example:',
    'a note',
    '',
    'what     ms    count',
    'first   1.3  100,000',
    'second    –        0',
  ]);
});

test('a line has no space at its end', () => {
  expect(
    alignColumns([
      ['a', 'b'],
      ['long', 'x'],
      ['y', 'long'],
    ]),
  ).toEqual(['a     b', 'long  x', 'y     long']);
});

test('JSON has the same rows, rounded', () => {
  expect(rowsForJson(figures)).toEqual([
    { what: 'first', took_ms: 1.3, count: 100_000 },
    { what: 'second', took_ms: null, count: 0 },
  ]);
});
