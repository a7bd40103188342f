// Connection tracking over netlink: entries, expectations and counts, and the requests to list and
// delete them. Values are in network byte order inside attributes of host order. Knows nothing of
// which entries matter. linux/netfilter/nfnetlink_conntrack.h, nf_conntrack_common.h.
import {
  type Ipv4Address,
  type Ipv6Address,
  ipv4Bytes,
  ipv4FromBytes,
  ipv6Bytes,
  ipv6FromBytes,
} from '../address.ts';
import { Reader, WireError, Writer } from './bytes.ts';
import {
  type AttributeList,
  type Attributes,
  emitAttributes,
  emitHostU32,
  parseAttributes,
  parseText,
} from './netlink.ts';

// linux/netfilter/nfnetlink.h: the subsystem is the high byte of a message type.
const NFNL_SUBSYS_CTNETLINK = 1;
const NFNL_SUBSYS_CTNETLINK_EXP = 2;
const NFGENMSG_LENGTH = 4;
const type = (subsystem: number, message: number): number => (subsystem << 8) | message;

export const CT_NEW = type(NFNL_SUBSYS_CTNETLINK, 0);
export const CT_GET = type(NFNL_SUBSYS_CTNETLINK, 1);
export const CT_DELETE = type(NFNL_SUBSYS_CTNETLINK, 2);
export const CT_GET_STATS = type(NFNL_SUBSYS_CTNETLINK, 5);
export const EXP_NEW = type(NFNL_SUBSYS_CTNETLINK_EXP, 0);
export const EXP_GET = type(NFNL_SUBSYS_CTNETLINK_EXP, 1);
export const EXP_DELETE = type(NFNL_SUBSYS_CTNETLINK_EXP, 2);

// linux/socket.h
const AF_INET = 2;
const AF_INET6 = 10;

const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_STATUS = 3;
const CTA_PROTOINFO = 4;
const CTA_HELP = 5;
const CTA_TIMEOUT = 7;
const CTA_MARK = 8;
const CTA_COUNTERS_ORIG = 9;
const CTA_COUNTERS_REPLY = 10;
const CTA_ID = 12;
const CTA_TUPLE_MASTER = 14;
const CTA_ZONE = 18;
const CTA_TIMESTAMP = 20;
const CTA_FILTER = 25;

const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_TUPLE_ZONE = 3;

const CTA_IP_V4_SRC = 1;
const CTA_IP_V4_DST = 2;
const CTA_IP_V6_SRC = 3;
const CTA_IP_V6_DST = 4;

const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
const CTA_PROTO_ICMP_ID = 4;
const CTA_PROTO_ICMPV6_ID = 7;

const CTA_PROTOINFO_TCP = 1;
const CTA_PROTOINFO_TCP_STATE = 1;
const CTA_COUNTERS_PACKETS = 1;
const CTA_COUNTERS_BYTES = 2;
const CTA_TIMESTAMP_START = 1;
const CTA_TIMESTAMP_STOP = 2;
const CTA_HELP_NAME = 1;

const CTA_FILTER_ORIG_FLAGS = 1;
// net/netfilter/nf_internals.h: which parts of CTA_TUPLE_ORIG a filter compares.
const FILTER_PROTO_NUM = 1 << 3;
const FILTER_DST_PORT = 1 << 5;

const CTA_EXPECT_MASTER = 1;
const CTA_EXPECT_TUPLE = 2;
const CTA_EXPECT_MASK = 3;
const CTA_EXPECT_TIMEOUT = 4;
const CTA_EXPECT_ID = 5;
const CTA_EXPECT_HELP_NAME = 6;
const CTA_EXPECT_ZONE = 7;

const CTA_STATS_GLOBAL_ENTRIES = 1;
const CTA_STATS_GLOBAL_MAX_ENTRIES = 2;

/** IPS_: the bits of `status`. */
export const CONNTRACK_STATUS = {
  expected: 1 << 0,
  seenReply: 1 << 1,
  assured: 1 << 2,
  confirmed: 1 << 3,
  sourceNat: 1 << 4,
  destinationNat: 1 << 5,
  dying: 1 << 9,
  helper: 1 << 13,
  offload: 1 << 14,
} as const;

/** One direction of an entry. What its protocol does not have is null. */
export interface ConntrackTuple {
  family: 4 | 6;
  source: Ipv4Address | Ipv6Address;
  destination: Ipv4Address | Ipv6Address;
  /** The IP protocol number. ESP and others without a tracker have neither ports nor anything instead. */
  protocol: number;
  /** GRE: the key, in PPTP the Call ID that this end chose and the other end sends (RFC 2637 4.1). */
  sourcePort: number | null;
  destinationPort: number | null;
  icmp: { id: number; type: number; code: number } | null;
  /** A zone for this direction only; null when there is none or it is the entry's. */
  zone: number | null;
}

