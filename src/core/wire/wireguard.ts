// WireGuard's four messages: type, lengths and indices, which is all that is in the clear. The
// indices are little-endian, unlike all else here. The three reserved bytes are kept as a number
// and not refused, for Cloudflare WARP puts a client id there. Nothing is decrypted.
// WireGuard whitepaper 5.4.2 to 5.4.7.

import { Reader, WireError, Writer } from './bytes.ts';

/** The first message of a handshake. */
export interface WireguardInitiation {
  readonly kind: 'initiation';
  readonly reserved: number;
  readonly sender: number;
  readonly body: Uint8Array;
}

/** The answer to an initiation. */
export interface WireguardResponse {
  readonly kind: 'response';
  readonly reserved: number;
  readonly sender: number;
  readonly receiver: number;
  readonly body: Uint8Array;
}

/** What a server under load sends in place of a response. */
export interface WireguardCookieReply {
  readonly kind: 'cookie-reply';
  readonly reserved: number;
  readonly receiver: number;
  readonly body: Uint8Array;
}

/** A packet of the tunnel, or a keepalive where `body` is a tag of 16 bytes. */
export interface WireguardTransport {
  readonly kind: 'transport';
  readonly reserved: number;
  readonly receiver: number;
  readonly counter: bigint;
  readonly body: Uint8Array;
}

/** Any message, told apart by `kind`. */
export type WireguardMessage =
  | WireguardInitiation
  | WireguardResponse
  | WireguardCookieReply
  | WireguardTransport;

/** Bytes of `body` in the messages of one length (of 148, 92 and 64 bytes in all). */
export const wireguardBodyBytes = { initiation: 140, response: 80, 'cookie-reply': 56 } as const;

/** Reads the payload of a UDP datagram; only a transport message may be cut, behind its counter. */
export function parseWireguard(bytes: Uint8Array): WireguardMessage {
  const reader = new Reader(bytes);
  const type = reader.u8();
  const reserved = (reader.u8() << 16) | reader.u16();
  switch (type) {
    case 1: {
      const sender = littleU32(reader);
      return { kind: 'initiation', reserved, sender, body: fixedBody(reader, 'initiation') };
    }
    case 2: {
      const sender = littleU32(reader);
      const receiver = littleU32(reader);
      return { kind: 'response', reserved, sender, receiver, body: fixedBody(reader, 'response') };
    }
    case 3: {
      const receiver = littleU32(reader);
      return { kind: 'cookie-reply', reserved, receiver, body: fixedBody(reader, 'cookie-reply') };
    }
    case 4: {
      const receiver = littleU32(reader);
      const low = littleU32(reader);
      const counter = (BigInt(littleU32(reader)) << 32n) | BigInt(low);
      return { kind: 'transport', reserved, receiver, counter, body: reader.rest() };
    }
    default:
      throw new WireError('unsupported', 0, `WireGuard message type ${type}`);
  }
}

function fixedBody(reader: Reader, kind: keyof typeof wireguardBodyBytes): Uint8Array {
  const body = reader.bytes(wireguardBodyBytes[kind]);
  // Whitepaper 5.4: handshake messages have one length, and the kernel drops any other.
  if (reader.remaining > 0) throw new WireError('malformed', reader.at, `${kind} too long`);
  return body;
}

/** The payload of a UDP datagram. */
export function emitWireguard(message: WireguardMessage): Uint8Array {
  const { body } = message;
  switch (message.kind) {
    case 'initiation':
      return start(8 + body.length, 1, message)
        .put(little(message.sender))
        .put(body).bytes;
    case 'response':
      return start(12 + body.length, 2, message)
        .put(little(message.sender))
        .put(little(message.receiver))
        .put(body).bytes;
    case 'cookie-reply':
      return start(8 + body.length, 3, message)
        .put(little(message.receiver))
        .put(body).bytes;
    case 'transport':
      return start(16 + body.length, 4, message)
        .put(little(message.receiver))
        .put(little(Number(message.counter & 0xffffffffn)))
        .put(little(Number(message.counter >> 32n)))
        .put(body).bytes;
  }
}

function start(length: number, type: number, { reserved }: WireguardMessage): Writer {
  return new Writer(length).u32(type * 0x1000000 + reserved);
}

function littleU32(reader: Reader): number {
  return new Reader(reader.bytes(4).toReversed()).u32();
}

function little(value: number): Uint8Array {
  return new Writer(4).u32(value).bytes.toReversed();
}
