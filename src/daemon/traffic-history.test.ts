import { expect, test } from 'vitest';
import type { Session } from './api/session.ts';
import { TrafficLog } from './traffic-history.ts';

const NOON = Date.parse('2026-01-01T12:00:00Z');

const carried = (id: string, out: number, back: number): Session =>
  ({
    id,
    protocol: 'pptp',
    traffic: { out: { packets: 0, bytes: out }, in: { packets: 0, bytes: back } },
  }) as unknown as Session;

const tail = (log: TrafficLog, now: number, span: 'hour' | 'day' = 'hour'): number[][] =>
  log.history(span, now).series.flatMap((one) => [one.out.slice(-3), one.in.slice(-3)]);

test('what the counters grow by is noted in its step, and no more', () => {
  const log = new TrafficLog(null);
  log.note([carried('1', 1000, 5000)], NOON);
  log.note([carried('1', 1100, 5500)], NOON + 10_000);
  log.note([carried('1', 1100, 5500)], NOON + 20_000);
  log.note([carried('1', 1103, 5500), carried('2', 900, 0)], NOON + 30_000);
  expect(tail(log, NOON + 30_000)).toEqual([
    [100, 0, 3],
    [500, 0, 0],
  ]);
  expect(tail(log, NOON + 30_000, 'day')).toEqual([
    [0, 0, 103],
    [0, 0, 500],
  ]);
});

test('a counter that began anew counts from nothing', () => {
  const log = new TrafficLog(null);
  log.note([carried('1', 1000, 0)], NOON);
  log.note([carried('1', 40, 0)], NOON + 10_000);
  expect(tail(log, NOON + 10_000)[0]).toEqual([0, 0, 40]);
});

test('an hour later it is gone from the hour and still in the day; a day later from both', () => {
  const log = new TrafficLog(null);
  log.note([carried('1', 0, 0)], NOON);
  log.note([carried('1', 7, 0)], NOON + 10_000);
  const later = NOON + 3_700_000;
  expect(log.history('hour', later).series).toEqual([]);
  expect(log.history('day', later).series[0]?.out.filter((bytes) => bytes > 0)).toEqual([7]);
  expect(log.history('day', NOON + 90_000_000).series).toEqual([]);
});

test('it is the same after a restart, and bounded', () => {
  const log = new TrafficLog(null);
  for (let step = 0; step < 2000; step += 1) log.note([carried('1', step * 10, step)], NOON + step * 10_000);
  const now = NOON + 2000 * 10_000;
  const again = new TrafficLog(log.serialize());
  expect(again.history('hour', now)).toEqual(log.history('hour', now));
  expect(again.history('day', now)).toEqual(log.history('day', now));
  expect((JSON.parse(log.serialize()) as { hour: unknown[] }).hour.length).toBe(360);
});

test('what is kept may be broken', () => {
  for (const kept of ['', '{', '[]', '{"hour":7}'])
    expect(new TrafficLog(kept).history('hour', NOON).series).toEqual([]);
});

test('a clock that is set back does not stop it', () => {
  const log = new TrafficLog(null);
  log.note([carried('1', 0, 0)], NOON);
  log.note([carried('1', 5, 0)], NOON + 10_000);
  log.note([carried('1', 9, 0)], NOON - 7_200_000);
  expect(tail(log, NOON - 7_200_000)[0]).toEqual([0, 0, 4]);
});
