import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { keepWatchdogCalm } from './service-manager.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('tells the manager twice within its patience, until the end', () => {
  const heard: string[] = [];
  const stop = keepWatchdogCalm({ WATCHDOG_USEC: '30000000' }, (state) => heard.push(state));
  vi.advanceTimersByTime(30_000);
  expect(heard).toEqual(['WATCHDOG=1', 'WATCHDOG=1']);
  stop();
  vi.advanceTimersByTime(60_000);
  expect(heard).toHaveLength(2);
});

it.each([
  {},
  { WATCHDOG_USEC: '0' },
  { WATCHDOG_USEC: 'x' },
  { WATCHDOG_USEC: '30000000', WATCHDOG_PID: '1' },
])('keeps silent when it is not asked: %j', (environment) => {
  const heard: string[] = [];
  keepWatchdogCalm(environment, (state) => heard.push(state));
  vi.advanceTimersByTime(60_000);
  expect(heard).toEqual([]);
});

it('speaks for the process that is asked', () => {
  const heard: string[] = [];
  const stop = keepWatchdogCalm({ WATCHDOG_USEC: '2000', WATCHDOG_PID: String(process.pid) }, (state) =>
    heard.push(state),
  );
  vi.advanceTimersByTime(1);
  expect(heard).toEqual(['WATCHDOG=1']);
  stop();
});
