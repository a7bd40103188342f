// DNS messages, as far as asking hosts and servers for the names behind addresses needs them: header,
// questions and records; the data of PTR records is a name, that of all others stays bytes. Names are
// of UTF-8 (RFC 6762 16), without the dots: a label may hold one. Compressed names are read and never
// written. Knows nothing of EDNS and of what records mean. RFC 1035 4, RFC 6762 18, RFC 3596 2.5.

import { assert } from '../assert.ts';
import { ipv4Bytes, ipv6Bytes, parseIpv4, parseIpv6 } from '../address.ts';
import { Reader, readWhole, WireError, Writer } from './bytes.ts';

/** The labels of a name, the root's own empty one left out. */
export type DnsName = readonly string[];

/** A question; `unicast` is mDNS's wish for an answer to the asker alone. */
export interface DnsQuestion {
  readonly name: DnsName;
  readonly type: number;
  readonly class: number;
  readonly unicast: boolean;
}

/** A record; `target` is the name that a PTR record holds, and `data` is empty then. */
export interface DnsRecord {
  readonly name: DnsName;
  readonly type: number;
  readonly class: number;
  /** mDNS: what was known of this name before is to be forgotten. */
  readonly cacheFlush: boolean;
  readonly ttlSeconds: number;
  readonly target: DnsName | null;
  readonly data: Uint8Array;
}

/** A message. `flags` are the 16 bits behind the id. */
export interface DnsMessage {
  readonly id: number;
  readonly flags: number;
  readonly questions: readonly DnsQuestion[];
  readonly answers: readonly DnsRecord[];
  readonly authorities: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
}

export const dnsTypes = { ptr: 12 } as const;
export const dnsClasses = { internet: 1 } as const;
/** RFC 1035 4.1.1: response, authoritative answer, the last four bits how it went. */
export const dnsFlags = { response: 0x8000, authoritative: 0x0400, resultCode: 0x000f } as const;

/** RFC 1035 2.3.4; the name's octets with the length of each label and the root's. */
const MOST_LABEL_BYTES = 63;
const MOST_NAME_BYTES = 255;
const POINTER = 0xc0;
/** RFC 6762 5.4 and 10.2: the top bit of the class says something else. */
const TOP_BIT = 0x8000;

/** Reads the payload of a UDP datagram. */
export function parseDns(bytes: Uint8Array): DnsMessage {
  const reader = new Reader(bytes);
  const id = reader.u16();
  const flags = reader.u16();
  const [questions, answers, authorities, additionals] = [
    reader.u16(),
    reader.u16(),
    reader.u16(),
    reader.u16(),
  ];
  const message = {
    id,
    flags,
    questions: Array.from({ length: within(reader, questions) }, () => readQuestion(bytes, reader)),
    answers: Array.from({ length: within(reader, answers) }, () => readRecord(bytes, reader)),
    authorities: Array.from({ length: within(reader, authorities) }, () => readRecord(bytes, reader)),
    additionals: Array.from({ length: within(reader, additionals) }, () => readRecord(bytes, reader)),
  };
  if (reader.remaining > 0) throw new WireError('malformed', reader.at, 'bytes behind the last record');
  return message;
}

/** The least that a question takes is five bytes: a count that cannot be is found before anything is made of it. */
function within(reader: Reader, count: number): number {
  if (count * 5 > reader.remaining) {
    throw new WireError('truncated', reader.at, `${count} entries, ${reader.remaining} bytes`);
  }
  return count;
}

function readQuestion(message: Uint8Array, reader: Reader): DnsQuestion {
  const name = readName(message, reader);
  const type = reader.u16();
  const word = reader.u16();
  return { name, type, class: word & ~TOP_BIT, unicast: (word & TOP_BIT) !== 0 };
}

function readRecord(message: Uint8Array, reader: Reader): DnsRecord {
  const name = readName(message, reader);
  const type = reader.u16();
  const word = reader.u16();
  const ttlSeconds = reader.u32();
  const length = reader.u16();
  const from = reader.at;
  const data = reader.bytes(length);
  const record = { name, type, class: word & ~TOP_BIT, cacheFlush: (word & TOP_BIT) !== 0, ttlSeconds };
  if (type !== dnsTypes.ptr) return { ...record, target: null, data };
  const inside = new Reader(message.subarray(0, from + length), from);
  const target = readWhole(() => readName(message, inside));
  // RFC 1035 3.3.12: the name and nothing else.
  if (inside.remaining > 0) throw new WireError('malformed', inside.at, 'bytes behind the name of a PTR');
  return { ...record, target, data: new Uint8Array() };
}

