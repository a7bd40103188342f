// ICMP for IPv4: echo, the three errors that quote a datagram, and any other type as bytes. The
// quote is left for `parseIpv4Packet`, which takes what is there; extensions after it (RFC 4884)
// are not told apart from it. The checksum is verified apart from reading, since a cut copy cannot
// be. RFC 792, RFC 1191 4.

import { internetChecksum, Reader, Writer } from './bytes.ts';

/** The types that are read further than their first four bytes. */
export const icmpTypes = {
  echoReply: 0,
  destinationUnreachable: 3,
  echoRequest: 8,
  timeExceeded: 11,
  parameterProblem: 12,
} as const;

/** Codes of destination unreachable that a gateway sends or learns from (RFC 792, RFC 1812 5.2.7.1). */
export const unreachableCodes = {
  network: 0,
  host: 1,
  protocol: 2,
  port: 3,
  fragmentationNeeded: 4,
  administrativelyProhibited: 13,
} as const;

/** An echo request or its reply. */
export interface IcmpEcho {
  readonly kind: 'echo';
  readonly type: typeof icmpTypes.echoRequest | typeof icmpTypes.echoReply;
  readonly code: number;
  readonly identifier: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

/** An error about the datagram it quotes; the MTU is told by type 3 code 4 only, the pointer by type 12 only. */
export interface IcmpErrorMessage {
  readonly kind: 'error';
  readonly type:
    | typeof icmpTypes.destinationUnreachable
    | typeof icmpTypes.timeExceeded
    | typeof icmpTypes.parameterProblem;
  readonly code: number;
  readonly pointer: number;
  readonly nextHopMtuBytes: number;
  readonly quoted: Uint8Array;
}

/** Any other type, with what follows its checksum. */
export interface IcmpOther {
  readonly kind: 'other';
  readonly type: number;
  readonly code: number;
  readonly rest: Uint8Array;
}

/** Any message, told apart by `kind`. */
export type IcmpMessage = IcmpEcho | IcmpErrorMessage | IcmpOther;

/** Reads a message of which at least the first eight bytes are there, or four of a type not known. */
export function parseIcmp(bytes: Uint8Array): IcmpMessage {
  const reader = new Reader(bytes);
  const type = reader.u8();
  const code = reader.u8();
  reader.skip(2);
  switch (type) {
    case icmpTypes.echoRequest:
    case icmpTypes.echoReply: {
      const identifier = reader.u16();
      const sequence = reader.u16();
      return { kind: 'echo', type, code, identifier, sequence, payload: reader.rest() };
    }
    case icmpTypes.destinationUnreachable:
    case icmpTypes.timeExceeded:
    case icmpTypes.parameterProblem: {
      const pointer = reader.u8();
      reader.skip(1);
      const nextHopMtuBytes = reader.u16();
      return { kind: 'error', type, code, pointer, nextHopMtuBytes, quoted: reader.rest() };
    }
    default:
      return { kind: 'other', type, code, rest: reader.rest() };
  }
}

/** The message with its checksum. */
export function emitIcmp(message: IcmpMessage): Uint8Array {
  const writer = new Writer(bodyBytes(message)).u8(message.type).u8(message.code).u16(0);
  if (message.kind === 'echo') {
    writer.u16(message.identifier).u16(message.sequence).put(message.payload);
  } else if (message.kind === 'error') {
    writer.u8(message.pointer).u8(0).u16(message.nextHopMtuBytes).put(message.quoted);
  } else {
    writer.put(message.rest);
  }
  return writer.setU16(2, internetChecksum(writer.bytes)).bytes;
}

function bodyBytes(message: IcmpMessage): number {
  if (message.kind === 'echo') return 8 + message.payload.length;
  return message.kind === 'error' ? 8 + message.quoted.length : 4 + message.rest.length;
}

/** Whether these bytes, a whole message, carry the right checksum. */
export function hasValidIcmpChecksum(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && internetChecksum(bytes) === 0;
}
