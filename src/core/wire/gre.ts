// GRE in the two versions that meet a gateway: 0, plain tunnels (RFC 2784, key and sequence number
// of RFC 2890), and 1, the data of PPTP (RFC 2637 4.1), whose key is a payload length and the
// receiver's Call ID. A copy may be cut: the payload is what is there. Routing (RFC 1701) is not
// read, and what is carried is not looked into.

import { assert } from '../assert.ts';
import { internetChecksum, Reader, WireError, Writer } from './bytes.ts';

/** Plain GRE; `protocol` is an EtherType, and fields that are absent are null. */
export interface GreTunnelPacket {
  readonly version: 0;
  readonly hasChecksum: boolean;
  readonly protocol: number;
  readonly key: number | null;
  readonly sequence: number | null;
  readonly payload: Uint8Array;
}

/** Enhanced GRE; `callId` is the receiver's, `payloadLength` what was sent, and fields that are absent are null. */
export interface PptpGrePacket {
  readonly version: 1;
  readonly callId: number;
  readonly payloadLength: number;
  readonly sequence: number | null;
  readonly acknowledgment: number | null;
  readonly payload: Uint8Array;
}

/** Either version, told apart by `version`. */
export type GrePacket = GreTunnelPacket | PptpGrePacket;

/** What `emitGre` needs: a packet, its payload length counted for it. */
export type GreDraft = GreTunnelPacket | Omit<PptpGrePacket, 'payloadLength'>;

/** The EtherType of PPP in enhanced GRE (RFC 2637 4.1). */
const PPP_PROTOCOL = 0x880b;

const CHECKSUM = 0x8000;
const ROUTING = 0x4000;
const KEY = 0x2000;
const SEQUENCE = 0x1000;
const ACKNOWLEDGMENT = 0x0080;
const VERSION = 0x0007;

/** Reads a packet of which at least the header is there. */
export function parseGre(bytes: Uint8Array): GrePacket {
  const reader = new Reader(bytes);
  const flags = reader.u16();
  const protocol = reader.u16();
  const version = flags & VERSION;
  if (version === 0) return parseTunnel(reader, flags, protocol);
  if (version === 1) return parsePptpData(reader, flags, protocol);
  throw new WireError('unsupported', 0, `GRE version ${version}`);
}

function parseTunnel(reader: Reader, flags: number, protocol: number): GreTunnelPacket {
  // RFC 2784 2.3: a receiver without RFC 1701 discards a packet with any of bits 1 to 5 set;
  // RFC 2890 2 takes two of them back for key and sequence number.
  if ((flags & (ROUTING | 0x0c00)) !== 0) throw new WireError('unsupported', 0, 'GRE routing');
  const hasChecksum = (flags & CHECKSUM) !== 0;
  if (hasChecksum) reader.skip(4);
  const key = (flags & KEY) === 0 ? null : reader.u32();
  const sequence = (flags & SEQUENCE) === 0 ? null : reader.u32();
  return { version: 0, hasChecksum, protocol, key, sequence, payload: reader.rest() };
}

function parsePptpData(reader: Reader, flags: number, protocol: number): PptpGrePacket {
  // RFC 2637 4.1: C, R, s and Recur are zero, K is one, and the protocol is PPP.
  if ((flags & (CHECKSUM | ROUTING | KEY | 0x0f00)) !== KEY) {
    throw new WireError('malformed', 0, `flags ${flags.toString(16)} in enhanced GRE`);
  }
  if (protocol !== PPP_PROTOCOL) {
    throw new WireError('malformed', 2, `protocol ${protocol.toString(16)} in enhanced GRE`);
  }
  const payloadLength = reader.u16();
  const callId = reader.u16();
  const sequence = (flags & SEQUENCE) === 0 ? null : reader.u32();
  const acknowledgment = (flags & ACKNOWLEDGMENT) === 0 ? null : reader.u32();
  const payload = reader.bytes(Math.min(reader.remaining, payloadLength));
  return { version: 1, callId, payloadLength, sequence, acknowledgment, payload };
}

/** The packet, with its checksum where it says it has one. */
export function emitGre(draft: GreDraft): Uint8Array {
  return draft.version === 0 ? emitTunnel(draft) : emitPptpData(draft);
}

function emitTunnel({ hasChecksum, protocol, key, sequence, payload }: GreTunnelPacket): Uint8Array {
  const flags = (hasChecksum ? CHECKSUM : 0) | (key === null ? 0 : KEY) | (sequence === null ? 0 : SEQUENCE);
  const optional = [hasChecksum ? 0 : null, key, sequence].filter((word) => word !== null);
  const writer = new Writer(4 + 4 * optional.length + payload.length).u16(flags).u16(protocol);
  for (const word of optional) writer.u32(word);
  writer.put(payload);
  return hasChecksum ? writer.setU16(4, internetChecksum(writer.bytes)).bytes : writer.bytes;
}

function emitPptpData(draft: Omit<PptpGrePacket, 'payloadLength'>): Uint8Array {
  const { callId, sequence, acknowledgment, payload } = draft;
  assert(payload.length <= 0xffff, 'a payload of enhanced GRE fits 65535 bytes');
  const flags = (sequence === null ? 0 : SEQUENCE) | (acknowledgment === null ? 0 : ACKNOWLEDGMENT);
  const optional = [sequence, acknowledgment].filter((word) => word !== null);
  const writer = new Writer(8 + 4 * optional.length + payload.length)
    .u16(KEY | flags | 1)
    .u16(PPP_PROTOCOL)
    .u16(payload.length)
    .u16(callId);
  for (const word of optional) writer.u32(word);
  return writer.put(payload).bytes;
}

/** Whether these bytes, a whole packet, are without a checksum or carry the right one (RFC 2784 2.5). */
export function hasValidGreChecksum(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && ((bytes[0]! & (CHECKSUM >> 8)) === 0 || internetChecksum(bytes) === 0);
}