/** `reader` ends behind the name, or behind the pointer that its rest hangs on. */
function readName(message: Uint8Array, reader: Reader): DnsName {
  const labels: string[] = [];
  let total = 1;
  let current = reader;
  // A pointer leads to before everything read of this name, so that no name goes round (RFC 1035 4.1.4).
  let before = reader.at;
  for (;;) {
    const at = current.at;
    const length = current.u8();
    if (length === 0) return labels;
    if (length >= POINTER) {
      const target = ((length & ~POINTER) << 8) | current.u8();
      if (target >= before) throw new WireError('malformed', at, `a name's pointer forward, to ${target}`);
      before = target;
      current = new Reader(message, target);
      continue;
    }
    // RFC 1035 4.1.4: 01 and 10 are reserved.
    if (length > MOST_LABEL_BYTES) throw new WireError('malformed', at, `label type ${length >> 6}`);
    total += 1 + length;
    if (total > MOST_NAME_BYTES)
      throw new WireError('malformed', at, `a name of over ${MOST_NAME_BYTES} bytes`);
    labels.push(readLabel(current.bytes(length), at));
  }
}

function readLabel(bytes: Uint8Array, at: number): string {
  let text = '';
  for (const byte of bytes) text += `%${byte.toString(16).padStart(2, '0')}`;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new WireError('malformed', at, 'a label that is not UTF-8');
  }
}

/** The payload of a UDP datagram. */
export function emitDns({ id, flags, questions, answers, authorities, additionals }: DnsMessage): Uint8Array {
  const sections = [answers, authorities, additionals];
  const parts = [
    ...questions.map(({ name, type, class: of, unicast }) => {
      const labels = emitName(name);
      return new Writer(labels.length + 4)
        .put(labels)
        .u16(type)
        .u16(of | (unicast ? TOP_BIT : 0)).bytes;
    }),
    ...sections.flat().map(emitRecord),
  ];
  const length = parts.reduce((sum, part) => sum + part.length, 12);
  assert(length <= 0xffff, 'a DNS message fits a datagram');
  const writer = new Writer(length).u16(id).u16(flags).u16(questions.length);
  for (const section of sections) writer.u16(section.length);
  for (const part of parts) writer.put(part);
  return writer.bytes;
}

function emitRecord({ name, type, class: of, cacheFlush, ttlSeconds, target, data }: DnsRecord): Uint8Array {
  const labels = emitName(name);
  const body = target === null ? data : emitName(target);
  return new Writer(labels.length + 10 + body.length)
    .put(labels)
    .u16(type)
    .u16(of | (cacheFlush ? TOP_BIT : 0))
    .u32(ttlSeconds)
    .u16(body.length)
    .put(body).bytes;
}

function emitName(name: DnsName): Uint8Array {
  const labels = name.map(utf8);
  const writer = new Writer(labels.reduce((sum, label) => sum + 1 + label.length, 1));
  for (const label of labels) {
    assert(label.length > 0 && label.length <= MOST_LABEL_BYTES, 'a label is of 1 to 63 bytes');
    writer.u8(label.length).put(label);
  }
  assert(writer.bytes.length <= MOST_NAME_BYTES, 'a name is of 255 bytes at the most');
  return writer.u8(0).bytes;
}

function utf8(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const [, hex, plain] of encodeURIComponent(text).matchAll(/%(..)|(.)/g)) {
    bytes.push(hex === undefined ? plain!.charCodeAt(0) : Number.parseInt(hex, 16));
  }
  return Uint8Array.from(bytes);
}

/** The name under which an address is looked up, or null for what is no address (RFC 1035 3.5, RFC 3596 2.5). */
export function reverseName(address: string): DnsName | null {
  const ipv4 = parseIpv4(address);
  if (ipv4) return [...Array.from(ipv4Bytes(ipv4), String).toReversed(), 'in-addr', 'arpa'];
  const ipv6 = parseIpv6(address);
  if (!ipv6) return null;
  const digits = Array.from(ipv6Bytes(ipv6), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return [...digits.split('').toReversed(), 'ip6', 'arpa'];
}
