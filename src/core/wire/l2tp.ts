// L2TP as it meets a gateway: version 2 and 3 on UDP port 1701, and version 3 straight on IP
// (protocol 115). Control messages are read whole; data messages are cut-tolerant, and what they
// carry, cookie and sublayer included, is not looked into, for only the ends know its form. L2F,
// which has version 1, is refused. RFC 2661 3.1, RFC 3931 3.2.1, 4.1.1 and 4.1.2.

import { assert } from '../assert.ts';
import { Reader, readWhole, WireError, Writer } from './bytes.ts';
import { avpNumber, emitAvps, l2tpAvpTypes, readAvps, type L2tpAvp } from './l2tp-avp.ts';

/** A control message of version 2; the ids are those the receiver assigned, 0 before it has. */
export interface L2tpControl {
  readonly kind: 'control';
  readonly version: 2;
  readonly tunnelId: number;
  readonly sessionId: number;
  readonly ns: number;
  readonly nr: number;
  /** Empty in a bare acknowledgment (ZLB). */
  readonly avps: readonly L2tpAvp[];
}

/** A data message of version 2; fields that are absent are null, and `length` is that of the whole message. */
export interface L2tpData {
  readonly kind: 'data';
  readonly version: 2;
  readonly priority: boolean;
  readonly length: number | null;
  readonly tunnelId: number;
  readonly sessionId: number;
  readonly sequence: { readonly ns: number; readonly nr: number } | null;
  /** Octets of padding before the payload. */
  readonly offsetBytes: number | null;
  readonly payload: Uint8Array;
}

/** A control message of version 3; the id is the one the receiver assigned. */
export interface L2tpV3Control {
  readonly kind: 'control';
  readonly version: 3;
  readonly controlConnectionId: number;
  readonly ns: number;
  readonly nr: number;
  readonly avps: readonly L2tpAvp[];
}

/** A data message of version 3; a cookie is at the head of `payload`. */
export interface L2tpV3Data {
  readonly kind: 'data';
  readonly version: 3;
  readonly sessionId: number;
  readonly payload: Uint8Array;
}

/** What can be read on UDP port 1701, told apart by `kind` and `version`. */
export type L2tpMessage = L2tpControl | L2tpData | L2tpV3Control | L2tpV3Data;

/** What can be read on IP protocol 115. */
export type L2tpIpMessage = L2tpV3Control | L2tpV3Data;

const CONTROL = 0x8000;
const HAS_LENGTH = 0x4000;
const HAS_SEQUENCE = 0x0800;
const HAS_OFFSET = 0x0200;
const PRIORITY = 0x0100;
const VERSION = 0x000f;
const CONTROL_BYTES = 12;

/** Reads the payload of a UDP datagram of port 1701. */
export function parseL2tp(bytes: Uint8Array): L2tpMessage {
  const reader = new Reader(bytes);
  const flags = reader.u16();
  const version = flags & VERSION;
  if (version !== 2 && version !== 3) throw new WireError('unsupported', 0, `L2TP version ${version}`);
  if ((flags & CONTROL) !== 0) return parseControl(bytes);
  if (version === 2) return parseData(reader, flags);
  // RFC 3931 4.1.2.1: two octets reserved, then the session header.
  reader.skip(2);
  return parseV3Session(reader);
}

/** Reads the payload of an IP packet of protocol 115. */
export function parseL2tpIp(bytes: Uint8Array): L2tpIpMessage {
  const reader = new Reader(bytes);
  // RFC 3931 4.1.1.2: session 0 is reserved for the control connection.
  if (reader.u32() !== 0) return parseV3Session(new Reader(bytes));
  const control = parseControl(reader.rest());
  // RFC 3931 4.1.1: version 2 has no form on IP.
  if (control.version !== 3) throw new WireError('unsupported', 4, `L2TP version ${control.version} on IP`);
  return control;
}

function parseControl(bytes: Uint8Array): L2tpControl | L2tpV3Control {
  const header = new Reader(bytes);
  const flags = header.u16();
  const version = flags & VERSION;
  if (version !== 2 && version !== 3) throw new WireError('unsupported', 0, `L2TP version ${version}`);
  // RFC 2661 3.1, RFC 3931 3.2.1: a control message has length and sequence, and no offset.
  if (
    (flags & (CONTROL | HAS_LENGTH | HAS_SEQUENCE | HAS_OFFSET)) !==
    (CONTROL | HAS_LENGTH | HAS_SEQUENCE)
  ) {
    throw new WireError('malformed', 0, `flags ${flags.toString(16)} in a control message`);
  }
  const length = header.u16();
  // RFC 2661 3.1: the length is of the whole message.
  if (length < CONTROL_BYTES) throw new WireError('malformed', 2, `L2TP length ${length}`);
  const reader = new Reader(new Reader(bytes).bytes(length), header.at);
  if (version === 3) {
    const controlConnectionId = reader.u32();
    const [ns, nr] = [reader.u16(), reader.u16()];
    return { kind: 'control', version, controlConnectionId, ns, nr, avps: readWhole(() => readAvps(reader)) };
  }
  const [tunnelId, sessionId] = [reader.u16(), reader.u16()];
  const [ns, nr] = [reader.u16(), reader.u16()];
  return { kind: 'control', version, tunnelId, sessionId, ns, nr, avps: readWhole(() => readAvps(reader)) };
}

