import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { corpus } from '../../../test/corpus/corpus.ts';
import {
  bytesUpTo,
  ipv4Address,
  throwsWire,
  u16,
  u8,
  wireProperties,
  record,
} from '../../../test/wire-properties.ts';
import { emitIpv4Packet, ipProtocols, parseIpv4Packet, type Ipv4Draft } from './ipv4.ts';

it('reads a header whose payload was not captured', () => {
  expect(parseIpv4Packet(corpus('ipv4', 'udp-header'))).toEqual({
    tos: 0,
    totalLength: 115,
    identification: 0,
    dontFragment: true,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 64,
    protocol: ipProtocols.udp,
    headerChecksumValid: true,
    source: '192.168.0.1',
    destination: '192.168.0.199',
    options: new Uint8Array(),
    payload: new Uint8Array(),
  });
});

it('reads options and fragment fields, and leaves link padding off', () => {
  expect(parseIpv4Packet(corpus('ipv4', 'fragment-with-option'))).toEqual({
    tos: 0xb8,
    totalLength: 40,
    identification: 0x1c46,
    dontFragment: false,
    moreFragments: true,
    fragmentOffset: 1480,
    ttl: 63,
    protocol: ipProtocols.esp,
    headerChecksumValid: true,
    source: '203.0.113.5',
    destination: '198.51.100.2',
    options: Uint8Array.of(0x94, 0x04, 0, 0),
    payload: Uint8Array.from({ length: 16 }, (_, index) => 0xa0 + index),
  });
});

it('reports a wrong header checksum and reads on', () => {
  const bytes = corpus('ipv4', 'udp-header');
  bytes[8] = 63;
  expect(parseIpv4Packet(bytes)).toMatchObject({ headerChecksumValid: false, ttl: 63 });
});

it('refuses another version, a short header and a length that leaves the header out', () => {
  for (const [at, byte, fault] of [
    [0, 0x65, 'unsupported'],
    [0, 0x44, 'malformed'],
    [3, 19, 'malformed'],
  ] as const) {
    const bytes = corpus('ipv4', 'udp-header');
    bytes[at] = byte;
    throwsWire(() => parseIpv4Packet(bytes), fault);
  }
});

const packet: fc.Arbitrary<Required<Ipv4Draft>> = record({
  tos: u8,
  identification: u16,
  dontFragment: fc.boolean(),
  moreFragments: fc.boolean(),
  fragmentOffset: fc.nat(0x1fff).map((blocks) => blocks * 8),
  ttl: u8,
  protocol: u8,
  source: ipv4Address,
  destination: ipv4Address,
  options: fc.nat(10).chain((words) => fc.uint8Array({ minLength: words * 4, maxLength: words * 4 })),
  payload: bytesUpTo(40),
});

wireProperties('IPv4', {
  draft: packet,
  emit: emitIpv4Packet,
  parse: parseIpv4Packet,
  expected: (draft, bytes) => ({ ...draft, totalLength: bytes.length, headerChecksumValid: true }),
  openEnd: () => 'payload',
});
