// Passive copies of packets over netlink (NFLOG): the messages that carry them, and the one that asks
// for a group's copies. Values are in network byte order inside attributes of host order. Tens of
// thousands of copies come in a second, so each is read in one pass and without a map of attributes.
// Knows nothing of what is in a copy. linux/netfilter/nfnetlink_log.h.
import { Reader, WireError, Writer } from './bytes.ts';
import { type AttributeList, emitAttributes, parseHostU16 } from './netlink.ts';

const NFNL_SUBSYS_ULOG = 4 << 8;
export const NFLOG_PACKET = NFNL_SUBSYS_ULOG;
export const NFLOG_CONFIG = NFNL_SUBSYS_ULOG | 1;

const NFGENMSG_LENGTH = 4;
const ATTRIBUTE_HEADER_LENGTH = 4;
const TYPE_MASK = 0x3fff;

const NFULA_PACKET_HDR = 1;
const NFULA_MARK = 2;
const NFULA_TIMESTAMP = 3;
const NFULA_IFINDEX_INDEV = 4;
const NFULA_IFINDEX_OUTDEV = 5;
const NFULA_HWADDR = 8;
const NFULA_PAYLOAD = 9;
const NFULA_PREFIX = 10;
const NFULA_SEQ = 12;

const NFULA_CFG_CMD = 1;
const NFULA_CFG_MODE = 2;
const NFULA_CFG_NLBUFSIZ = 3;
const NFULA_CFG_TIMEOUT = 4;
const NFULA_CFG_QTHRESH = 5;
const NFULA_CFG_FLAGS = 6;
const NFULNL_CFG_CMD_BIND = 1;
const NFULNL_COPY_PACKET = 2;
const NFULNL_CFG_F_SEQ = 1;

/** One copied packet; what the kernel did not tell is null. */
export interface NflogPacket {
  readonly group: number;
  /** An EtherType: 0x0800 for IPv4, 0x86dd for IPv6. */
  readonly etherType: number;
  /** The netfilter hook of the rule: 0 prerouting, 2 forward. */
  readonly hook: number;
  /** What the rule calls its copies; empty without. */
  readonly prefix: string;
  readonly mark: number | null;
  readonly inIndex: number | null;
  readonly outIndex: number | null;
  /** The sender's address on the link. */
  readonly hardwareAddress: Uint8Array | null;
  readonly timestampUnixMs: number | null;
  /** Counts the copies of the group, those that were lost on the way too. */
  readonly sequence: number | null;
  /** The packet from its IP header on, cut at the rule's snap length; a view. */
  readonly payload: Uint8Array;
}

/** How the copies of a group are to come. */
export interface NflogRequest {
  readonly group: number;
  readonly mostBytes: number;
  /** The kernel sends when so many copies have gathered… */
  readonly queueThreshold: number;
  /** …or so many hundredths of a second have passed… */
  readonly flushCentiseconds: number;
  /** …or they fill this. */
  readonly datagramBytes: number;
}

/** The payload of a message NFLOG_PACKET. */
export function parseNflogPacket(bytes: Uint8Array): NflogPacket {
  const header = new Reader(bytes);
  header.skip(2);
  const group = header.u16();
  let etherType: number | null = null;
  let hook = 0;
  let prefix = '';
  let mark: number | null = null;
  let inIndex: number | null = null;
  let outIndex: number | null = null;
  let hardwareAddress: Uint8Array | null = null;
  let timestampUnixMs: number | null = null;
  let sequence: number | null = null;
  let payload: Uint8Array = bytes.subarray(0, 0);
  let at = NFGENMSG_LENGTH;
  while (at < bytes.length) {
    const length = parseHostU16(bytes, at);
    const type = parseHostU16(bytes, at + 2) & TYPE_MASK;
    if (length < ATTRIBUTE_HEADER_LENGTH) {
      throw new WireError('malformed', at, `attribute ${type} says it has ${length} bytes, 4 is the least`);
    }
    const end = at + length;
    if (end > bytes.length) {
      throw new WireError('truncated', bytes.length, `attribute ${type} of ${length} bytes at byte ${at}`);
    }
    const from = at + ATTRIBUTE_HEADER_LENGTH;
    switch (type) {
      case NFULA_PACKET_HDR:
        etherType = u16(bytes, from, end);
        hook = bytes[from + 2] ?? 0;
        break;
      case NFULA_MARK:
        mark = u32(bytes, from, end);
        break;
      case NFULA_TIMESTAMP:
        timestampUnixMs = readTime(bytes.subarray(from, end));
        break;
      case NFULA_IFINDEX_INDEV:
        inIndex = u32(bytes, from, end);
        break;
      case NFULA_IFINDEX_OUTDEV:
        outIndex = u32(bytes, from, end);
        break;
      case NFULA_HWADDR:
        hardwareAddress = readHardwareAddress(bytes.subarray(from, end));
        break;
      case NFULA_PAYLOAD:
        payload = bytes.subarray(from, end);
        break;
      case NFULA_PREFIX:
        prefix = readPrefix(bytes, from, end);
        break;
      case NFULA_SEQ:
        sequence = u32(bytes, from, end);
        break;
      default:
    }
    at = from + Math.ceil((length - ATTRIBUTE_HEADER_LENGTH) / 4) * 4;
  }
  if (etherType === null) throw new WireError('malformed', NFGENMSG_LENGTH, 'a copy without its header');
  return {
    group,
    etherType,
    hook,
    prefix,
    mark,
    inIndex,
    outIndex,
    hardwareAddress,
    timestampUnixMs,
    sequence,
    payload,
  };
}

