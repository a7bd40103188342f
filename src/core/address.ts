// IPv4 and IPv6 addresses and interface names as checked values: what has this type was read by
// one of the parsers below, so a raw string can reach neither nft nor a socket. Host names are
// deliberately not known here. RFC 4291 2.2, RFC 5952 4.

export type Ipv4Address = string & { readonly __brand: 'Ipv4Address' };
export type Ipv6Address = string & { readonly __brand: 'Ipv6Address' };
export type InterfaceName = string & { readonly __brand: 'InterfaceName' };
export type Port = number & { readonly __brand: 'Port' };

/** Dotted quad without leading zeros, or null. */
export function parseIpv4(text: string): Ipv4Address | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null;
  }
  return text as Ipv4Address;
}

/** Any RFC 4291 form without a zone, returned in the canonical form of RFC 5952, or null. */
export function parseIpv6(text: string): Ipv6Address | null {
  let source = text;
  const quad = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(source);
  if (quad) {
    const v4 = parseIpv4(quad[2]!);
    if (v4 === null) return null;
    const [a, b, c, d] = ipv4Bytes(v4);
    source = `${quad[1]}${((a! << 8) | b!).toString(16)}:${((c! << 8) | d!).toString(16)}`;
  }
  const halves = source.split('::');
  if (halves.length > 2) return null;
  const groups = (half: string | undefined): string[] => (half ? half.split(':') : []);
  const head = groups(halves[0]);
  const tail = groups(halves[1]);
  const all = [...head, ...tail];
  if (!all.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return null;
  const gap = 8 - all.length;
  if (halves.length === 1 ? gap !== 0 : gap < 1) return null;
  const words = [...head, ...Array<string>(halves.length === 1 ? 0 : gap).fill('0'), ...tail];
  return renderIpv6(words.map((word) => Number.parseInt(word, 16)));
}

/**
 * The name of a network interface, or null. The kernel allows more (dev_valid_name): control and
 * non-ASCII bytes, quotes and backslashes, and the "*" that nft reads as a wildcard; no driver or
 * tool makes such names.
 */
export function parseInterfaceName(text: string): InterfaceName | null {
  return /^[!-~]{1,15}$/.test(text) && !/[/:"\\*]/.test(text) && text !== '.' && text !== '..'
    ? (text as InterfaceName)
    : null;
}

/** Whether an address lies in a prefix, such as `192.168.1.1/24`; false for one of the other family. */
export function isInPrefix(address: Ipv4Address | Ipv6Address, prefix: string): boolean {
  const [network, length] = prefix.split('/') as [string, string];
  const bytesOf = (text: string): Uint8Array | null => {
    const v4 = parseIpv4(text);
    if (v4 !== null) return ipv4Bytes(v4);
    const v6 = parseIpv6(text);
    return v6 === null ? null : ipv6Bytes(v6);
  };
  const [a, b] = [bytesOf(address), bytesOf(network)];
  if (a === null || b === null || a.length !== b.length) return false;
  const bits = Number(length);
  for (let at = 0; at * 8 < bits; at += 1) {
    const mask = 0xff << Math.max(0, 8 - (bits - at * 8));
    if (((a[at]! ^ b[at]!) & mask & 0xff) !== 0) return false;
  }
  return true;
}

/** RFC 1918. */
export const PRIVATE_NETWORKS: readonly string[] = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'];
/** RFC 6598: between a provider and those whom it translates. */
export const CARRIER_NETWORK = '100.64.0.0/10';

export function ipv4Bytes(address: Ipv4Address): Uint8Array {
  return Uint8Array.from(address.split('.'), Number);
}

/** The same addresses come again and again: each is one text, whoever keeps it. */
const seenIpv4 = new Map<number, Ipv4Address>();
/** A flood from made-up addresses must not be kept. */
const MOST_SEEN = 4_096;

/** `bytes` holds exactly the four bytes of an address. */
export function ipv4FromBytes(bytes: Uint8Array): Ipv4Address {
  const [a, b, c, d] = bytes as unknown as [number, number, number, number];
  const number = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
  const seen = seenIpv4.get(number);
  if (seen !== undefined) return seen;
  if (seenIpv4.size >= MOST_SEEN) seenIpv4.clear();
  const address = [a, b, c, d].join('.') as Ipv4Address;
  seenIpv4.set(number, address);
  return address;
}

export function ipv6Bytes(address: Ipv6Address): Uint8Array {
  const bytes = new Uint8Array(16);
  const [head, tail] = address.split('::');
  const put = (words: string[], from: number): void => {
    for (const [index, word] of words.entries()) {
      const value = Number.parseInt(word, 16);
      bytes[from + 2 * index] = value >> 8;
      bytes[from + 2 * index + 1] = value & 0xff;
    }
  };
  const headWords = head ? head.split(':') : [];
  const tailWords = tail ? tail.split(':') : [];
  put(headWords, 0);
  put(tailWords, 16 - 2 * tailWords.length);
  return bytes;
}

/** `bytes` holds exactly the sixteen bytes of an address. */
export function ipv6FromBytes(bytes: Uint8Array): Ipv6Address {
  const words: number[] = [];
  for (let at = 0; at < 16; at += 2) words.push((bytes[at]! << 8) | bytes[at + 1]!);
  return renderIpv6(words);
}

function renderIpv6(words: number[]): Ipv6Address {
  // RFC 5952 4.2: the longest run of two or more zero groups is shortened, the first of equals.
  let best = { from: -1, length: 1 };
  for (let from = 0; from < 8; from += 1) {
    let length = 0;
    while (from + length < 8 && words[from + length] === 0) length += 1;
    if (length > best.length) best = { from, length };
  }
  const hex = words.map((word) => word.toString(16));
  if (best.from < 0) return hex.join(':') as Ipv6Address;
  const head = hex.slice(0, best.from).join(':');
  const tail = hex.slice(best.from + best.length).join(':');
  return `${head}::${tail}` as Ipv6Address;
}
