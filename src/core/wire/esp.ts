// The two fields of ESP that are not encrypted. Where the ciphertext ends and the integrity value
// begins is known to the two ends only, so all after the sequence number is one run of bytes,
// which a copy may cut. RFC 4303 2.

import { Reader, WireError, Writer } from './bytes.ts';

/** A Security Parameters Index as read from a packet: with the receiver's address it names a security association. */
export type Spi = number & { readonly __brand: 'Spi' };

/** An ESP packet; `sequence` is the low half where extended sequence numbers are in use. */
export interface EspPacket {
  readonly spi: Spi;
  readonly sequence: number;
  readonly rest: Uint8Array;
}

/** What `emitEsp` needs. */
export interface EspDraft {
  readonly spi: number;
  readonly sequence: number;
  readonly rest: Uint8Array;
}

/** Reads a packet of which at least the first eight bytes are there. */
export function parseEsp(bytes: Uint8Array): EspPacket {
  const reader = new Reader(bytes);
  return { spi: readSpi(reader), sequence: reader.u32(), rest: reader.rest() };
}

/** Reads the SPI field that ESP and AH share. */
export function readSpi(reader: Reader): Spi {
  const at = reader.at;
  const spi = reader.u32();
  // RFC 4303 2.1, RFC 4302 2.4: zero is for local use and must not be sent on the wire.
  if (spi === 0) throw new WireError('malformed', at, 'SPI 0');
  return spi as Spi;
}

/** The packet; `rest` is taken as it is. */
export function emitEsp(draft: EspDraft): Uint8Array {
  return new Writer(8 + draft.rest.length).u32(draft.spi).u32(draft.sequence).put(draft.rest).bytes;
}
