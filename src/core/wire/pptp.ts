// The control messages of PPTP, all fifteen. Each is a table row: its number and its fields in
// wire order, from which the value type, the reader and the writer follow. Knows nothing of who
// may send what when, nor of TCP: pptp-stream.ts finds the messages in a byte stream.
// RFC 2637 1.4 and 2.1 to 2.15.

import { assert, unreachable } from '../assert.ts';
import { Reader, WireError, Writer } from './bytes.ts';

const FIELD_BYTES = { u8: 1, u16: 2, u32: 4, text64: 64, text128: 128, zero8: 1, zero16: 2 } as const;

type FieldKind = keyof typeof FIELD_BYTES;
type Fields = Readonly<Record<string, FieldKind>>;

const layouts = {
  'start-request': {
    type: 1, // RFC 2637 2.1
    fields: {
      protocolVersion: 'u16',
      reserved: 'zero16',
      framingCapabilities: 'u32',
      bearerCapabilities: 'u32',
      maximumChannels: 'u16',
      firmwareRevision: 'u16',
      hostName: 'text64',
      vendorName: 'text64',
    },
  },
  'start-reply': {
    type: 2, // RFC 2637 2.2
    fields: {
      protocolVersion: 'u16',
      resultCode: 'u8',
      errorCode: 'u8',
      framingCapabilities: 'u32',
      bearerCapabilities: 'u32',
      maximumChannels: 'u16',
      firmwareRevision: 'u16',
      hostName: 'text64',
      vendorName: 'text64',
    },
  },
  'stop-request': {
    type: 3, // RFC 2637 2.3
    fields: { reason: 'u8', reserved1: 'zero8', reserved2: 'zero16' },
  },
  'stop-reply': {
    type: 4, // RFC 2637 2.4
    fields: { resultCode: 'u8', errorCode: 'u8', reserved: 'zero16' },
  },
  'echo-request': {
    type: 5, // RFC 2637 2.5
    fields: { identifier: 'u32' },
  },
  'echo-reply': {
    type: 6, // RFC 2637 2.6
    fields: { identifier: 'u32', resultCode: 'u8', errorCode: 'u8', reserved: 'zero16' },
  },
  'outgoing-call-request': {
    type: 7, // RFC 2637 2.7
    fields: {
      callId: 'u16',
      callSerialNumber: 'u16',
      minimumBps: 'u32',
      maximumBps: 'u32',
      bearerType: 'u32',
      framingType: 'u32',
      receiveWindowSize: 'u16',
      processingDelay: 'u16',
      phoneNumberLength: 'u16',
      reserved: 'zero16',
      phoneNumber: 'text64',
      subaddress: 'text64',
    },
  },
  'outgoing-call-reply': {
    type: 8, // RFC 2637 2.8
    fields: {
      callId: 'u16',
      peerCallId: 'u16',
      resultCode: 'u8',
      errorCode: 'u8',
      causeCode: 'u16',
      connectSpeedBps: 'u32',
      receiveWindowSize: 'u16',
      processingDelay: 'u16',
      physicalChannelId: 'u32',
    },
  },
  'incoming-call-request': {
    type: 9, // RFC 2637 2.9
    fields: {
      callId: 'u16',
      callSerialNumber: 'u16',
      bearerType: 'u32',
      physicalChannelId: 'u32',
      dialedNumberLength: 'u16',
      dialingNumberLength: 'u16',
      dialedNumber: 'text64',
      dialingNumber: 'text64',
      subaddress: 'text64',
    },
  },
  'incoming-call-reply': {
    type: 10, // RFC 2637 2.10
    fields: {
      callId: 'u16',
      peerCallId: 'u16',
      resultCode: 'u8',
      errorCode: 'u8',
      receiveWindowSize: 'u16',
      transmitDelay: 'u16',
      reserved: 'zero16',
    },
  },
  'incoming-call-connected': {
    type: 11, // RFC 2637 2.11
    fields: {
      peerCallId: 'u16',
      reserved: 'zero16',
      connectSpeedBps: 'u32',
      receiveWindowSize: 'u16',
      transmitDelay: 'u16',
      framingType: 'u32',
    },
  },
  'call-clear-request': {
    type: 12, // RFC 2637 2.12
    fields: { callId: 'u16', reserved: 'zero16' },
  },
  'call-disconnect-notify': {
    type: 13, // RFC 2637 2.13
    fields: {
      callId: 'u16',
      resultCode: 'u8',
      errorCode: 'u8',
      causeCode: 'u16',
      reserved: 'zero16',
      callStatistics: 'text128',
    },
  },
  'wan-error-notify': {
    type: 14, // RFC 2637 2.14
    fields: {
      peerCallId: 'u16',
      reserved: 'zero16',
      crcErrors: 'u32',
      framingErrors: 'u32',
      hardwareOverruns: 'u32',
      bufferOverruns: 'u32',
      timeoutErrors: 'u32',
      alignmentErrors: 'u32',
    },
  },
  'set-link-info': {
    type: 15, // RFC 2637 2.15
    fields: { peerCallId: 'u16', reserved: 'zero16', sendAccm: 'u32', receiveAccm: 'u32' },
  },
} as const satisfies Record<string, { type: number; fields: Fields }>;

