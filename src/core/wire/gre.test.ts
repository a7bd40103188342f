import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { corpus, hex } from '../../../test/corpus/corpus.ts';
import { bytesUpTo, throwsWire, u16, u32, wireProperties, record } from '../../../test/wire-properties.ts';
import { emitGre, hasValidGreChecksum, parseGre, type GreDraft } from './gre.ts';

it('reads PPTP data that acknowledges', () => {
  expect(parseGre(corpus('gre', 'pptp-data-ack'))).toEqual({
    version: 1,
    callId: 32769,
    payloadLength: 14,
    sequence: 5,
    acknowledgment: 3,
    payload: hex('ff03c0210101000a020600000000'),
  });
});

it('reads a bare acknowledgment', () => {
  expect(parseGre(corpus('gre', 'pptp-ack'))).toEqual({
    version: 1,
    callId: 32769,
    payloadLength: 0,
    sequence: null,
    acknowledgment: 6,
    payload: new Uint8Array(),
  });
});

it('leaves what comes after the payload off', () => {
  const bytes = corpus('gre', 'pptp-data-ack');
  expect(parseGre(Uint8Array.of(...bytes, 0, 0))).toEqual(parseGre(bytes));
});

it('reads a plain tunnel with key and checksum', () => {
  const bytes = corpus('gre', 'tunnel-key-checksum');
  const packet = parseGre(bytes);
  expect(packet).toEqual({
    version: 0,
    hasChecksum: true,
    protocol: 0x0800,
    key: 1234,
    sequence: null,
    payload: hex('45000014'),
  });
  expect(emitGre(packet)).toEqual(bytes);
  expect(hasValidGreChecksum(bytes)).toBe(true);
  bytes[15] = 0;
  expect(hasValidGreChecksum(bytes)).toBe(false);
});

it('refuses routing, other versions, and enhanced GRE without a key or with another protocol', () => {
  throwsWire(() => parseGre(hex('4000 0800')), 'unsupported');
  throwsWire(() => parseGre(hex('0002 0800')), 'unsupported');
  throwsWire(() => parseGre(hex('1001 880b 0000 0001')), 'malformed');
  throwsWire(() => parseGre(hex('2001 0800 0000 0001')), 'malformed');
});

const optional = fc.option(u32, { nil: null });
const packet: fc.Arbitrary<GreDraft> = fc.oneof(
  record({
    version: fc.constant(0 as const),
    hasChecksum: fc.boolean(),
    protocol: u16,
    key: optional,
    sequence: optional,
    payload: bytesUpTo(40),
  }),
  record({
    version: fc.constant(1 as const),
    callId: u16,
    sequence: optional,
    acknowledgment: optional,
    payload: bytesUpTo(40),
  }),
);

wireProperties('GRE', {
  draft: packet,
  emit: emitGre,
  parse: parseGre,
  expected: (draft) => (draft.version === 0 ? draft : { ...draft, payloadLength: draft.payload.length }),
  openEnd: () => 'payload',
});