interface ConntrackCounters {
  packets: number;
  bytes: number;
}

export interface ConntrackEntry {
  original: ConntrackTuple;
  reply: ConntrackTuple;
  /** 0 unless both directions are in a zone. */
  zone: number;
  id: number;
  status: number;
  /** Null once the entry is gone. */
  timeoutSeconds: number | null;
  mark: number;
  /** TCP_CONNTRACK_ of nf_conntrack_tcp.h: 3 is established. */
  tcpState: number | null;
  helper: string | null;
  /** The connection that led to this one being expected, such as PPTP's TCP for its GRE. */
  master: ConntrackTuple | null;
  /** Null unless net.netfilter.nf_conntrack_acct was on when the entry began. */
  counters: { original: ConntrackCounters; reply: ConntrackCounters } | null;
  /** Milliseconds since 1970; null unless net.netfilter.nf_conntrack_timestamp was on. */
  startedUnixMs: number | null;
  stoppedUnixMs: number | null;
}

/** What a helper waits for; `mask` says which parts of `tuple` must match. */
export interface ConntrackExpectation {
  master: ConntrackTuple;
  tuple: ConntrackTuple;
  mask: ConntrackTuple;
  timeoutSeconds: number;
  id: number;
  zone: number;
  helper: string | null;
}

export interface ConntrackStats {
  entries: number;
  /** Null before Linux 4.18. */
  maxEntries: number | null;
}

/** Parts of the original tuple; what is left out matches anything. */
export interface ConntrackFilter {
  family?: 4 | 6;
  protocol?: number;
  /** Only heeded together with a protocol. */
  destinationPort?: number;
}

export function hasStatus(entry: ConntrackEntry, bit: keyof typeof CONNTRACK_STATUS): boolean {
  return (entry.status & CONNTRACK_STATUS[bit]) !== 0;
}

/**
 * The payload of CT_NEW (also the answers to CT_GET) and CT_DELETE (also the event that an entry is
 * gone, of nfnetlink's multicast group 3); null for families other than IPv4 and IPv6.
 */
export function parseConntrack(payload: Uint8Array): ConntrackEntry | null {
  const family = parseFamily(payload);
  if (!family) return null;
  const attributes = parseAttributes(payload, NFGENMSG_LENGTH);
  const protoInfo = nested(attributes, CTA_PROTOINFO);
  const tcp = protoInfo && nested(protoInfo, CTA_PROTOINFO_TCP);
  const help = nested(attributes, CTA_HELP);
  const helper = help?.get(CTA_HELP_NAME);
  const original = parseCounters(nested(attributes, CTA_COUNTERS_ORIG));
  const reply = parseCounters(nested(attributes, CTA_COUNTERS_REPLY));
  const times = nested(attributes, CTA_TIMESTAMP);
  return {
    original: parseTuple(attributes, CTA_TUPLE_ORIG, family),
    reply: parseTuple(attributes, CTA_TUPLE_REPLY, family),
    zone: u16(attributes, CTA_ZONE) ?? 0,
    id: u32(attributes, CTA_ID) ?? 0,
    status: u32(attributes, CTA_STATUS) ?? 0,
    timeoutSeconds: u32(attributes, CTA_TIMEOUT),
    mark: u32(attributes, CTA_MARK) ?? 0,
    tcpState: tcp ? u8(tcp, CTA_PROTOINFO_TCP_STATE) : null,
    helper: helper ? parseText(helper) : null,
    master: attributes.has(CTA_TUPLE_MASTER) ? parseTuple(attributes, CTA_TUPLE_MASTER, family) : null,
    counters: original && reply ? { original, reply } : null,
    startedUnixMs: times ? parseTime(times, CTA_TIMESTAMP_START) : null,
    stoppedUnixMs: times ? parseTime(times, CTA_TIMESTAMP_STOP) : null,
  };
}

/** The payload of EXP_NEW (also the answers to EXP_GET); null for families other than IPv4 and IPv6. */
export function parseExpectation(payload: Uint8Array): ConntrackExpectation | null {
  const family = parseFamily(payload);
  if (!family) return null;
  const attributes = parseAttributes(payload, NFGENMSG_LENGTH);
  const helper = attributes.get(CTA_EXPECT_HELP_NAME);
  return {
    master: parseTuple(attributes, CTA_EXPECT_MASTER, family),
    tuple: parseTuple(attributes, CTA_EXPECT_TUPLE, family),
    mask: parseTuple(attributes, CTA_EXPECT_MASK, family),
    timeoutSeconds: u32(attributes, CTA_EXPECT_TIMEOUT) ?? 0,
    id: u32(attributes, CTA_EXPECT_ID) ?? 0,
    zone: u16(attributes, CTA_EXPECT_ZONE) ?? 0,
    helper: helper ? parseText(helper) : null,
  };
}

