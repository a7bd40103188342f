import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { corpus, hex } from '../../../test/corpus/corpus.ts';
import { bytesUpTo, sameForAnyChunking } from '../../../test/wire-properties.ts';
import { createPptpStream } from './pptp-stream.ts';
import type { PptpMessage } from './pptp.ts';

const request = corpus('pptp', 'start-request');
const echo = corpus('pptp', 'echo-request');

it('gives each message when its last octet has come', () => {
  const stream = createPptpStream();
  expect(stream.push(request.subarray(0, 155))).toEqual([]);
  const rest = Uint8Array.of(request[155]!, ...echo, ...echo.subarray(0, 3));
  expect(stream.push(rest).map(({ kind }) => kind)).toEqual(['start-request', 'echo-request']);
  expect(stream.push(echo.subarray(3)).map(({ kind }) => kind)).toEqual(['echo-request']);
  expect(stream.lost).toBeNull();
});

it('gives what came before it lost the step, then nothing', () => {
  const stream = createPptpStream();
  const messages = stream.push(Uint8Array.of(...echo, ...hex('0010 0001 deadbeef 0005')));
  expect(messages.map(({ kind }) => kind)).toEqual(['echo-request']);
  expect(stream.lost).toMatchObject({ name: 'WireError', fault: 'malformed', at: 4 });
  expect(stream.push(echo)).toEqual([]);
});

it('does not wait for what a length out of bounds promises', () => {
  const stream = createPptpStream();
  stream.push(hex('ffff 0001 1a2b3c4d'));
  expect(stream.lost?.fault).toBe('malformed');
});

it('gives the same messages and the same end for any chunking', () => {
  const names = ['start-request', 'echo-request', 'echo-reply', 'outgoing-call-request', 'set-link-info'];
  const whole = fc.constantFrom(...names.map((name) => corpus('pptp', name)));
  const pieces = fc.array(fc.oneof({ weight: 8, arbitrary: whole }, bytesUpTo(12)), { maxLength: 4 });
  const bytes = pieces.map((parts) => Uint8Array.from(parts.flatMap((part) => [...part])));
  sameForAnyChunking(bytes, (chunks) => {
    const stream = createPptpStream();
    const messages: PptpMessage[] = chunks.flatMap((chunk) => stream.push(chunk));
    return { messages, lost: stream.lost?.message ?? null };
  });
});
