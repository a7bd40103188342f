// The UDP header. A copy may be cut: the payload is what is there, and `length` says what was
// sent. The checksum is verified apart from reading, since a cut copy cannot be verified and a
// quote in an ICMP error need not be. Knows nothing of jumbograms. RFC 768, RFC 8200 8.1.

import { assert } from '../assert.ts';
import type { Port } from '../address.ts';
import { Reader, WireError, Writer } from './bytes.ts';
import { ipProtocols } from './ipv4.ts';
import { transportChecksum, type Ends } from './transport-checksum.ts';

/** A datagram; `length` counts the header of eight bytes too. */
export interface UdpDatagram {
  readonly sourcePort: Port;
  readonly destinationPort: Port;
  readonly length: number;
  readonly checksum: number;
  readonly payload: Uint8Array;
}

/** What `emitUdp` needs. */
export interface UdpDraft {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}

const HEADER_BYTES = 8;

/** Reads a datagram of which at least the header is there. */
export function parseUdp(bytes: Uint8Array): UdpDatagram {
  const reader = new Reader(bytes);
  const sourcePort = reader.u16() as Port;
  const destinationPort = reader.u16() as Port;
  const length = reader.u16();
  const checksum = reader.u16();
  // RFC 768: the minimum value of the length is eight.
  if (length < HEADER_BYTES) throw new WireError('malformed', 4, `UDP length ${length}`);
  const payload = reader.bytes(Math.min(reader.remaining, length - HEADER_BYTES));
  return { sourcePort, destinationPort, length, checksum, payload };
}

/** The datagram with its checksum between these ends. */
export function emitUdp(ends: Ends, draft: UdpDraft): Uint8Array {
  const length = HEADER_BYTES + draft.payload.length;
  assert(length <= 0xffff, 'a UDP datagram fits 65535 bytes');
  const writer = new Writer(length)
    .u16(draft.sourcePort)
    .u16(draft.destinationPort)
    .u16(length)
    .u16(0)
    .put(draft.payload);
  // RFC 768: a computed checksum of zero is sent as all ones, for zero means "none".
  return writer.setU16(6, transportChecksum(ends, ipProtocols.udp, writer.bytes) || 0xffff).bytes;
}

/** Whether these bytes are a whole datagram with a right checksum, or with none where IPv4 allows it. */
export function hasValidUdpChecksum(ends: Ends, bytes: Uint8Array): boolean {
  if (bytes.length < HEADER_BYTES) return false;
  const { length, checksum } = parseUdp(bytes);
  if (length > bytes.length) return false;
  // RFC 8200 8.1: over IPv6 the checksum is not optional.
  if (checksum === 0) return !ends.source.includes(':');
  return transportChecksum(ends, ipProtocols.udp, bytes.subarray(0, length)) === 0;
}
