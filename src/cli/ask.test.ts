import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openAsker, type Asker } from './ask.ts';

let input: PassThrough;
let asker: Asker;
beforeEach(() => {
  input = new PassThrough();
  asker = openAsker(input, new PassThrough());
});
afterEach(() => {
  vi.useRealTimers();
  asker.close();
});

it('gives what is typed, question by question', async () => {
  const first = asker.ask('a?');
  input.write('yes\n');
  expect(await first).toBe('yes');
  const second = asker.ask('b?', 1000);
  input.write('no\n');
  expect(await second).toBe('no');
});

it('gives nothing when the time is over', async () => {
  vi.useFakeTimers();
  const answer = asker.ask('a?', 90_000);
  await vi.advanceTimersByTimeAsync(90_000);
  expect(await answer).toBe('');
});

it('gives nothing when the terminal goes, then and from then on', async () => {
  const answer = asker.ask('a?');
  input.end();
  expect(await answer).toBe('');
  expect(await asker.ask('b?', 90_000)).toBe('');
});

it('takes what was typed ahead, but not for a question with a time limit', async () => {
  input.write('one\ntwo\nthree\n');
  await new Promise((resolve) => setImmediate(resolve));
  expect(await asker.ask('a?')).toBe('one');
  expect(await asker.ask('b?')).toBe('two');
  const limited = asker.ask('c?', 90_000);
  input.write('four\n');
  expect(await limited).toBe('four');
});