/** The answer to CT_GET_STATS: of the whole network namespace. */
export function parseConntrackStats(payload: Uint8Array): ConntrackStats {
  const attributes = parseAttributes(payload, NFGENMSG_LENGTH);
  const entries = u32(attributes, CTA_STATS_GLOBAL_ENTRIES);
  if (entries === null) throw new WireError('malformed', NFGENMSG_LENGTH, 'no number of entries');
  return { entries, maxEntries: u32(attributes, CTA_STATS_GLOBAL_MAX_ENTRIES) };
}

/** What tells at a glance whether an entry matters; `destinationIpv4` is 0 for IPv6. */
export interface ConntrackGlance {
  readonly protocol: number;
  /** 0 for protocols without. */
  readonly destinationPort: number;
  readonly destinationIpv4: number;
}

/**
 * The beginning of the original tuple, read at the places where the kernel always puts it; null when it
 * is not there. A gateway announces thousands of entries that matter to nobody.
 */
export function glanceAtConntrack(payload: Uint8Array): ConntrackGlance | null {
  // nfgenmsg, CTA_TUPLE_ORIG, CTA_TUPLE_IP with two addresses, CTA_TUPLE_PROTO, CTA_PROTO_NUM, ports.
  if (payload.length < 48 || payload[6] !== CTA_TUPLE_ORIG || payload[10] !== CTA_TUPLE_IP) return null;
  const proto = 8 + payload[8]!;
  if (payload.length < proto + 28 || payload[proto + 2] !== CTA_TUPLE_PROTO) return null;
  if (payload[proto + 6] !== CTA_PROTO_NUM) return null;
  const hasPorts = payload[proto + 22] === CTA_PROTO_DST_PORT && payload[proto + 20] === 6;
  const v4 = payload[0] === AF_INET && payload[22] === CTA_IP_V4_DST;
  return {
    protocol: payload[proto + 8]!,
    destinationPort: hasPorts ? (payload[proto + 24]! << 8) | payload[proto + 25]! : 0,
    destinationIpv4: v4 ? new Reader(payload, 24).u32() : 0,
  };
}

function parseFamily(payload: Uint8Array): 4 | 6 | null {
  const family = new Reader(payload).u8();
  return family === AF_INET ? 4 : family === AF_INET6 ? 6 : null;
}

function parseTuple(parent: Attributes, type: number, family: 4 | 6): ConntrackTuple {
  const attributes = required(parent, type);
  const ip = required(attributes, CTA_TUPLE_IP);
  const proto = required(attributes, CTA_TUPLE_PROTO);
  const protocol = u8(proto, CTA_PROTO_NUM);
  if (protocol === null) throw new WireError('malformed', 0, 'a tuple without a protocol');
  return {
    family,
    source: parseIp(ip, family === 4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, family),
    destination: parseIp(ip, family === 4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, family),
    protocol,
    sourcePort: u16(proto, CTA_PROTO_SRC_PORT),
    destinationPort: u16(proto, CTA_PROTO_DST_PORT),
    icmp: parseIcmp(proto, family),
    zone: u16(attributes, CTA_TUPLE_ZONE),
  };
}

function parseIp(ip: Attributes, type: number, family: 4 | 6): Ipv4Address | Ipv6Address {
  const reader = new Reader(value(ip, type));
  return family === 4 ? ipv4FromBytes(reader.bytes(4)) : ipv6FromBytes(reader.bytes(16));
}

function parseIcmp(proto: Attributes, family: 4 | 6): ConntrackTuple['icmp'] {
  // ID, type and code follow each other, for ICMP from 4 and for ICMPv6 from 7.
  const first = family === 4 ? CTA_PROTO_ICMP_ID : CTA_PROTO_ICMPV6_ID;
  const id = u16(proto, first);
  if (id === null) return null;
  return { id, type: u8(proto, first + 1) ?? 0, code: u8(proto, first + 2) ?? 0 };
}

function parseCounters(attributes: Attributes | null): ConntrackCounters | null {
  if (!attributes) return null;
  const packets = u64(attributes, CTA_COUNTERS_PACKETS);
  const bytes = u64(attributes, CTA_COUNTERS_BYTES);
  return packets === null || bytes === null ? null : { packets: Number(packets), bytes: Number(bytes) };
}

function parseTime(attributes: Attributes, type: number): number | null {
  const nanoseconds = u64(attributes, type);
  return nanoseconds === null ? null : Number(nanoseconds / 1_000_000n);
}

function value(attributes: Attributes, type: number): Uint8Array {
  const bytes = attributes.get(type);
  if (!bytes) throw new WireError('malformed', 0, `attribute ${type} is missing`);
  return bytes;
}

const required = (attributes: Attributes, type: number): Attributes =>
  parseAttributes(value(attributes, type));

