import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { corpus, hex } from '../../../test/corpus/corpus.ts';
import {
  bytesOf,
  bytesUpTo,
  record,
  throwsWire,
  u32,
  u64,
  wireProperties,
} from '../../../test/wire-properties.ts';
import { emitWireguard, parseWireguard, wireguardBodyBytes, type WireguardMessage } from './wireguard.ts';

it('reads the indices of all four messages', () => {
  expect(parseWireguard(corpus('wireguard', 'initiation'))).toMatchObject({
    kind: 'initiation',
    reserved: 0,
    sender: 0x11223344,
  });
  expect(parseWireguard(corpus('wireguard', 'response'))).toMatchObject({
    kind: 'response',
    sender: 0x55667788,
    receiver: 0x11223344,
  });
  expect(parseWireguard(corpus('wireguard', 'cookie-reply'))).toMatchObject({
    kind: 'cookie-reply',
    receiver: 0x11223344,
  });
  expect(parseWireguard(corpus('wireguard', 'keepalive'))).toMatchObject({
    kind: 'transport',
    receiver: 0x55667788,
    counter: 0x1_0000_0002n,
  });
});

it('emits what it read', () => {
  for (const name of ['initiation', 'response', 'cookie-reply', 'keepalive']) {
    const bytes = corpus('wireguard', name);
    expect(emitWireguard(parseWireguard(bytes))).toEqual(bytes);
  }
});

it('refuses other types and handshake messages that are too long', () => {
  throwsWire(() => parseWireguard(hex('05000000')), 'unsupported');
  throwsWire(() => parseWireguard(Uint8Array.of(...corpus('wireguard', 'initiation'), 0)), 'malformed');
});

const reserved = fc.nat(0xffffff);
const { initiation, response, 'cookie-reply': cookieReply } = wireguardBodyBytes;
const message: fc.Arbitrary<WireguardMessage> = fc.oneof(
  record({ kind: fc.constant('initiation' as const), reserved, sender: u32, body: bytesOf(initiation) }),
  record({
    kind: fc.constant('response' as const),
    reserved,
    sender: u32,
    receiver: u32,
    body: bytesOf(response),
  }),
  record({ kind: fc.constant('cookie-reply' as const), reserved, receiver: u32, body: bytesOf(cookieReply) }),
  record({
    kind: fc.constant('transport' as const),
    reserved,
    receiver: u32,
    counter: u64,
    body: bytesUpTo(40),
  }),
);

wireProperties('WireGuard', {
  draft: message,
  emit: emitWireguard,
  parse: parseWireguard,
  openEnd: ({ kind }) => (kind === 'transport' ? 'body' : null),
});
