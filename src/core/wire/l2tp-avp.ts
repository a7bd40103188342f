// The attribute value pairs of L2TP control messages, the same in both versions. Values are bytes,
// and hidden ones stay hidden. RFC 2661 4, RFC 3931 5.

import { assert } from '../assert.ts';
import { Reader, WireError, Writer } from './bytes.ts';

/** Control message types (RFC 2661 3.2, RFC 3931 3.1; the last is of version 3 only). */
export const l2tpMessageTypes = {
  startControlConnectionRequest: 1,
  startControlConnectionReply: 2,
  startControlConnectionConnected: 3,
  stopControlConnection: 4,
  hello: 6,
  outgoingCallRequest: 7,
  outgoingCallReply: 8,
  outgoingCallConnected: 9,
  incomingCallRequest: 10,
  incomingCallReply: 11,
  incomingCallConnected: 12,
  callDisconnectNotify: 14,
  wanErrorNotify: 15,
  setLinkInfo: 16,
  explicitAcknowledgment: 20,
} as const;

/** Attribute types of vendor 0 (RFC 2661 4.4; from `routerId` on of version 3, RFC 3931 5.4). */
export const l2tpAvpTypes = {
  messageType: 0,
  resultCode: 1,
  protocolVersion: 2,
  framingCapabilities: 3,
  bearerCapabilities: 4,
  tieBreaker: 5,
  firmwareRevision: 6,
  hostName: 7,
  vendorName: 8,
  assignedTunnelId: 9,
  receiveWindowSize: 10,
  challenge: 11,
  challengeResponse: 13,
  assignedSessionId: 14,
  callSerialNumber: 15,
  framingType: 19,
  connectSpeed: 24,
  routerId: 60,
  assignedControlConnectionId: 61,
  pseudowireCapabilities: 62,
  localSessionId: 63,
  remoteSessionId: 64,
  pseudowireType: 68,
} as const;

/** One AVP; where `hidden` is set the value is encrypted. */
export interface L2tpAvp {
  readonly mandatory: boolean;
  readonly hidden: boolean;
  readonly vendorId: number;
  readonly type: number;
  readonly value: Uint8Array;
}

const HEADER_BYTES = 6;
const MANDATORY = 0x8000;
const HIDDEN = 0x4000;
const LENGTH = 0x03ff;

/** Reads AVPs until nothing is left of `reader`. */
export function readAvps(reader: Reader): L2tpAvp[] {
  const avps: L2tpAvp[] = [];
  while (reader.remaining > 0) {
    const at = reader.at;
    const flagsAndLength = reader.u16();
    const length = flagsAndLength & LENGTH;
    // RFC 2661 4.1: the length counts the AVP's header.
    if (length < HEADER_BYTES) throw new WireError('malformed', at, `AVP length ${length}`);
    avps.push({
      mandatory: (flagsAndLength & MANDATORY) !== 0,
      hidden: (flagsAndLength & HIDDEN) !== 0,
      vendorId: reader.u16(),
      type: reader.u16(),
      value: reader.bytes(length - HEADER_BYTES),
    });
  }
  return avps;
}

/** The AVPs in order, as they stand in a control message. */
export function emitAvps(avps: readonly L2tpAvp[]): Uint8Array {
  const writer = new Writer(avps.reduce((sum, { value }) => sum + HEADER_BYTES + value.length, 0));
  for (const { mandatory, hidden, vendorId, type, value } of avps) {
    const length = HEADER_BYTES + value.length;
    assert(length <= LENGTH, 'an AVP fits 1023 octets');
    writer
      .u16((mandatory ? MANDATORY : 0) | (hidden ? HIDDEN : 0) | length)
      .u16(vendorId)
      .u16(type)
      .put(value);
  }
  return writer.bytes;
}

/** A mandatory AVP of vendor 0 in the clear, the form most have. */
export function avp(type: number, value: Uint8Array): L2tpAvp {
  return { mandatory: true, hidden: false, vendorId: 0, type, value };
}

/** A mandatory AVP of vendor 0 whose value is a number of 16 bits. */
export function avpU16(type: number, value: number): L2tpAvp {
  return avp(type, new Writer(2).u16(value).bytes);
}

/** A mandatory AVP of vendor 0 whose value is a number of 32 bits. */
export function avpU32(type: number, value: number): L2tpAvp {
  return avp(type, new Writer(4).u32(value).bytes);
}

/** The first number in the AVP of this type of vendor 0, of 16 bits or, if longer, 32; null where it is absent or hidden. */
export function avpNumber(avps: readonly L2tpAvp[], type: number): number | null {
  const found = avps.find((each) => each.vendorId === 0 && each.type === type);
  if (!found || found.hidden || found.value.length < 2) return null;
  const reader = new Reader(found.value);
  return found.value.length < 4 ? reader.u16() : reader.u32();
}