function nested(attributes: Attributes, type: number): Attributes | null {
  const bytes = attributes.get(type);
  return bytes ? parseAttributes(bytes) : null;
}

function numeric<T>(read: (reader: Reader) => T): (attributes: Attributes, type: number) => T | null {
  return (attributes, type) => {
    const bytes = attributes.get(type);
    return bytes ? read(new Reader(bytes)) : null;
  };
}

const u8 = numeric((reader) => reader.u8());
const u16 = numeric((reader) => reader.u16());
const u32 = numeric((reader) => reader.u32());
const u64 = numeric((reader) => reader.u64());

/** All entries of a family or of both. The kernel clears nothing by this. */
export function emitConntrackDump(filter: ConntrackFilter = {}): Uint8Array {
  const { family, protocol, destinationPort } = filter;
  if (family === undefined || protocol === undefined) return emitPayload(family ?? null, []);
  // Linux 5.8; older kernels ignore the attribute and send all, so the answers are filtered again.
  const proto: [number, Uint8Array][] = [[CTA_PROTO_NUM, be8(protocol)]];
  if (destinationPort !== undefined) proto.push([CTA_PROTO_DST_PORT, be16(destinationPort)]);
  const flags = FILTER_PROTO_NUM | (destinationPort === undefined ? 0 : FILTER_DST_PORT);
  return emitPayload(family, [
    [CTA_TUPLE_ORIG, [[CTA_TUPLE_PROTO, proto]]],
    [CTA_FILTER, [[CTA_FILTER_ORIG_FLAGS, emitHostU32(flags)]]],
  ]);
}

/** Names exactly one entry: by its tuple and, so that a new one with the same tuple is spared, by its id. */
export function emitConntrackDelete({ original, zone, id }: ConntrackEntry): Uint8Array {
  // Without a tuple this message would mean "all entries".
  return emitPayload(original.family, [
    [CTA_TUPLE_ORIG, tupleAttributes(original)],
    ...zoneAttribute(CTA_ZONE, zone),
    [CTA_ID, be32(id)],
  ]);
}

export function emitConntrackStatsRequest(): Uint8Array {
  return emitPayload(null, []);
}

export function emitExpectationDump(): Uint8Array {
  return emitPayload(null, []);
}

export function emitExpectationDelete({ tuple, zone, id }: ConntrackExpectation): Uint8Array {
  return emitPayload(tuple.family, [
    [CTA_EXPECT_TUPLE, tupleAttributes(tuple)],
    ...zoneAttribute(CTA_EXPECT_ZONE, zone),
    [CTA_EXPECT_ID, be32(id)],
  ]);
}

/** struct nfgenmsg (family, version 0, resource id 0), then the attributes. */
function emitPayload(family: 4 | 6 | null, list: AttributeList): Uint8Array {
  const attributes = emitAttributes(list);
  return new Writer(NFGENMSG_LENGTH + attributes.length)
    .u8(family === null ? 0 : family === 4 ? AF_INET : AF_INET6)
    .u8(0)
    .u16(0)
    .put(attributes).bytes;
}

function tupleAttributes(tuple: ConntrackTuple): AttributeList {
  const v4 = tuple.family === 4;
  const ip = (address: Ipv4Address | Ipv6Address): Uint8Array =>
    v4 ? ipv4Bytes(address as Ipv4Address) : ipv6Bytes(address as Ipv6Address);
  const proto: [number, Uint8Array][] = [[CTA_PROTO_NUM, be8(tuple.protocol)]];
  if (tuple.sourcePort !== null) proto.push([CTA_PROTO_SRC_PORT, be16(tuple.sourcePort)]);
  if (tuple.destinationPort !== null) proto.push([CTA_PROTO_DST_PORT, be16(tuple.destinationPort)]);
  if (tuple.icmp) {
    const first = v4 ? CTA_PROTO_ICMP_ID : CTA_PROTO_ICMPV6_ID;
    proto.push(
      [first, be16(tuple.icmp.id)],
      [first + 1, be8(tuple.icmp.type)],
      [first + 2, be8(tuple.icmp.code)],
    );
  }
  return [
    [
      CTA_TUPLE_IP,
      [
        [v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, ip(tuple.source)],
        [v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, ip(tuple.destination)],
      ],
    ],
    [CTA_TUPLE_PROTO, proto],
    ...zoneAttribute(CTA_TUPLE_ZONE, tuple.zone),
  ];
}

const zoneAttribute = (type: number, zone: number | null): AttributeList =>
  zone ? [[type, be16(zone)]] : [];
const be8 = (value: number): Uint8Array => new Writer(1).u8(value).bytes;
const be16 = (value: number): Uint8Array => new Writer(2).u16(value).bytes;
const be32 = (value: number): Uint8Array => new Writer(4).u32(value).bytes;