function u16(bytes: Uint8Array, at: number, end: number): number {
  if (at + 2 > end) throw new WireError('malformed', at, 'an attribute of 2 bytes is too short');
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function u32(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 > end) throw new WireError('malformed', at, 'an attribute of 4 bytes is too short');
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** struct nfulnl_msg_packet_timestamp: seconds and microseconds. */
function readTime(value: Uint8Array): number {
  const reader = new Reader(value);
  return Number(reader.u64()) * 1000 + Math.floor(Number(reader.u64()) / 1000);
}

/** struct nfulnl_msg_packet_hw: a length, padding, and room for eight bytes. */
function readHardwareAddress(value: Uint8Array): Uint8Array {
  const reader = new Reader(value);
  const length = reader.u16();
  reader.skip(2);
  return reader.bytes(length);
}

function readPrefix(bytes: Uint8Array, from: number, end: number): string {
  let text = '';
  for (let at = from; at < end && bytes[at] !== 0; at += 1) text += String.fromCharCode(bytes[at]!);
  return text;
}

/** The payload of a message NFLOG_PACKET, as the kernel would send it. */
export function emitNflogPacket(packet: NflogPacket): Uint8Array {
  const list: [number, Uint8Array][] = [
    [NFULA_PACKET_HDR, new Writer(4).u16(packet.etherType).u8(packet.hook).u8(0).bytes],
  ];
  if (packet.prefix !== '') {
    list.push([NFULA_PREFIX, Uint8Array.from(`${packet.prefix}\0`, (letter) => letter.charCodeAt(0))]);
  }
  const numbers = [
    [NFULA_IFINDEX_INDEV, packet.inIndex],
    [NFULA_IFINDEX_OUTDEV, packet.outIndex],
    [NFULA_MARK, packet.mark],
    [NFULA_SEQ, packet.sequence],
  ] as const;
  for (const [type, value] of numbers) {
    if (value !== null) list.push([type, be32(value)]);
  }
  const { hardwareAddress: mac, timestampUnixMs: time } = packet;
  if (mac !== null) {
    const room = new Writer(4 + Math.max(8, mac.length)).u16(mac.length).u16(0);
    list.push([NFULA_HWADDR, room.put(mac).bytes]);
  }
  if (time !== null) {
    const seconds = Math.floor(time / 1000);
    const microseconds = BigInt(time - seconds * 1000) * 1000n;
    list.push([NFULA_TIMESTAMP, new Writer(16).u64(BigInt(seconds)).u64(microseconds).bytes]);
  }
  list.push([NFULA_PAYLOAD, packet.payload]);
  return withHeader(packet.group, list);
}

/** The payload of a message NFLOG_CONFIG that binds the asking socket to a group. */
export function emitNflogBind(request: NflogRequest): Uint8Array {
  const { group, mostBytes, queueThreshold, flushCentiseconds, datagramBytes } = request;
  return withHeader(group, [
    [NFULA_CFG_CMD, Uint8Array.of(NFULNL_CFG_CMD_BIND)],
    [NFULA_CFG_MODE, new Writer(6).u32(mostBytes).u8(NFULNL_COPY_PACKET).u8(0).bytes],
    [NFULA_CFG_NLBUFSIZ, be32(datagramBytes)],
    [NFULA_CFG_TIMEOUT, be32(flushCentiseconds)],
    [NFULA_CFG_QTHRESH, be32(queueThreshold)],
    [NFULA_CFG_FLAGS, new Writer(2).u16(NFULNL_CFG_F_SEQ).bytes],
  ]);
}

/** struct nfgenmsg: any family, version 0, and the group. */
function withHeader(group: number, list: AttributeList): Uint8Array {
  const attributes = emitAttributes(list);
  return new Writer(NFGENMSG_LENGTH + attributes.length).u8(0).u8(0).u16(group).put(attributes).bytes;
}

const be32 = (value: number): Uint8Array => new Writer(4).u32(value).bytes;