type Layouts = typeof layouts;
type Kind = keyof Layouts;
type Values<F> = {
  readonly [K in keyof F as F[K] extends `zero${string}` ? never : K]: F[K] extends `text${string}`
    ? string
    : number;
};

/** The message of one kind; texts are Latin-1 up to their first zero octet. */
export type PptpMessageOf<K extends Kind> = { readonly kind: K } & Values<Layouts[K]['fields']>;

/** A control message of a type that RFC 2637 does not have, behind its header. */
export interface PptpUnknown {
  readonly kind: 'unknown';
  readonly type: number;
  readonly body: Uint8Array;
}

/** Any control message, told apart by `kind`. */
export type PptpMessage = { [K in Kind]: PptpMessageOf<K> }[Kind] | PptpUnknown;

/** Result codes that mean success in the replies (RFC 2637 2.2 and 2.8). */
export const PPTP_OK = 1;

/** The magic cookie of every control message (RFC 2637 1.4). */
const PPTP_COOKIE = 0x1a2b3c4d;

/** Octets that must be there before `pptpMessageLength` can tell anything. */
export const PPTP_PREFIX_BYTES = 8;

/** The longest message taken: RFC 2637 has none over 220 octets, and devices may append a little. */
const PPTP_MAXIMUM_BYTES = 512;

const HEADER_BYTES = 12;
const CONTROL = 1;

const kindsByType = new Map<number, Kind>(Object.entries(layouts).map(([k, row]) => [row.type, k as Kind]));

/** The length of the message that begins here, from its first eight octets; what is no control message is refused. */
export function pptpMessageLength(bytes: Uint8Array): number {
  const reader = new Reader(bytes);
  const length = reader.u16();
  const messageType = reader.u16();
  const cookie = reader.u32();
  // RFC 2637 2: the cookie is what shows that sender and receiver agree where messages begin.
  if (cookie !== PPTP_COOKIE) throw new WireError('malformed', 4, `magic cookie ${cookie.toString(16)}`);
  // RFC 2637 2: only message type 1 is defined; 2 was meant for management messages.
  if (messageType !== CONTROL) throw new WireError('unsupported', 2, `PPTP message type ${messageType}`);
  // RFC 2637 2: the length counts the whole message.
  if (length < HEADER_BYTES || length > PPTP_MAXIMUM_BYTES) {
    throw new WireError('malformed', 0, `PPTP length ${length}`);
  }
  return length;
}

