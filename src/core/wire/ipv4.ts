// The IPv4 header and what it carries. A copy may be cut by a capture's snap length: the payload
// is what is there, and `totalLength` says what was sent. Padding that a link added after the
// packet is left off. A wrong checksum is reported, not refused. Options are bytes, and fragments
// are not put together. RFC 791 3.1, RFC 3168 5 (the two low bits of `tos`).

import { assert } from '../assert.ts';
import { ipv4Bytes, ipv4FromBytes, type Ipv4Address } from '../address.ts';
import { internetChecksum, Reader, WireError, Writer } from './bytes.ts';

/** The numbers of the upper protocols that this gateway looks into (IANA Assigned Internet Protocol Numbers). */
export const ipProtocols = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  l2tp: 115,
} as const;

/** A header and its payload; `fragmentOffset` and `totalLength` count bytes. */
export interface Ipv4Packet {
  readonly tos: number;
  readonly totalLength: number;
  readonly identification: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  readonly fragmentOffset: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly headerChecksumValid: boolean;
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  readonly options: Uint8Array;
  readonly payload: Uint8Array;
}

/** What `emitIpv4` needs; what is left out is zero, but for a `ttl` of 64. */
export type Ipv4Draft = Pick<Ipv4Packet, 'protocol' | 'source' | 'destination' | 'payload'> &
  Partial<Omit<Ipv4Packet, 'totalLength' | 'headerChecksumValid'>>;

const HEADER_BYTES = 20;

/** Reads a packet of which at least the header is there. */
export function parseIpv4Packet(bytes: Uint8Array): Ipv4Packet {
  const reader = new Reader(bytes);
  const versionAndLength = reader.u8();
  // RFC 791 3.1: version 4, and a header of at least five 32-bit words.
  if (versionAndLength >> 4 !== 4) {
    throw new WireError('unsupported', 0, `IP version ${versionAndLength >> 4}`);
  }
  const headerBytes = (versionAndLength & 0x0f) * 4;
  if (headerBytes < HEADER_BYTES) throw new WireError('malformed', 0, `header of ${headerBytes} bytes`);
  const header = new Reader(bytes).bytes(headerBytes);
  const tos = reader.u8();
  const totalLength = reader.u16();
  // RFC 791 3.1: the total length counts the header.
  if (totalLength < headerBytes) throw new WireError('malformed', 2, `total length ${totalLength}`);
  const identification = reader.u16();
  const flagsAndOffset = reader.u16();
  const ttl = reader.u8();
  const protocol = reader.u8();
  reader.skip(2);
  return {
    tos,
    totalLength,
    identification,
    dontFragment: (flagsAndOffset & 0x4000) !== 0,
    moreFragments: (flagsAndOffset & 0x2000) !== 0,
    fragmentOffset: (flagsAndOffset & 0x1fff) * 8,
    ttl,
    protocol,
    headerChecksumValid: internetChecksum(header) === 0,
    source: ipv4FromBytes(reader.bytes(4)),
    destination: ipv4FromBytes(reader.bytes(4)),
    options: reader.bytes(headerBytes - HEADER_BYTES),
    payload: reader.bytes(Math.min(reader.remaining, totalLength - headerBytes)),
  };
}

/** The packet with its length and header checksum filled in. */
export function emitIpv4Packet(draft: Ipv4Draft): Uint8Array {
  const options = draft.options ?? new Uint8Array();
  const offset = draft.fragmentOffset ?? 0;
  assert(options.length % 4 === 0 && options.length <= 40, 'IPv4 options are 0 to 10 words');
  assert(offset % 8 === 0, 'a fragment offset is a multiple of 8');
  const headerBytes = HEADER_BYTES + options.length;
  const totalLength = headerBytes + draft.payload.length;
  assert(totalLength <= 0xffff, 'an IPv4 packet fits 65535 bytes');
  const flags = (draft.dontFragment ? 0x4000 : 0) | (draft.moreFragments ? 0x2000 : 0);
  const writer = new Writer(totalLength)
    .u8(0x40 | (headerBytes / 4))
    .u8(draft.tos ?? 0)
    .u16(totalLength)
    .u16(draft.identification ?? 0)
    .u16(flags | (offset / 8))
    .u8(draft.ttl ?? 64)
    .u8(draft.protocol)
    .u16(0)
    .put(ipv4Bytes(draft.source))
    .put(ipv4Bytes(draft.destination))
    .put(options);
  const checksum = internetChecksum(writer.bytes.subarray(0, headerBytes));
  return writer.setU16(10, checksum).put(draft.payload).bytes;
}
