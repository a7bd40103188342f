// The AH header and what it protects, in the clear. The integrity value covers the addresses of
// the outer header, which is why a NAT must refuse AH; it is not verified here. A copy may cut the
// payload, not the header. RFC 4302 2.

import { assert } from '../assert.ts';
import { Reader, WireError, Writer } from './bytes.ts';
import { readSpi, type Spi } from './esp.ts';

/** An AH packet; `nextHeader` is the protocol of `payload`. */
export interface AhPacket {
  readonly nextHeader: number;
  readonly spi: Spi;
  readonly sequence: number;
  readonly integrityValue: Uint8Array;
  readonly payload: Uint8Array;
}

const FIXED_BYTES = 12;

/** Reads a packet of which at least the header is there. */
export function parseAh(bytes: Uint8Array): AhPacket {
  const reader = new Reader(bytes);
  const nextHeader = reader.u8();
  // RFC 4302 2.2: the length is in words, less two.
  const headerBytes = (reader.u8() + 2) * 4;
  if (headerBytes < FIXED_BYTES) throw new WireError('malformed', 1, `AH header of ${headerBytes} bytes`);
  reader.skip(2);
  const spi = readSpi(reader);
  const sequence = reader.u32();
  const integrityValue = reader.bytes(headerBytes - FIXED_BYTES);
  return { nextHeader, spi, sequence, integrityValue, payload: reader.rest() };
}

/** The packet; the integrity value is whole words and taken as it is. */
export function emitAh(packet: AhPacket): Uint8Array {
  const { integrityValue, payload } = packet;
  assert(integrityValue.length % 4 === 0, 'an integrity value is whole words');
  return new Writer(FIXED_BYTES + integrityValue.length + payload.length)
    .u8(packet.nextHeader)
    .u8((FIXED_BYTES + integrityValue.length) / 4 - 2)
    .u16(0)
    .u32(packet.spi)
    .u32(packet.sequence)
    .put(integrityValue)
    .put(payload).bytes;
}
