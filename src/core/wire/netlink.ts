// Netlink's frame: messages in a datagram, attributes in a message, and the two control messages
// that end a request. Knows no family's contents (rtnetlink, ctnetlink and xfrm have their own
// files). Headers are in the host's byte order, which is little-endian on every machine we support;
// reading them on a big-endian one fails at the first length. linux/netlink.h, RFC 3549 2.3.
import { WireError } from './bytes.ts';

const HOST_LITTLE_ENDIAN = true;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

export const NLM_F_REQUEST = 0x001;
export const NLM_F_ACK = 0x004;
export const NLM_F_DUMP_INTR = 0x010;
export const NLM_F_DUMP = 0x300;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;

const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;

const NLMSGERR_ATTR_MSG = 1;

const HEADER_LENGTH = 16;
const ATTRIBUTE_HEADER_LENGTH = 4;

/** One message; `payload` is what follows the header, as a view into the datagram. */
export interface NetlinkMessage {
  type: number;
  flags: number;
  sequence: number;
  /** The port of the socket that asked, 0 for what the kernel says on its own. */
  portId: number;
  payload: Uint8Array;
}

/** How a request ended: errno 0 for success, and the kernel's own explanation when it gave one. */
export interface NetlinkOutcome {
  errno: number;
  text: string | null;
}

/** Attributes by type; the last of several with one type, as in the kernel's own nla_parse. */
export type Attributes = ReadonlyMap<number, Uint8Array>;

/** Attributes to send, in order; a list as value becomes a nested attribute. */
export type AttributeList = readonly (readonly [type: number, value: Uint8Array | AttributeList])[];

// Not by bits: a length of 2^31 and more must not become negative.
const aligned = (length: number): number => Math.ceil(length / 4) * 4;

function need(bytes: Uint8Array, at: number, length: number): void {
  if (at + length > bytes.length) {
    throw new WireError('truncated', bytes.length, `${length} bytes wanted at byte ${at}`);
  }
}

// Low byte first, and by hand: a DataView for each attribute took a third longer for a conntrack table.

export function parseHostU16(bytes: Uint8Array, at = 0): number {
  need(bytes, at, 2);
  return bytes[at]! | (bytes[at + 1]! << 8);
}

export function parseHostU32(bytes: Uint8Array, at = 0): number {
  need(bytes, at, 4);
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

export function emitHostU32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, HOST_LITTLE_ENDIAN);
  return bytes;
}

/** Text up to the first NUL; UTF-8 if it is that, else one character per byte. */
export function parseText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  const used = end < 0 ? bytes : bytes.subarray(0, end);
  const text = Array.from(used, (byte) => String.fromCharCode(byte)).join('');
  if (used.every((byte) => byte < 0x80)) return text;
  try {
    // The pure core has no TextDecoder. A link's name may hold any byte but "/", ":" and blanks.
    return decodeURIComponent(
      Array.from(text, (char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`).join(''),
    );
  } catch {
    return text;
  }
}

/** All messages of one datagram. */
export function parseMessages(datagram: Uint8Array): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  let at = 0;
  while (at < datagram.length) {
    need(datagram, at, HEADER_LENGTH);
    const length = parseHostU32(datagram, at);
    if (length < HEADER_LENGTH) {
      throw new WireError('malformed', at, `a message of ${length} bytes, ${HEADER_LENGTH} is the least`);
    }
    if (at + length > datagram.length) {
      throw new WireError('truncated', datagram.length, `a message of ${length} bytes at byte ${at}`);
    }
    messages.push({
      type: parseHostU16(datagram, at + 4),
      flags: parseHostU16(datagram, at + 6),
      sequence: parseHostU32(datagram, at + 8),
      portId: parseHostU32(datagram, at + 12),
      payload: datagram.subarray(at + HEADER_LENGTH, at + length),
    });
    at += aligned(length);
  }
  return messages;
}

/** The message, padded so that another may follow it in the same datagram. */
export function emitMessage(message: NetlinkMessage): Uint8Array {
  const length = HEADER_LENGTH + message.payload.length;
  const bytes = new Uint8Array(aligned(length));
  const header = new DataView(bytes.buffer);
  header.setUint32(0, length, HOST_LITTLE_ENDIAN);
  header.setUint16(4, message.type, HOST_LITTLE_ENDIAN);
  header.setUint16(6, message.flags, HOST_LITTLE_ENDIAN);
  header.setUint32(8, message.sequence, HOST_LITTLE_ENDIAN);
  header.setUint32(12, message.portId, HOST_LITTLE_ENDIAN);
  bytes.set(message.payload, HEADER_LENGTH);
  return bytes;
}

/** The attributes in `bytes` from `at`; padding after the last one may be missing. */
export function parseAttributes(bytes: Uint8Array, at = 0): Attributes {
  const attributes = new Map<number, Uint8Array>();
  if (at > bytes.length) throw new WireError('truncated', bytes.length, `attributes begin at byte ${at}`);
  while (at < bytes.length) {
    const length = parseHostU16(bytes, at);
    const type = parseHostU16(bytes, at + 2) & NLA_TYPE_MASK;
    if (length < ATTRIBUTE_HEADER_LENGTH) {
      throw new WireError('malformed', at, `attribute ${type} says it has ${length} bytes, 4 is the least`);
    }
    if (at + length > bytes.length) {
      throw new WireError('truncated', bytes.length, `attribute ${type} of ${length} bytes at byte ${at}`);
    }
    attributes.set(type, bytes.subarray(at + ATTRIBUTE_HEADER_LENGTH, at + length));
    at += aligned(length);
  }
  return attributes;
}

export function emitAttributes(list: AttributeList): Uint8Array {
  const parts = list.map(([type, value]) =>
    value instanceof Uint8Array
      ? { type, value }
      : { type: type | NLA_F_NESTED, value: emitAttributes(value) },
  );
  let length = 0;
  for (const { value } of parts) length += ATTRIBUTE_HEADER_LENGTH + aligned(value.length);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { type, value } of parts) {
    view.setUint16(at, ATTRIBUTE_HEADER_LENGTH + value.length, HOST_LITTLE_ENDIAN);
    view.setUint16(at + 2, type, HOST_LITTLE_ENDIAN);
    bytes.set(value, at + ATTRIBUTE_HEADER_LENGTH);
    at += ATTRIBUTE_HEADER_LENGTH + aligned(value.length);
  }
  return bytes;
}

/** Whether this message ends its request: an acknowledgement, a refusal, or the end of a dump. */
export function isOutcome(message: NetlinkMessage): boolean {
  return message.type === NLMSG_ERROR || message.type === NLMSG_DONE;
}

/** What a message of which `isOutcome` holds says, with the text of NETLINK_EXT_ACK if there is one. */
export function parseOutcome({ type, flags, payload }: NetlinkMessage): NetlinkOutcome {
  // A NLMSG_DONE without an errno is legal; the kernel negates errnos.
  const errno = type === NLMSG_DONE && payload.length === 0 ? 0 : 0 - (parseHostU32(payload) | 0);
  let text: string | null = null;
  if (flags & NLM_F_ACK_TLVS) {
    // NLMSG_ERROR repeats the request: only its header when capped, else all of it, padded.
    let at = 4;
    if (type === NLMSG_ERROR) {
      const request = parseHostU32(payload, 4);
      at += flags & NLM_F_CAPPED ? HEADER_LENGTH : aligned(request);
    }
    const message = parseAttributes(payload, at).get(NLMSGERR_ATTR_MSG);
    if (message) text = parseText(message);
  }
  return { errno, text };
}
