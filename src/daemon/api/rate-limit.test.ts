import { expect, it } from 'vitest';
import { RateLimit } from './rate-limit.ts';

it('a burst is let through, then as much as fills again; others and other networks have their own', () => {
  let now = 0;
  const limit = new RateLimit(() => now);
  const allowed = (address: string, most: number): number => {
    for (let count = 0; count < most; count += 1) {
      try {
        limit.count(address);
      } catch {
        return count;
      }
    }
    return most;
  };
  expect(allowed('192.168.1.5', 5000)).toBe(2000);
  expect(allowed('192.168.1.6', 10)).toBe(10);
  now += 100;
  expect(allowed('192.168.1.5', 5000)).toBe(100);
  expect(allowed('2001:db8::1', 5000)).toBe(2000);
  expect(allowed('2001:db8::2', 5000)).toBe(0);
  expect(allowed('2001:db8:0:1::2', 5)).toBe(5);
});
