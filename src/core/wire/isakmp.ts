// IKE messages of both versions: the header, which is always in the clear and can be read from a
// copy cut short, and the chain of payloads as far as it is not encrypted. What is inside the
// payloads is read in isakmp-payloads.ts; nothing is decrypted or authenticated.
// RFC 2408 3.1 and 3.2 (version 1), RFC 7296 3.1, 3.2 and 3.14 (version 2), RFC 7383 2.5.

import { assert } from '../assert.ts';
import { Reader, readWhole, WireError, Writer } from './bytes.ts';

/** Exchange types (RFC 2408 3.1, RFC 2409 A, RFC 7296 3.1). */
export const exchangeTypes = {
  mainMode: 2,
  aggressiveMode: 4,
  informationalV1: 5,
  quickMode: 32,
  ikeSaInit: 34,
  ikeAuth: 35,
  createChildSa: 36,
  informational: 37,
} as const;

/** Payload types of version 1 (RFC 2408 3.1, RFC 3947 3.2; 130 is that of the drafts before it). */
export const payloadTypesV1 = {
  securityAssociation: 1,
  keyExchange: 4,
  identification: 5,
  hash: 8,
  nonce: 10,
  notification: 11,
  delete: 12,
  vendorId: 13,
  natDetection: 20,
  natDetectionDraft: 130,
} as const;

/** Payload types of version 2 (RFC 7296 3.2, RFC 7383 2.5). */
export const payloadTypesV2 = {
  securityAssociation: 33,
  keyExchange: 34,
  nonce: 40,
  notify: 41,
  delete: 42,
  vendorId: 43,
  encrypted: 46,
  encryptedFragment: 53,
} as const;

/** The flags octet: the first three are of version 1, the others of version 2. */
export interface IsakmpFlags {
  readonly encryption: boolean;
  readonly commit: boolean;
  readonly authenticationOnly: boolean;
  readonly initiator: boolean;
  readonly higherVersion: boolean;
  readonly response: boolean;
}

/** The header; the SPIs are the cookies of version 1, and `length` counts the header too. */
export interface IsakmpHeader {
  readonly initiatorSpi: bigint;
  readonly responderSpi: bigint;
  readonly nextPayload: number;
  readonly majorVersion: 1 | 2;
  readonly minorVersion: number;
  readonly exchangeType: number;
  readonly flags: IsakmpFlags;
  readonly messageId: number;
  readonly length: number;
}

/** One payload of the chain, without its generic header; `critical` is of version 2. */
export interface IsakmpPayload {
  readonly type: number;
  readonly critical: boolean;
  readonly body: Uint8Array;
}

/**
 * What is encrypted: in version 1 the whole chain (`payloadType` null), in version 2 the body of
 * the last payload, of type 46 or 53. `firstPayload` is the type of the first payload inside.
 */
export interface IsakmpEncrypted {
  readonly payloadType: number | null;
  readonly firstPayload: number;
  readonly bytes: Uint8Array;
}

/** A whole message. */
export interface IsakmpMessage {
  readonly header: IsakmpHeader;
  readonly payloads: readonly IsakmpPayload[];
  readonly encrypted: IsakmpEncrypted | null;
}

/** What `emitIsakmp` needs: a message, its length and first payload type worked out for it. */
export interface IsakmpDraft extends Omit<IsakmpMessage, 'header'> {
  readonly header: Omit<IsakmpHeader, 'length' | 'nextPayload' | 'flags'> & {
    readonly flags: Partial<IsakmpFlags>;
  };
}

const HEADER_BYTES = 28;
const CRITICAL = 0x80;

const FLAG_BITS = {
  encryption: 0x01,
  commit: 0x02,
  authenticationOnly: 0x04,
  initiator: 0x08,
  higherVersion: 0x10,
  response: 0x20,
} as const satisfies Record<keyof IsakmpFlags, number>;

