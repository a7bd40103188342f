// The IPv6 header and the chain of extension headers up to the upper protocol. A copy may be cut:
// the payload is what is there, and `payloadLength` says what was sent. Options are skipped,
// fragments are not put together, jumbograms (RFC 2675) are refused, and ESP and AH count as upper
// protocols. RFC 8200 3 and 4.

import { assert } from '../assert.ts';
import { ipv6Bytes, ipv6FromBytes, type Ipv6Address } from '../address.ts';
import { Reader, WireError, Writer } from './bytes.ts';

/** What a fragment header tells; `offset` counts bytes. */
export interface Ipv6Fragment {
  readonly offset: number;
  readonly moreFragments: boolean;
  readonly identification: number;
}

/** A header and what it carries; `protocol` and `payload` are those behind the extension headers. */
export interface Ipv6Packet {
  readonly trafficClass: number;
  readonly flowLabel: number;
  readonly payloadLength: number;
  readonly nextHeader: number;
  readonly hopLimit: number;
  readonly source: Ipv6Address;
  readonly destination: Ipv6Address;
  /** Null where the packet is whole; behind a first fragment `payload` begins in the middle of something. */
  readonly fragment: Ipv6Fragment | null;
  readonly protocol: number;
  readonly payload: Uint8Array;
}

/** What `emitIpv6Packet` needs; what is left out is zero, but for a `hopLimit` of 64. */
export type Ipv6Draft = Pick<Ipv6Packet, 'source' | 'destination' | 'protocol' | 'payload'> &
  Partial<Pick<Ipv6Packet, 'trafficClass' | 'flowLabel' | 'hopLimit'>>;

/** The extension headers that are walked over (RFC 8200 4). */
export const ipv6Extensions = { hopByHop: 0, routing: 43, fragment: 44, destinationOptions: 60 } as const;

const HEADER_BYTES = 40;

/** Reads a packet of which at least the headers are there. */
export function parseIpv6Packet(bytes: Uint8Array): Ipv6Packet {
  const reader = new Reader(bytes);
  const word = reader.u32();
  // RFC 8200 3: version 6.
  if (word >>> 28 !== 6) throw new WireError('unsupported', 0, `IP version ${word >>> 28}`);
  const payloadLength = reader.u16();
  const nextHeader = reader.u8();
  const hopLimit = reader.u8();
  const source = ipv6FromBytes(reader.bytes(16));
  const destination = ipv6FromBytes(reader.bytes(16));
  // RFC 2675 3: a length of zero before hop-by-hop options announces a jumbogram.
  if (payloadLength === 0 && nextHeader === ipv6Extensions.hopByHop) {
    throw new WireError('unsupported', 4, 'jumbogram');
  }
  const sent = bytes.subarray(0, HEADER_BYTES + payloadLength);
  return {
    trafficClass: (word >>> 20) & 0xff,
    flowLabel: word & 0xfffff,
    payloadLength,
    nextHeader,
    hopLimit,
    source,
    destination,
    ...walkExtensions(new Reader(sent, HEADER_BYTES), nextHeader),
  };
}

function walkExtensions(
  reader: Reader,
  first: number,
): Pick<Ipv6Packet, 'fragment' | 'protocol' | 'payload'> {
  let fragment: Ipv6Fragment | null = null;
  let protocol = first;
  // Ends since each extension header takes eight bytes at least.
  while (isExtension(protocol) && (fragment?.offset ?? 0) === 0) {
    const next = reader.u8();
    if (protocol === ipv6Extensions.fragment) {
      reader.skip(1);
      const offsetAndFlags = reader.u16();
      const identification = reader.u32();
      // RFC 8200 4.5: the offset is the upper 13 bits, in units of eight bytes.
      const offset = offsetAndFlags & 0xfff8;
      fragment = { offset, moreFragments: (offsetAndFlags & 1) !== 0, identification };
    } else {
      // RFC 8200 4.3: the length is in units of eight bytes, without the first.
      reader.skip(reader.u8() * 8 + 6);
    }
    protocol = next;
  }
  return { fragment, protocol, payload: reader.rest() };
}

function isExtension(header: number): boolean {
  return Object.values<number>(ipv6Extensions).includes(header);
}

/** The packet without extension headers, its length filled in. */
export function emitIpv6Packet(draft: Ipv6Draft): Uint8Array {
  assert(draft.payload.length <= 0xffff, 'an IPv6 payload fits 65535 bytes');
  const trafficClass = draft.trafficClass ?? 0;
  return new Writer(HEADER_BYTES + draft.payload.length)
    .u32(0x60000000 + (trafficClass << 20) + (draft.flowLabel ?? 0))
    .u16(draft.payload.length)
    .u8(draft.protocol)
    .u8(draft.hopLimit ?? 64)
    .put(ipv6Bytes(draft.source))
    .put(ipv6Bytes(draft.destination))
    .put(draft.payload).bytes;
}
