import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { corpus } from '../../../test/corpus/corpus.ts';
import { bytesUpTo, u16, u8, wireProperties, record } from '../../../test/wire-properties.ts';
import { parseEsp } from './esp.ts';
import {
  emitIcmp,
  hasValidIcmpChecksum,
  icmpTypes,
  parseIcmp,
  unreachableCodes,
  type IcmpMessage,
} from './icmp.ts';
import { parseIpv4Packet } from './ipv4.ts';

it('reads an echo request', () => {
  expect(parseIcmp(corpus('icmp', 'echo-request'))).toEqual({
    kind: 'echo',
    type: icmpTypes.echoRequest,
    code: 0,
    identifier: 0x1234,
    sequence: 7,
    payload: new TextEncoder().encode('abcdefgh'),
  });
});

it('reads the MTU and, in the quote, whose packet was too big', () => {
  const message = parseIcmp(corpus('icmp', 'fragmentation-needed'));
  expect(message).toMatchObject({
    kind: 'error',
    type: icmpTypes.destinationUnreachable,
    code: unreachableCodes.fragmentationNeeded,
    nextHopMtuBytes: 1400,
  });
  const inner = parseIpv4Packet((message as { quoted: Uint8Array }).quoted);
  expect(inner).toMatchObject({ source: '198.51.100.2', destination: '203.0.113.5', totalLength: 1428 });
  expect(parseEsp(inner.payload)).toMatchObject({ spi: 0xc0ffee01, sequence: 0x102 });
});

it('has the checksums of the corpus', () => {
  for (const name of ['echo-request', 'fragmentation-needed', 'time-exceeded']) {
    const bytes = corpus('icmp', name);
    expect(hasValidIcmpChecksum(bytes)).toBe(true);
    expect(emitIcmp(parseIcmp(bytes))).toEqual(bytes);
    bytes[1] = bytes[1]! + 1;
    expect(hasValidIcmpChecksum(bytes)).toBe(false);
  }
  expect(hasValidIcmpChecksum(new Uint8Array(3))).toBe(false);
});

const { echoReply, destinationUnreachable, echoRequest, timeExceeded, parameterProblem } = icmpTypes;
const known: readonly number[] = Object.values(icmpTypes);

const message: fc.Arbitrary<IcmpMessage> = fc.oneof(
  record({
    kind: fc.constant('echo' as const),
    type: fc.constantFrom(echoReply, echoRequest),
    code: u8,
    identifier: u16,
    sequence: u16,
    payload: bytesUpTo(40),
  }),
  record({
    kind: fc.constant('error' as const),
    type: fc.constantFrom(destinationUnreachable, timeExceeded, parameterProblem),
    code: u8,
    pointer: u8,
    nextHopMtuBytes: u16,
    quoted: bytesUpTo(40),
  }),
  record({
    kind: fc.constant('other' as const),
    type: u8.filter((type) => !known.includes(type)),
    code: u8,
    rest: bytesUpTo(40),
  }),
);

wireProperties('ICMP', {
  draft: message,
  emit: emitIcmp,
  parse: parseIcmp,
  openEnd: ({ kind }) => ({ echo: 'payload', error: 'quoted', other: 'rest' })[kind],
});
