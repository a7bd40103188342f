import { describe, expect, it } from 'vitest';
import { BusyPairs, MOST_BUSY } from './busy-pairs.ts';

/** A list a second: the counts of pair `a` in turn, and whether it is busy after each. */
function course(counts: readonly number[]): boolean[] {
  const pairs = new BusyPairs();
  return counts.map((packets, second) => pairs.list(new Map([['a', packets]]), second * 1000).includes('a'));
}

describe('a pair', () => {
  it('is busy from a hundred packets a second on, counted from its first list', () =>
    expect(course([5000, 5099, 5199])).toEqual([false, false, true]));

  it('stays busy with the few of its packets that the ordinary way still sees', () =>
    expect(
      course([0, 100, 101, 102, ...Array.from({ length: 60 }, (_, index) => 103 + index)]).slice(1),
    ).not.toContain(false));

  it('is quiet after twenty seconds without packets, and not before', () =>
    expect(course([0, 100, ...Array.from({ length: 21 }, () => 100)])).toEqual([
      false,
      ...Array.from({ length: 20 }, () => true),
      false,
      false,
    ]));

  it('is not busy because its count began anew', () =>
    expect(course([9000, 3, 4])).toEqual([false, false, false]));

  it('is judged by the time between two lists', () => {
    const pairs = new BusyPairs();
    pairs.list(new Map([['a', 0]]), 0);
    expect(pairs.list(new Map([['a', 900]]), 10_000)).toEqual([]);
    expect(pairs.list(new Map([['a', 1100]]), 12_000)).toEqual(['a']);
  });

  it('that has gone is forgotten', () => {
    const pairs = new BusyPairs();
    pairs.list(new Map([['a', 0]]), 0);
    expect(pairs.list(new Map([['a', 500]]), 1000)).toEqual(['a']);
    expect(pairs.list(new Map(), 2000)).toEqual([]);
    expect(pairs.list(new Map([['a', 900]]), 3000)).toEqual([]);
  });
});

it('no more are busy than there is room for', () => {
  const pairs = new BusyPairs();
  const at = (packets: number): Map<string, number> =>
    new Map(Array.from({ length: MOST_BUSY + 10 }, (_, index) => [`${index}`, packets]));
  pairs.list(at(0), 0);
  expect(pairs.list(at(100), 1000)).toHaveLength(MOST_BUSY);
  expect(pairs.list(at(200), 2000)).toHaveLength(MOST_BUSY);
});