function parseData(reader: Reader, flags: number): L2tpData {
  const length = (flags & HAS_LENGTH) === 0 ? null : reader.u16();
  const tunnelId = reader.u16();
  const sessionId = reader.u16();
  const sequence = (flags & HAS_SEQUENCE) === 0 ? null : { ns: reader.u16(), nr: reader.u16() };
  const offsetBytes = (flags & HAS_OFFSET) === 0 ? null : reader.u16();
  reader.skip(offsetBytes ?? 0);
  // RFC 2661 3.1: the length is of the whole message, so it takes in at least this header.
  if (length !== null && length < reader.at) throw new WireError('malformed', 2, `L2TP length ${length}`);
  const payload = reader.bytes(Math.min(reader.remaining, (length ?? Infinity) - reader.at));
  const priority = (flags & PRIORITY) !== 0;
  return { kind: 'data', version: 2, priority, length, tunnelId, sessionId, sequence, offsetBytes, payload };
}

function parseV3Session(reader: Reader): L2tpV3Data {
  const at = reader.at;
  const sessionId = reader.u32();
  // RFC 3931 4.1: session 0 carries no data.
  if (sessionId === 0) throw new WireError('malformed', at, 'data of session 0');
  return { kind: 'data', version: 3, sessionId, payload: reader.rest() };
}

/** The payload of a UDP datagram of port 1701. */
export function emitL2tp(message: L2tpMessage): Uint8Array {
  if (message.kind === 'control') return emitControl(message);
  if (message.version === 2) return emitData(message);
  const { sessionId, payload } = message;
  return new Writer(8 + payload.length).u16(3).u16(0).u32(sessionId).put(payload).bytes;
}

/** The payload of an IP packet of protocol 115. */
export function emitL2tpIp(message: L2tpIpMessage): Uint8Array {
  const [sessionId, rest] =
    message.kind === 'data' ? [message.sessionId, message.payload] : [0, emitControl(message)];
  return new Writer(4 + rest.length).u32(sessionId).put(rest).bytes;
}

function emitControl(message: L2tpControl | L2tpV3Control): Uint8Array {
  const avps = emitAvps(message.avps);
  const length = CONTROL_BYTES + avps.length;
  assert(length <= 0xffff, 'an L2TP message fits 65535 bytes');
  const writer = new Writer(length).u16(CONTROL | HAS_LENGTH | HAS_SEQUENCE | message.version).u16(length);
  if (message.version === 3) writer.u32(message.controlConnectionId);
  else writer.u16(message.tunnelId).u16(message.sessionId);
  return writer.u16(message.ns).u16(message.nr).put(avps).bytes;
}

function emitData(message: L2tpData): Uint8Array {
  const { priority, length, tunnelId, sessionId, sequence, offsetBytes, payload } = message;
  const flags =
    (length === null ? 0 : HAS_LENGTH) |
    (sequence === null ? 0 : HAS_SEQUENCE) |
    (offsetBytes === null ? 0 : HAS_OFFSET) |
    (priority ? PRIORITY : 0);
  const optional = (length === null ? 0 : 2) + (sequence === null ? 0 : 4) + (offsetBytes === null ? 0 : 2);
  const padding = new Uint8Array(offsetBytes ?? 0);
  const writer = new Writer(6 + optional + padding.length + payload.length).u16(flags | 2);
  if (length !== null) writer.u16(length);
  writer.u16(tunnelId).u16(sessionId);
  if (sequence !== null) writer.u16(sequence.ns).u16(sequence.nr);
  if (offsetBytes !== null) writer.u16(offsetBytes);
  return writer.put(padding).put(payload).bytes;
}

/** The type of a control message, or null for a bare acknowledgment or a first AVP that tells none. */
export function l2tpMessageType(message: L2tpControl | L2tpV3Control): number | null {
  return avpNumber(message.avps.slice(0, 1), l2tpAvpTypes.messageType);
}
