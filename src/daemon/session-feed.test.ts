import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Session } from './api/session.ts';
import { SessionFeed } from './session-feed.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function session(id: string, bytes = 0): Session {
  return {
    id,
    device: { id: 'd', name: null, address: '192.168.1.11', mac: null },
    protocol: 'pptp',
    guessed: false,
    server: { address: '203.0.113.1', name: null, port: 1723 },
    state: 'up',
    since: '2026-01-01T00:00:00.000Z',
    ended_at: null,
    last_packet: { out: null, in: null },
    traffic: { out: { packets: 0, bytes }, in: { packets: 0, bytes: 0 } },
    expires_in_seconds: bytes,
    details: [],
    pairing: null,
    trouble: null,
  };
}

function watch(feed: SessionFeed): { heard: string[]; leave: () => void } {
  const heard: string[] = [];
  const leave = feed.follow((text) => {
    const [, name, data] = /^event: (\w+)\ndata: (.*)\n\n$/.exec(text)!;
    const { sessions, changed, gone } = JSON.parse(data!) as Record<string, (Session | string)[]>;
    const ids = (list?: (Session | string)[]): string =>
      (list ?? []).map((one) => (typeof one === 'string' ? one : one.id)).join(',');
    heard.push(`${name} ${ids(sessions ?? changed)} -${ids(gone)}`);
  });
  return { heard, leave };
}

test('everything first, then only what changed and what went', () => {
  let list = [session('1'), session('2')];
  const { heard } = watch(new SessionFeed(() => list));
  vi.advanceTimersByTime(1000);
  list = [session('1', 7), session('3')];
  vi.advanceTimersByTime(1000);
  list = [];
  vi.advanceTimersByTime(1000);
  expect(heard).toEqual(['all 1,2 -', 'some 1,3 -2', 'some  -1,3']);
});

test('a time that falls by itself is no change', () => {
  let list = [session('1')];
  const { heard } = watch(new SessionFeed(() => list));
  list = [{ ...session('1'), expires_in_seconds: 3 }];
  vi.advanceTimersByTime(3000);
  expect(heard).toEqual(['all 1 -']);
});

test('ten thousand come in pieces', () => {
  const list = Array.from({ length: 1200 }, (_, index) => session(String(index)));
  const { heard } = watch(new SessionFeed(() => list));
  expect(heard.map((one) => one.split(',').length)).toEqual([500, 500, 200]);
});

test('a second reader hears all, and the first misses nothing for it', () => {
  let list = [session('1')];
  const feed = new SessionFeed(() => list);
  const first = watch(feed);
  list = [session('1', 5)];
  const second = watch(feed);
  vi.advanceTimersByTime(1000);
  expect(first.heard).toEqual(['all 1 -', 'some 1 -']);
  expect(second.heard).toEqual(['all 1 -']);
});

test('nothing is looked at when nobody watches', () => {
  let looks = 0;
  const feed = new SessionFeed(() => {
    looks += 1;
    return [];
  });
  const { leave } = watch(feed);
  leave();
  looks = 0;
  vi.advanceTimersByTime(10_000);
  expect([looks, feed.followers]).toEqual([0, 0]);
});
