import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { corpus, hex } from '../../../test/corpus/corpus.ts';
import {
  bytesUpTo,
  ipv4Address,
  ipv6Address,
  port,
  throwsWire,
  u16,
  wireProperties,
  record,
} from '../../../test/wire-properties.ts';
import type { Ipv4Address, Ipv6Address } from '../address.ts';
import type { Ends } from './transport-checksum.ts';
import { emitUdp, hasValidUdpChecksum, parseUdp } from './udp.ts';

const v4 = { source: '192.168.1.10' as Ipv4Address, destination: '203.0.113.5' as Ipv4Address };
const v6 = { source: '2001:db8::10' as Ipv6Address, destination: '2001:db8:1::5' as Ipv6Address };

it('reads a datagram, and its checksum is right over IPv4', () => {
  const bytes = corpus('udp', 'keepalive-ipv4');
  expect(parseUdp(bytes)).toEqual({
    sourcePort: 500,
    destinationPort: 500,
    length: 9,
    checksum: 0xff3a,
    payload: Uint8Array.of(0xff),
  });
  expect(hasValidUdpChecksum(v4, bytes)).toBe(true);
  expect(emitUdp(v4, parseUdp(bytes))).toEqual(bytes);
});

it('has the right checksum over IPv6', () => {
  const bytes = corpus('udp', 'port4500-ipv6');
  expect(hasValidUdpChecksum(v6, bytes)).toBe(true);
  expect(emitUdp(v6, parseUdp(bytes))).toEqual(bytes);
});

it('sends all ones where the checksum comes to zero', () => {
  const draft = { sourcePort: 1, destinationPort: 2, payload: hex('0000') };
  const { checksum } = parseUdp(emitUdp(v4, draft));
  const payload = Uint8Array.of(checksum >> 8, checksum & 0xff);
  const bytes = emitUdp(v4, { ...draft, payload });
  expect(parseUdp(bytes).checksum).toBe(0xffff);
  expect(hasValidUdpChecksum(v4, bytes)).toBe(true);
});

it('takes a datagram without a checksum over IPv4 and not over IPv6', () => {
  const bytes = corpus('udp', 'keepalive-ipv4').fill(0, 6, 8);
  expect(hasValidUdpChecksum(v4, bytes)).toBe(true);
  expect(hasValidUdpChecksum(v6, bytes)).toBe(false);
});

it('calls no cut datagram valid', () => {
  expect(hasValidUdpChecksum(v4, corpus('udp', 'keepalive-ipv4').subarray(0, 8))).toBe(false);
  expect(hasValidUdpChecksum(v4, new Uint8Array(7))).toBe(false);
  const unchecked = corpus('udp', 'keepalive-ipv4').fill(0, 6, 8);
  expect(hasValidUdpChecksum(v4, unchecked.subarray(0, 8))).toBe(false);
});

it('refuses a length below eight', () => {
  throwsWire(() => parseUdp(corpus('udp', 'keepalive-ipv4').fill(7, 5, 6)), 'malformed');
});

const ends: fc.Arbitrary<Ends> = fc.oneof(
  record({ source: ipv4Address, destination: ipv4Address }),
  record({ source: ipv6Address, destination: ipv6Address }),
);
const datagram = record({ sourcePort: port, destinationPort: port, payload: bytesUpTo(40) });

it('emits a checksum that no single changed byte keeps valid', () => {
  fc.assert(
    fc.property(ends, datagram, u16, fc.integer({ min: 1, max: 0xff }), (between, draft, at, change) => {
      const bytes = emitUdp(between, draft);
      expect(hasValidUdpChecksum(between, bytes)).toBe(true);
      const place = at % bytes.length;
      // The length and a checksum that becomes "none" are judged by other rules.
      if (place >= 4 && place < 8) return;
      bytes[place] = bytes[place]! ^ change;
      expect(hasValidUdpChecksum(between, bytes)).toBe(false);
    }),
  );
});

wireProperties('UDP', {
  draft: datagram,
  emit: (draft) => emitUdp(v4, draft),
  parse: parseUdp,
  expected: (draft, bytes) => ({ ...draft, length: bytes.length, checksum: (bytes[6]! << 8) | bytes[7]! }),
  openEnd: () => 'payload',
});