/** Reads the one message that these bytes begin with; octets beyond the fields it should have are left alone. */
export function parsePptp(bytes: Uint8Array): PptpMessage {
  const length = pptpMessageLength(bytes);
  const reader = new Reader(new Reader(bytes).bytes(length), PPTP_PREFIX_BYTES);
  const type = reader.u16();
  reader.skip(2);
  const kind = kindsByType.get(type);
  if (kind === undefined) return { kind: 'unknown', type, body: reader.rest() };
  const fields: Fields = layouts[kind].fields;
  // RFC 2637 2.1 to 2.15 give each message one length.
  if (length < messageBytes(fields)) throw new WireError('malformed', 0, `${kind} of ${length} octets`);
  const message: Record<string, string | number> = { kind };
  for (const [name, field] of Object.entries(fields)) {
    const value = readField(reader, field);
    if (value !== null) message[name] = value;
  }
  return message as unknown as PptpMessage;
}

function readField(reader: Reader, field: FieldKind): string | number | null {
  switch (field) {
    case 'u8':
      return reader.u8();
    case 'u16':
      return reader.u16();
    case 'u32':
      return reader.u32();
    case 'text64':
    case 'text128': {
      const bytes = reader.bytes(FIELD_BYTES[field]);
      const end = bytes.indexOf(0);
      return String.fromCharCode(...(end < 0 ? bytes : bytes.subarray(0, end)));
    }
    case 'zero8':
    case 'zero16':
      reader.skip(FIELD_BYTES[field]);
      return null;
    default:
      return unreachable(field);
  }
}

/** Asks for a control connection, as one that offers all and is nobody in particular (RFC 2637 2.1). */
export function pptpStartRequest(hostName = ''): PptpMessage {
  return {
    kind: 'start-request',
    protocolVersion: 0x0100,
    framingCapabilities: 3,
    bearerCapabilities: 3,
    maximumChannels: 0,
    firmwareRevision: 0,
    hostName,
    vendorName: '',
  };
}

/** Asks for a call of any speed and kind (RFC 2637 2.7). */
export function pptpCallRequest(callId: number, callSerialNumber: number): PptpMessage {
  return {
    kind: 'outgoing-call-request',
    callId,
    callSerialNumber,
    minimumBps: 300,
    maximumBps: 100_000_000,
    bearerType: 3,
    framingType: 3,
    receiveWindowSize: 64,
    processingDelay: 0,
    phoneNumberLength: 0,
    phoneNumber: '',
    subaddress: '',
  };
}

/** The whole message with its header. */
export function emitPptp(message: PptpMessage): Uint8Array {
  if (message.kind === 'unknown') {
    return header(HEADER_BYTES + message.body.length, message.type).put(message.body).bytes;
  }
  const { type, fields }: { type: number; fields: Fields } = layouts[message.kind];
  const writer = header(messageBytes(fields), type);
  const values = message as unknown as Readonly<Record<string, string | number | undefined>>;
  for (const [name, field] of Object.entries(fields)) writeField(writer, field, values[name] ?? 0);
  return writer.bytes;
}

function header(length: number, type: number): Writer {
  assert(length <= PPTP_MAXIMUM_BYTES, 'a PPTP message is short');
  return new Writer(length).u16(length).u16(CONTROL).u32(PPTP_COOKIE).u16(type).u16(0);
}

function writeField(writer: Writer, field: FieldKind, value: string | number): void {
  const size = FIELD_BYTES[field];
  if (typeof value === 'string') {
    assert(value.length <= size, `"${value}" fits ${size} octets`);
    const text = new Uint8Array(size);
    text.set(Uint8Array.from(value, (letter) => letter.charCodeAt(0)));
    writer.put(text);
  } else if (size === 1) writer.u8(value);
  else if (size === 2) writer.u16(value);
  else writer.u32(value);
}

function messageBytes(fields: Fields): number {
  return Object.values(fields).reduce((sum, field) => sum + FIELD_BYTES[field], HEADER_BYTES);
}
