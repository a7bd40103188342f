// STUN messages, as far as asking a server for one's own address needs them: header, attributes as
// bytes, and the mapped address for IPv4. Integrity and fingerprint are not checked; the classic
// form without a cookie (RFC 3489) is refused. RFC 8489 5, 14, 14.1 and 14.2.

import { ipv4Bytes, ipv4FromBytes, type Ipv4Address, type Port } from '../address.ts';
import { Reader, readWhole, WireError, Writer } from './bytes.ts';

/** Message types of the Binding method (RFC 8489 5 and 18.2). */
export const stunTypes = {
  bindingRequest: 0x0001,
  bindingIndication: 0x0011,
  bindingSuccess: 0x0101,
  bindingError: 0x0111,
} as const;

/** An attribute; `value` without its padding. */
export interface StunAttribute {
  readonly type: number;
  readonly value: Uint8Array;
}

/** A message; `transactionId` is of 12 bytes. */
export interface StunMessage {
  readonly type: number;
  readonly transactionId: Uint8Array;
  readonly attributes: readonly StunAttribute[];
}

/** An address as a server saw it. */
export interface MappedAddress {
  readonly address: Ipv4Address;
  readonly port: Port;
}

const COOKIE = 0x2112a442;
const HEADER_BYTES = 20;
const MAPPED_ADDRESS = 0x0001;
const XOR_MAPPED_ADDRESS = 0x0020;
const FAMILY_IPV4 = 0x01;

/** Reads the payload of a UDP datagram. */
export function parseStun(bytes: Uint8Array): StunMessage {
  const reader = new Reader(bytes);
  const type = reader.u16();
  const length = reader.u16();
  // RFC 8489 5: two zero bits, a length of whole words, the cookie.
  if (type > 0x3fff) throw new WireError('malformed', 0, `STUN type ${type.toString(16)}`);
  if (length % 4 !== 0) throw new WireError('malformed', 2, `STUN length ${length}`);
  const cookie = reader.u32();
  if (cookie !== COOKIE) throw new WireError('malformed', 4, `STUN cookie ${cookie.toString(16)}`);
  const transactionId = reader.bytes(12);
  const whole = new Reader(new Reader(bytes).bytes(HEADER_BYTES + length), HEADER_BYTES);
  // RFC 8489 5: the length is all that follows the header.
  if (bytes.length > HEADER_BYTES + length) throw new WireError('malformed', 2, `STUN length ${length}`);
  return { type, transactionId, attributes: readWhole(() => readAttributes(whole)) };
}

function readAttributes(reader: Reader): StunAttribute[] {
  const attributes: StunAttribute[] = [];
  while (reader.remaining > 0) {
    const type = reader.u16();
    const value = reader.bytes(reader.u16());
    // RFC 8489 14: padded to whole words.
    reader.skip(padding(value.length));
    attributes.push({ type, value });
  }
  return attributes;
}

/** The payload of a UDP datagram. */
export function emitStun({ type, transactionId, attributes }: StunMessage): Uint8Array {
  const sizes = attributes.map(({ value }) => 4 + value.length + padding(value.length));
  const length = sizes.reduce((sum, size) => sum + size, 0);
  const writer = new Writer(HEADER_BYTES + length).u16(type).u16(length).u32(COOKIE).put(transactionId);
  for (const { type, value } of attributes) {
    writer
      .u16(type)
      .u16(value.length)
      .put(value)
      .put(new Uint8Array(padding(value.length)));
  }
  return writer.bytes;
}

function padding(length: number): number {
  return -length & 3;
}

/** The address in a response, the XORed one first, or null where there is none of IPv4. */
export function stunMappedAddress({ attributes }: StunMessage): MappedAddress | null {
  for (const wanted of [XOR_MAPPED_ADDRESS, MAPPED_ADDRESS]) {
    const value = attributes.find(({ type }) => type === wanted)?.value;
    // RFC 8489 14.1: a zero byte, the family, the port, the address.
    if (!value || value.length !== 8 || value[1] !== FAMILY_IPV4) continue;
    const mask = wanted === XOR_MAPPED_ADDRESS ? COOKIE : 0;
    return unmask(value, mask);
  }
  return null;
}

function unmask(value: Uint8Array, mask: number): MappedAddress {
  const reader = new Reader(value, 2);
  const port = (reader.u16() ^ (mask >>> 16)) as Port;
  const address = ipv4FromBytes(new Writer(4).u32((reader.u32() ^ mask) >>> 0).bytes);
  return { address, port };
}

/** The XOR-MAPPED-ADDRESS attribute that a server answers with. */
export function xorMappedAddress({ address, port }: MappedAddress): StunAttribute {
  const plain = mappedAddress({ address, port }).value;
  const mask = new Writer(8)
    .u16(0)
    .u16(COOKIE >>> 16)
    .u32(COOKIE).bytes;
  return { type: XOR_MAPPED_ADDRESS, value: plain.map((byte, at) => byte ^ mask[at]!) };
}

/** The MAPPED-ADDRESS attribute of older servers. */
export function mappedAddress({ address, port }: MappedAddress): StunAttribute {
  const value = new Writer(8).u8(0).u8(FAMILY_IPV4).u16(port).put(ipv4Bytes(address)).bytes;
  return { type: MAPPED_ADDRESS, value };
}