/** Reads the header alone, also of a message cut short after it. */
export function parseIsakmpHeader(bytes: Uint8Array): IsakmpHeader {
  const reader = new Reader(bytes);
  const initiatorSpi = reader.u64();
  // RFC 2408 2.5.3, RFC 7296 3.1: the initiator's cookie or SPI is never zero.
  if (initiatorSpi === 0n) throw new WireError('malformed', 0, 'initiator SPI 0');
  const responderSpi = reader.u64();
  const nextPayload = reader.u8();
  const version = reader.u8();
  const majorVersion = version >> 4;
  // RFC 7296 3.1: a message of a higher major version is dropped.
  if (majorVersion !== 1 && majorVersion !== 2) {
    throw new WireError('unsupported', 17, `IKE version ${majorVersion}`);
  }
  const exchangeType = reader.u8();
  const bits = reader.u8();
  const has = (flag: keyof IsakmpFlags): boolean => (bits & FLAG_BITS[flag]) !== 0;
  const messageId = reader.u32();
  const length = reader.u32();
  // RFC 2408 3.1, RFC 7296 3.1: the length is of the whole message, header included.
  if (length < HEADER_BYTES) throw new WireError('malformed', 24, `IKE length ${length}`);
  return {
    initiatorSpi,
    responderSpi,
    nextPayload,
    majorVersion,
    minorVersion: version & 0x0f,
    exchangeType,
    flags: {
      encryption: has('encryption'),
      commit: has('commit'),
      authenticationOnly: has('authenticationOnly'),
      initiator: has('initiator'),
      higherVersion: has('higherVersion'),
      response: has('response'),
    },
    messageId,
    length,
  };
}

/** Reads a whole message; bytes after its length are left alone. */
export function parseIsakmp(bytes: Uint8Array): IsakmpMessage {
  const header = parseIsakmpHeader(bytes);
  const whole = new Reader(bytes).bytes(header.length);
  const reader = new Reader(whole, HEADER_BYTES);
  if (header.majorVersion === 1 && header.flags.encryption) {
    const encrypted = { payloadType: null, firstPayload: header.nextPayload, bytes: reader.rest() };
    return { header, payloads: [], encrypted };
  }
  return { header, ...readWhole(() => readChain(reader, header)) };
}

function readChain(reader: Reader, header: IsakmpHeader): Omit<IsakmpMessage, 'header'> {
  const payloads: IsakmpPayload[] = [];
  let type = header.nextPayload;
  while (type !== 0) {
    const next = reader.u8();
    const critical = (reader.u8() & CRITICAL) !== 0;
    const at = reader.at;
    const length = reader.u16();
    // RFC 2408 3.2, RFC 7296 3.2: the length counts the generic header of four octets.
    if (length < 4) throw new WireError('malformed', at, `payload length ${length}`);
    const body = reader.bytes(length - 4);
    if (header.majorVersion === 2 && isEncrypted(type)) {
      // RFC 7296 3.14: it is the last payload, and its next payload is the first one inside.
      return { payloads, encrypted: { payloadType: type, firstPayload: next, bytes: body } };
    }
    payloads.push({ type, critical, body });
    type = next;
  }
  return { payloads, encrypted: null };
}

function isEncrypted(payloadType: number): boolean {
  return payloadType === payloadTypesV2.encrypted || payloadType === payloadTypesV2.encryptedFragment;
}

/** The message, its payloads chained in order, what is encrypted at the end. */
export function emitIsakmp({ header, payloads, encrypted }: IsakmpDraft): Uint8Array {
  assert(encrypted?.payloadType !== null || payloads.length === 0, 'version 1 encrypts the whole chain');
  const last = encrypted === null ? 0 : (encrypted.payloadType ?? encrypted.firstPayload);
  const types = [...payloads.map((payload) => payload.type), last];
  const encryptedBytes =
    encrypted === null ? 0 : encrypted.bytes.length + (encrypted.payloadType === null ? 0 : 4);
  const length = payloads.reduce((sum, { body }) => sum + 4 + body.length, HEADER_BYTES + encryptedBytes);
  let bits = 0;
  for (const [flag, bit] of Object.entries(FLAG_BITS)) {
    if (header.flags[flag as keyof IsakmpFlags]) bits |= bit;
  }
  const writer = new Writer(length)
    .u64(header.initiatorSpi)
    .u64(header.responderSpi)
    .u8(types[0]!)
    .u8((header.majorVersion << 4) | header.minorVersion)
    .u8(header.exchangeType)
    .u8(bits)
    .u32(header.messageId)
    .u32(length);
  for (const [index, { critical, body }] of payloads.entries()) {
    writePayload(writer, types[index + 1]!, critical, body);
  }
  if (encrypted?.payloadType === null) writer.put(encrypted.bytes);
  else if (encrypted) writePayload(writer, encrypted.firstPayload, false, encrypted.bytes);
  return writer.bytes;
}

function writePayload(writer: Writer, next: number, critical: boolean, body: Uint8Array): void {
  assert(body.length <= 0xffff - 4, 'an IKE payload fits 65535 bytes');
  writer
    .u8(next)
    .u8(critical ? CRITICAL : 0)
    .u16(4 + body.length)
    .put(body);
}
