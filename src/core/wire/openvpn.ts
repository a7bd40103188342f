// OpenVPN packets over UDP, and over TCP behind a length of two bytes: opcode, key id, and the
// session or peer id. What follows depends on keys the ends share (tls-auth and tls-crypt put a
// MAC and more in between), so it is bytes; `parseOpenvpnControlBody` reads it where there is no
// such key. Nothing is decrypted. OpenVPN protocol, openvpn-rfc 4.2 to 4.4; ssl_pkt.h.

import { assert } from '../assert.ts';
import { Reader, readWhole, WireError, Writer } from './bytes.ts';

/** The opcodes that OpenVPN has had, P_ in its sources. */
export const openvpnOpcodes = {
  hardResetClientV1: 1,
  hardResetServerV1: 2,
  softResetV1: 3,
  controlV1: 4,
  ackV1: 5,
  dataV1: 6,
  hardResetClientV2: 7,
  hardResetServerV2: 8,
  dataV2: 9,
  hardResetClientV3: 10,
  controlWkcV1: 11,
} as const;

/** A packet of the control channel; `sessionId` is the sender's. */
export interface OpenvpnControl {
  readonly kind: 'control';
  readonly opcode: number;
  readonly keyId: number;
  readonly sessionId: bigint;
  readonly body: Uint8Array;
}

/** A packet of the data channel; version 1 has no peer id. */
export interface OpenvpnData {
  readonly kind: 'data';
  readonly keyId: number;
  readonly peerId: number | null;
  readonly body: Uint8Array;
}

/** Any packet, told apart by `kind`. */
export type OpenvpnPacket = OpenvpnControl | OpenvpnData;

/** The body of a control packet where no key wraps it; `packetId` is null in an ACK, the peer's session id without acks. */
export interface OpenvpnControlBody {
  readonly acks: readonly number[];
  readonly remoteSessionId: bigint | null;
  readonly packetId: number | null;
  readonly payload: Uint8Array;
}

const { ackV1, dataV1, dataV2 } = openvpnOpcodes;

/** Reads the payload of a UDP datagram; a copy may be cut behind the ids. */
export function parseOpenvpn(bytes: Uint8Array): OpenvpnPacket {
  const reader = new Reader(bytes);
  const first = reader.u8();
  const opcode = first >> 3;
  const keyId = first & 0x07;
  if (opcode === dataV1) return { kind: 'data', keyId, peerId: null, body: reader.rest() };
  if (opcode === dataV2) {
    const peerId = (reader.u8() << 16) | reader.u16();
    return { kind: 'data', keyId, peerId, body: reader.rest() };
  }
  // ssl_pkt.h: P_LAST_OPCODE is 11; the layout behind a new opcode is not known.
  if (opcode < openvpnOpcodes.hardResetClientV1 || opcode > openvpnOpcodes.controlWkcV1) {
    throw new WireError('unsupported', 0, `OpenVPN opcode ${opcode}`);
  }
  return { kind: 'control', opcode, keyId, sessionId: reader.u64(), body: reader.rest() };
}

/** Reads the whole packet that a TCP stream begins with; what comes after it is left alone. */
export function parseOpenvpnTcp(bytes: Uint8Array): OpenvpnPacket {
  const reader = new Reader(bytes);
  const length = reader.u16();
  const packet = reader.bytes(length);
  // The opcode and a peer id, or a session id, take up part of every packet.
  if (length < 1) throw new WireError('malformed', 0, 'OpenVPN packet of no bytes');
  return readWhole(() => parseOpenvpn(packet), reader.at - length);
}

/** The payload of a UDP datagram. */
export function emitOpenvpn(packet: OpenvpnPacket): Uint8Array {
  const { keyId, body } = packet;
  assert(keyId < 8, 'a key id is of three bits');
  if (packet.kind === 'control') {
    const writer = new Writer(9 + body.length).u8((packet.opcode << 3) | keyId);
    return writer.u64(packet.sessionId).put(body).bytes;
  }
  if (packet.peerId === null) {
    return new Writer(1 + body.length).u8((dataV1 << 3) | keyId).put(body).bytes;
  }
  const first = ((dataV2 << 3) | keyId) * 0x1000000;
  return new Writer(4 + body.length).u32(first + packet.peerId).put(body).bytes;
}

/** The packet as it stands in a TCP stream. */
export function emitOpenvpnTcp(packet: OpenvpnPacket): Uint8Array {
  const bytes = emitOpenvpn(packet);
  return new Writer(2 + bytes.length).u16(bytes.length).put(bytes).bytes;
}

/** Reads the body of a control packet that no key wraps. */
export function parseOpenvpnControlBody(opcode: number, body: Uint8Array): OpenvpnControlBody {
  const reader = new Reader(body);
  const count = reader.u8();
  const acks = Array.from({ length: count }, () => reader.u32());
  const remoteSessionId = count === 0 ? null : reader.u64();
  const packetId = opcode === ackV1 ? null : reader.u32();
  return { acks, remoteSessionId, packetId, payload: reader.rest() };
}

/** The body of a control packet; with `acks` goes a `remoteSessionId`. */
export function emitOpenvpnControlBody(body: OpenvpnControlBody): Uint8Array {
  const { acks, remoteSessionId, packetId, payload } = body;
  assert(acks.length > 0 === (remoteSessionId !== null), 'acks go with a remote session id');
  const optional = (remoteSessionId === null ? 0 : 8) + (packetId === null ? 0 : 4);
  const writer = new Writer(1 + 4 * acks.length + optional + payload.length).u8(acks.length);
  for (const ack of acks) writer.u32(ack);
  if (remoteSessionId !== null) writer.u64(remoteSessionId);
  if (packetId !== null) writer.u32(packetId);
  return writer.put(payload).bytes;
}
