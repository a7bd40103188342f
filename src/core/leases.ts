// The names that devices told DHCP servers, from the servers' lease files: dnsmasq, Kea (memfile),
// ISC dhcpd and systemd-networkd. What cannot be read is left out: a name is a convenience. Knows no
// file. dnsmasq(8) --dhcp-leasefile, Kea ARM 8.2, dhcpd.leases(5), systemd's sd-dhcp-server-lease.c.
import { parseIpv4, parseIpv6 } from './address.ts';

export interface Lease {
  readonly address: string;
  /** Six bytes in lower case with colons, or null. */
  readonly mac: string | null;
  readonly name: string | null;
}

export type LeaseFormat = 'dnsmasq' | 'kea' | 'dhcpd' | 'networkd';

/** A household has dozens, a campus thousands. */
const MOST_LEASES = 16_384;
/** RFC 1035 2.3.4, in letters. */
const MOST_NAME = 63;
/** What is behind that of a name is not looked at. */
const MOST_TEXT = 1_024;

/** The leases of a file, later lines before earlier ones of the same address. */
export function parseLeases(format: LeaseFormat, text: string): Lease[] {
  const found = new Map<string, Lease>();
  for (const lease of PARSERS[format](text)) {
    if (!parseIpv4(lease.address) && !parseIpv6(lease.address)) continue;
    if (found.size >= MOST_LEASES) break;
    found.set(lease.address, lease);
  }
  return [...found.values()];
}

const PARSERS: Readonly<Record<LeaseFormat, (text: string) => Iterable<Lease>>> = {
  dnsmasq: parseDnsmasq,
  kea: parseKea,
  dhcpd: parseDhcpd,
  networkd: parseNetworkd,
};

/** `1700000000 02:00:00:00:00:01 192.168.1.11 phone 01:02:…`, with `*` for what is not known. */
function* parseDnsmasq(text: string): Iterable<Lease> {
  for (const line of text.split('\n')) {
    const [, mac, address, name] = line.split(' ');
    if (address !== undefined) yield { address, mac: macOf(mac), name: nameOf(name) };
  }
}

/** Comma-separated, the columns named in the first line; a comma in a name is written as `&#x2c`. */
function* parseKea(text: string): Iterable<Lease> {
  const [head, ...lines] = text.split('\n');
  const columns = (head ?? '').split(',');
  const at = (name: string): number => columns.indexOf(name);
  const [address, mac, name, state] = [at('address'), at('hwaddr'), at('hostname'), at('state')];
  for (const line of lines) {
    const cells = line.split(',');
    const given = cells[address];
    // State 1 is declined, 2 expired and reclaimed: the address is somebody else's by now.
    if (given === undefined || (cells[state] ?? '0') !== '0') continue;
    yield { address: given, mac: macOf(cells[mac]), name: nameOf(cells[name]) };
  }
}

/** `lease 192.168.1.11 { … hardware ethernet 02:…; client-hostname "phone"; }`; later ones replace earlier ones. */
function* parseDhcpd(text: string): Iterable<Lease> {
  for (const [, address, body] of text.matchAll(/^lease ([0-9a-f.:]+) \{([^}]*)\}/gm)) {
    const mac = /hardware ethernet ([0-9a-fA-F:]+);/.exec(body!)?.[1];
    const name = /client-hostname "([^"]*)";/.exec(body!)?.[1];
    yield { address: address!, mac: macOf(mac), name: nameOf(name) };
  }
}

/** JSON since version 256: addresses are arrays of bytes. */
function* parseNetworkd(text: string): Iterable<Lease> {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    return;
  }
  const leases = (read as { Leases?: unknown } | null)?.Leases;
  if (!Array.isArray(leases)) return;
  for (const lease of leases as Record<string, unknown>[]) {
    const [address, mac, name] = [lease['Address'], lease['HardwareAddress'], lease['Hostname']];
    if (!isBytes(address, 4)) continue;
    const hex = isBytes(mac, 6) ? mac.map((byte) => byte.toString(16).padStart(2, '0')).join(':') : undefined;
    yield {
      address: address.join('.'),
      mac: macOf(hex),
      name: nameOf(typeof name === 'string' ? name : undefined),
    };
  }
}

function isBytes(value: unknown, length: number): value is number[] {
  return (
    Array.isArray(value) &&
    value.length === length &&
    value.every((one) => Number.isInteger(one) && one >= 0 && one < 256)
  );
}

function macOf(text: string | undefined): string | null {
  const low = text?.toLowerCase() ?? '';
  return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(low) ? low : null;
}

/** A device may call itself anything; control characters must not reach a terminal. */
export function nameOf(text: string | undefined): string | null {
  const clean = (text ?? '')
    .slice(0, MOST_TEXT)
    .replaceAll(/[^\p{L}\p{N} ._'()+-]/gu, '')
    .trim();
  // By whole letters: half of one is no text.
  const short = Array.from(clean).slice(0, MOST_NAME).join('').trim();
  return short === '' ? null : short;
}
