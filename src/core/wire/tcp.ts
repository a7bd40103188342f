// The TCP header, as far as crafted segments and recognising connections need it: no options are
// read, nothing is put in order. TCP has no length of its own, so the payload is what is there.
// RFC 9293 3.1.

import { assert } from '../assert.ts';
import type { Port } from '../address.ts';
import { Reader, WireError, Writer } from './bytes.ts';
import { ipProtocols } from './ipv4.ts';
import { transportChecksum, type Ends } from './transport-checksum.ts';

/** The control bits, each by its name in RFC 9293. */
export interface TcpFlags {
  readonly cwr: boolean;
  readonly ece: boolean;
  readonly urg: boolean;
  readonly ack: boolean;
  readonly psh: boolean;
  readonly rst: boolean;
  readonly syn: boolean;
  readonly fin: boolean;
}

/** A segment; `options` with their padding, a multiple of four bytes. */
export interface TcpSegment {
  readonly sourcePort: Port;
  readonly destinationPort: Port;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: TcpFlags;
  readonly window: number;
  readonly checksum: number;
  readonly urgentPointer: number;
  readonly options: Uint8Array;
  readonly payload: Uint8Array;
}

/** What `emitTcp` needs; flags left out are clear, other fields left out are zero or empty. */
export interface TcpDraft extends Partial<Omit<TcpSegment, 'flags' | 'checksum'>> {
  readonly sourcePort: Port;
  readonly destinationPort: Port;
  readonly flags: Partial<TcpFlags>;
}

const HEADER_BYTES = 20;

const FLAG_BITS = {
  cwr: 0x80,
  ece: 0x40,
  urg: 0x20,
  ack: 0x10,
  psh: 0x08,
  rst: 0x04,
  syn: 0x02,
  fin: 0x01,
} as const satisfies Record<keyof TcpFlags, number>;

/** Reads a segment of which at least the header with its options is there. */
export function parseTcp(bytes: Uint8Array): TcpSegment {
  const reader = new Reader(bytes);
  const sourcePort = reader.u16() as Port;
  const destinationPort = reader.u16() as Port;
  const sequence = reader.u32();
  const acknowledgment = reader.u32();
  const headerBytes = (reader.u8() >> 4) * 4;
  // RFC 9293 3.1: the data offset counts the header's own five words.
  if (headerBytes < HEADER_BYTES) throw new WireError('malformed', 12, `data offset ${headerBytes}`);
  const bits = reader.u8();
  const has = (flag: keyof TcpFlags): boolean => (bits & FLAG_BITS[flag]) !== 0;
  return {
    sourcePort,
    destinationPort,
    sequence,
    acknowledgment,
    flags: {
      cwr: has('cwr'),
      ece: has('ece'),
      urg: has('urg'),
      ack: has('ack'),
      psh: has('psh'),
      rst: has('rst'),
      syn: has('syn'),
      fin: has('fin'),
    },
    window: reader.u16(),
    checksum: reader.u16(),
    urgentPointer: reader.u16(),
    options: reader.bytes(headerBytes - HEADER_BYTES),
    payload: reader.rest(),
  };
}

/** The segment with its checksum between these ends. */
export function emitTcp(ends: Ends, draft: TcpDraft): Uint8Array {
  const options = draft.options ?? new Uint8Array();
  const payload = draft.payload ?? new Uint8Array();
  assert(options.length % 4 === 0 && options.length <= 40, 'TCP options are 0 to 10 words');
  const headerBytes = HEADER_BYTES + options.length;
  let bits = 0;
  for (const [flag, bit] of Object.entries(FLAG_BITS)) {
    if (draft.flags[flag as keyof TcpFlags]) bits |= bit;
  }
  const writer = new Writer(headerBytes + payload.length)
    .u16(draft.sourcePort)
    .u16(draft.destinationPort)
    .u32(draft.sequence ?? 0)
    .u32(draft.acknowledgment ?? 0)
    .u8((headerBytes / 4) << 4)
    .u8(bits)
    .u16(draft.window ?? 0)
    .u16(0)
    .u16(draft.urgentPointer ?? 0)
    .put(options)
    .put(payload);
  return writer.setU16(16, transportChecksum(ends, ipProtocols.tcp, writer.bytes)).bytes;
}

/** Whether these bytes, a whole segment, carry the right checksum between these ends. */
export function hasValidTcpChecksum(ends: Ends, bytes: Uint8Array): boolean {
  return bytes.length >= HEADER_BYTES && transportChecksum(ends, ipProtocols.tcp, bytes) === 0;
}
