// What shares UDP port 4500: IKE behind a marker of four zero octets, ESP, whose SPI is never
// zero, and the one-octet keepalive that holds a NAT's mapping. Knows neither IKE nor UDP.
// RFC 3948 2, RFC 3947 4.

import { Reader, Writer } from './bytes.ts';
import { emitEsp, parseEsp, type EspDraft, type EspPacket } from './esp.ts';

/** The payload of one datagram; `bytes` is an IKE message without its marker. */
export type Port4500Payload =
  | { readonly kind: 'keepalive' }
  | { readonly kind: 'ike'; readonly bytes: Uint8Array }
  | { readonly kind: 'esp'; readonly packet: EspPacket };

/** What `emitPort4500` needs. */
export type Port4500Draft =
  | Exclude<Port4500Payload, { kind: 'esp' }>
  | { readonly kind: 'esp'; readonly packet: EspDraft };

const MARKER_BYTES = 4;
const KEEPALIVE = 0xff;

/** Tells the three apart; a copy may be cut behind the marker or the ESP header. */
export function parsePort4500(bytes: Uint8Array): Port4500Payload {
  // RFC 3948 2.3: the keepalive is one octet of 0xff.
  if (bytes.length === 1 && bytes[0] === KEEPALIVE) return { kind: 'keepalive' };
  // RFC 3948 2.2: the marker lies where ESP has its SPI.
  if (new Reader(bytes).u32() !== 0) return { kind: 'esp', packet: parseEsp(bytes) };
  return { kind: 'ike', bytes: bytes.subarray(MARKER_BYTES) };
}

/** The payload of a datagram. */
export function emitPort4500(draft: Port4500Draft): Uint8Array {
  if (draft.kind === 'keepalive') return Uint8Array.of(KEEPALIVE);
  if (draft.kind === 'esp') return emitEsp(draft.packet);
  return new Writer(MARKER_BYTES + draft.bytes.length).u32(0).put(draft.bytes).bytes;
}
