// Whether a match of somebody else's rule holds for a sample packet: yes, no, or not to be judged
// here (a named set, an iptables extension, a mark). Input: nft's JSON (libnftables-json(5)), whose
// shape is taken on trust nowhere: what is not understood is not judged.
import { ipv4Bytes, parseIpv4 } from '../address.ts';

/** Null: not to be judged here. */
export type Tri = boolean | null;

/** One direction of a VPN's packets, as far as a match can look at it. */
export interface Packet {
  readonly iifname: string;
  /** Null where routing comes later. */
  readonly oifname: string | null;
  /** The protocol as nft names it. */
  readonly l4: string;
  /** The server's port and its side, where the protocol has ports. */
  readonly port: { readonly field: 'dport' | 'sport'; readonly number: number } | null;
  /** Null where conntrack comes later. */
  readonly state: 'new' | 'established' | 'untracked' | null;
  /** The LAN's prefix, such as `192.168.1.1/24`, and where the packet carries an address of it. */
  readonly device: { readonly field: 'saddr' | 'daddr'; readonly prefix: string } | null;
}

export function both(a: Tri, b: Tri): Tri {
  if (a === false || b === false) return false;
  return a === null || b === null ? null : true;
}

function anyOf(found: readonly Tri[]): Tri {
  if (found.includes(true)) return true;
  return found.includes(null) ? null : false;
}

/** The content of a `match` statement. */
export function judgeMatch(match: unknown, packet: Packet): Tri {
  const { op, left, right } = group(match);
  const value = valueOf(left, packet);
  if (value === UNKNOWN) return null;
  if (value === ABSENT) return false;
  if (op === '==' || op === 'in') return contains(right, value);
  if (op === '!=') {
    const contained = contains(right, value);
    return contained === null ? null : !contained;
  }
  if (typeof value !== 'number' || typeof right !== 'number') return null;
  if (op === '<') return value < right;
  if (op === '<=') return value <= right;
  if (op === '>') return value > right;
  return op === '>=' ? value >= right : null;
}

/** The verdicts of a `vmap` statement that the packet meets, or may meet. */
export function judgeVerdictMap(vmap: unknown, packet: Packet): { matched: Tri; verdict: unknown }[] | null {
  const { key, data } = group(vmap);
  const entries = group(data)['set'];
  if (!Array.isArray(entries)) return null;
  const value = valueOf(key, packet);
  if (value === ABSENT) return [];
  return (entries as unknown[]).flatMap((entry) => {
    const [wanted, verdict] = Array.isArray(entry) ? (entry as unknown[]) : [];
    const matched = value === UNKNOWN ? null : contains(wanted, value);
    return matched === false ? [] : [{ matched, verdict }];
  });
}

/** The field is not looked at here. */
const UNKNOWN = Symbol('unknown');
/** The packet has no such field, so no match on it holds, whatever its operator. */
const ABSENT = Symbol('absent');

/** Addresses from one to another, as numbers. */
interface Range {
  readonly from: number;
  readonly to: number;
}
type Known = string | number | Range | readonly Value[];
type Value = Known | typeof UNKNOWN | typeof ABSENT;

