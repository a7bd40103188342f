import { expect, it } from 'vitest';
import { FastCounts, wholeCount } from './fast-counts.ts';

const list = (packets: number) => new Map([['a', { packets, bytes: packets * 100 }]]);

it('adds up over tables that come and go', () => {
  const counts = new FastCounts();
  expect(counts.of('a')).toEqual({ packets: 0, bytes: 0 });
  counts.read(list(7));
  counts.read(list(9));
  expect(counts.of('a')).toEqual({ packets: 9, bytes: 900 });
  counts.settle();
  counts.settle();
  expect(counts.of('a')).toEqual({ packets: 9, bytes: 900 });
  counts.read(list(2));
  expect(counts.of('a')).toEqual({ packets: 11, bytes: 1100 });
});

it('keeps what a pair had that went by itself, or came anew', () => {
  const counts = new FastCounts();
  counts.read(list(7));
  counts.read(new Map());
  expect(counts.of('a').packets).toBe(7);
  counts.read(list(5));
  counts.read(list(2));
  expect(counts.of('a').packets).toBe(14);
});

it('knows which packets the kernel has counted twice', () => {
  const count = (packets: number) => ({ packets, bytes: packets * 10 });
  // 80 packets on the ordinary way: 70 once, 10 twice. On the fast path: 70 there, 10 twice here.
  expect(wholeCount(count(90), count(0))).toEqual({ packets: 80, bytes: 800 });
  expect(wholeCount(count(20), count(310))).toEqual({ packets: 320, bytes: 3200 });
  expect(wholeCount(count(110), count(310))).toEqual({ packets: 400, bytes: 4000 });
  expect([0, 1, 2, 3].map((packets) => wholeCount(count(packets), count(0)).packets)).toEqual([0, 1, 2, 3]);
});

it('forgets what is no more, and nothing else', () => {
  const counts = new FastCounts();
  counts.read(new Map([...list(5), ['b', { packets: 1, bytes: 1 }]]));
  counts.settle();
  counts.keepOnly((pair) => pair === 'a');
  expect([counts.of('a').packets, counts.of('b').packets]).toEqual([5, 0]);
});