/** The members of a JSON object; none for everything else. */
export function group(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function valueOf(left: unknown, packet: Packet): Value {
  const { meta, ct, payload, concat } = group(left);
  if (Array.isArray(concat)) {
    const values = concat.map((one) => valueOf(one, packet));
    return values.includes(ABSENT) ? ABSENT : values;
  }
  if (meta !== undefined) return metaValue(group(meta)['key'], packet);
  if (ct !== undefined) return group(ct)['key'] === 'state' ? (packet.state ?? UNKNOWN) : UNKNOWN;
  return payload === undefined ? UNKNOWN : payloadValue(group(payload), packet);
}

function metaValue(key: unknown, packet: Packet): Value {
  switch (key) {
    case 'iif':
    case 'iifname':
      return packet.iifname;
    case 'oif':
    case 'oifname':
      return packet.oifname ?? UNKNOWN;
    case 'l4proto':
      return packet.l4;
    case 'nfproto':
      return 'ipv4';
    case 'protocol':
      return 'ip';
    default:
      return UNKNOWN;
  }
}

/** Protocols whose fields only their own packets have. */
const TRANSPORTS = new Set([
  'tcp',
  'udp',
  'udplite',
  'sctp',
  'dccp',
  'icmp',
  'icmpv6',
  'igmp',
  'esp',
  'ah',
  'comp',
  'gre',
]);

function payloadValue({ protocol, field }: Record<string, unknown>, packet: Packet): Value {
  if (protocol === 'ip') {
    if (field === 'protocol') return packet.l4;
    return packet.device !== null && packet.device.field === field
      ? (rangeOf(packet.device.prefix) ?? UNKNOWN)
      : UNKNOWN;
  }
  if (protocol === 'ip6') return ABSENT;
  if (protocol === 'th') {
    if (packet.port === null) return field === 'dport' || field === 'sport' ? ABSENT : UNKNOWN;
  } else if (typeof protocol !== 'string' || !TRANSPORTS.has(protocol)) return UNKNOWN;
  else if (protocol !== packet.l4) return ABSENT;
  return packet.port !== null && packet.port.field === field ? packet.port.number : UNKNOWN;
}

function contains(right: unknown, value: Value): Tri {
  if (value === UNKNOWN || value === ABSENT) return null;
  if (Array.isArray(right)) return anyOf(right.map((one) => contains(one, value)));
  const { set, range, elem, concat } = group(right);
  if (Array.isArray(set)) return contains(set, value);
  if (elem !== undefined) return contains(group(elem)['val'], value);
  if (typeof right === 'string' && right.startsWith('@')) return null;
  if (Array.isArray(value)) {
    if (!Array.isArray(concat) || concat.length !== value.length) return null;
    return (concat as unknown[]).reduce<Tri>(
      (held, one, at) => both(held, contains(one, (value as readonly Value[])[at]!)),
      true,
    );
  }
  if (typeof value === 'object') return covers(right, value as Range);
  if (Array.isArray(range)) {
    const [from, to] = range as unknown[];
    return typeof from === 'number' && typeof to === 'number' && typeof value === 'number'
      ? value >= from && value <= to
      : null;
  }
  if (typeof right !== 'string' && typeof right !== 'number') return null;
  if (right === '*') return true;
  // An interface such as "ppp*". A "*" that is meant as such is written "\*".
  if (typeof right === 'string' && /(?<!\\)\*$/.test(right))
    return String(value).startsWith(right.slice(0, -1));
  return String(right) === String(value) || PROTOCOL_NUMBERS[String(value)] === right;
}

/** Older nft prints protocols that /etc/protocols lacks as numbers. */
const PROTOCOL_NUMBERS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, gre: 47, esp: 50 };

/** Whether an address, a prefix or a range holds all addresses of `lan`; null when it holds some. */
function covers(right: unknown, lan: Range): Tri {
  const other = rangeOf(right);
  if (other === null) return null;
  if (other.from <= lan.from && other.to >= lan.to) return true;
  return other.to < lan.from || other.from > lan.to ? false : null;
}

/** Of `192.0.2.1/24`, or of nft's JSON for an address, a prefix or a range. */
function rangeOf(right: unknown): Range | null {
  if (typeof right === 'string') {
    const [address, length = '32'] = right.split('/');
    return prefixRange(address, Number(length));
  }
  const { prefix, range } = group(right);
  if (Array.isArray(range)) {
    const [from, to] = (range as unknown[]).map(rangeOf);
    return from && to ? { from: from.from, to: to.to } : null;
  }
  const { addr, len } = group(prefix);
  return prefixRange(addr, len);
}

function prefixRange(address: unknown, length: unknown): Range | null {
  const parsed = typeof address === 'string' ? parseIpv4(address) : null;
  if (parsed === null || typeof length !== 'number' || !(length >= 0 && length <= 32)) return null;
  const size = 2 ** (32 - length);
  const number = ipv4Bytes(parsed).reduce((sum, byte) => sum * 256 + byte, 0);
  const from = number - (number % size);
  return { from, to: from + size - 1 };
}
