// The books of a scenario: every payload that matters carries a tag, which says who sent it and who
// alone may get it. Every host's interface is tapped, so a packet that reaches the wrong host, comes
// twice, leaves with a private address or has a wrong checksum is found, whether somebody listens
// for it there or not.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseIpv4Packet, ipProtocols } from '../src/core/wire/ipv4.ts';
import { parseIpv6Packet } from '../src/core/wire/ipv6.ts';
import { hasValidIcmpChecksum } from '../src/core/wire/icmp.ts';
import { hasValidTcpChecksum } from '../src/core/wire/tcp.ts';
import { transportChecksum, type Ends } from '../src/core/wire/transport-checksum.ts';
import { hasValidUdpChecksum } from '../src/core/wire/udp.ts';
import { WireError } from '../src/core/wire/bytes.ts';
import { Disproved, until } from './wait.ts';

const MAGIC = Buffer.from('THRUWAY!');
const TAG_BYTES = 12;

interface Entry {
  readonly what: string;
  readonly to: string | null;
  readonly arrivals: string[];
}

export class Ledger {
  readonly #entries: Entry[] = [];
  readonly #faults: string[] = [];

  /** A payload of `length` bytes for one packet; `to` is the host that must get it, or null when nobody may. */
  tag(what: string, to: string | null, length = 64): Uint8Array {
    const payload = Buffer.alloc(Math.max(length, TAG_BYTES), 0x2e);
    MAGIC.copy(payload);
    payload.writeUInt32BE(this.#entries.length, MAGIC.length);
    this.#entries.push({ what, to, arrivals: [] });
    return payload;
  }

  /** What arrived at a host's interface. */
  arrived(host: string, frame: Uint8Array): void {
    const packet = readPacket(frame);
    if (packet !== null) this.#take(host, packet);
  }

  /** An IPv4 packet that a host without a tap has taken from its socket. */
  taken(host: string, packet: Uint8Array): void {
    const read = readIpv4(packet);
    if (read !== null) this.#take(host, read);
  }

  #take(host: string, packet: Packet): void {
    if (packet.fault !== null)
      this.#faults.push(
        `${packet.fault} at ${host} (${packet.source} to ${packet.destination}, protocol ${packet.protocol})`,
      );
    if (isIcmpError(packet)) return;
    const entry = this.#entryIn(packet.payload);
    if (!entry) return;
    entry.arrivals.push(host);
    if (entry.to !== host)
      this.#faults.push(`${entry.what}, meant for ${entry.to ?? 'nobody'}, reached ${host}`);
    else if (entry.arrivals.length > 1)
      this.#faults.push(`${entry.what} reached ${host} ${entry.arrivals.length} times`);
  }

  /** What left the gateway towards the internet: no private address may. */
  left(frame: Uint8Array): void {
    const packet = readPacket(frame);
    if (packet && (packet.source.startsWith('192.168.') || packet.destination.startsWith('192.168.'))) {
      this.#faults.push(
        `a private address left by the WAN: ${packet.source} to ${packet.destination}, protocol ${packet.protocol}`,
      );
    }
  }

  /** Whether the packet with this payload has arrived where it should. */
  hasArrived(payload: Uint8Array): boolean {
    const entry = this.#entryIn(payload);
    return entry !== undefined && entry.to !== null && entry.arrivals.includes(entry.to);
  }

  /** How many of the packets that should arrive have. */
  count(): { wanted: number; arrived: number } {
    const wanted = this.#entries.filter((entry) => entry.to !== null);
    return { wanted: wanted.length, arrived: wanted.filter((entry) => entry.arrivals.length > 0).length };
  }

  /** Resolves when every packet so far that should arrive has; throws Disproved with what is missing or wrong. */
  async settle(patienceMs?: number): Promise<void> {
    const missing = (): Entry[] =>
      this.#entries.filter((entry) => entry.to !== null && entry.arrivals.length === 0);
    await until(
      'every packet to arrive',
      () => this.#faults.length > 0 || missing().length === 0,
      patienceMs,
      () =>
        `${missing().length} missing: ${missing()
          .slice(0, 5)
          .map((entry) => entry.what)
          .join('; ')}`,
    );
    // A tap has a packet before the socket that it is for, which is read in a turn of the loop to come.
    await sleep(1);
    this.claimNoFault();
  }

  claimNoFault(): void {
    if (this.#faults.length > 0) throw new Disproved(this.#faults.slice(0, 5).join('; '));
  }

  #entryIn(payload: Uint8Array): Entry | undefined {
    const at = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).indexOf(MAGIC);
    if (at < 0 || at + TAG_BYTES > payload.length) return undefined;
    const serial = new DataView(payload.buffer, payload.byteOffset + at).getUint32(MAGIC.length);
    return this.#entries[serial];
  }
}

const ETHERNET_BYTES = 14;
const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;
const ICMPV6 = 58;

/** What the books need of a packet of either family. */
interface Packet extends Ends {
  readonly protocol: number;
  readonly payload: Uint8Array;
  /** Which checksum is wrong. */
  readonly fault: string | null;
}

function readPacket(frame: Uint8Array): Packet | null {
  if (frame.length < ETHERNET_BYTES) return null;
  const type = (frame[12]! << 8) | frame[13]!;
  if (type === ETH_P_IP) return readIpv4(frame.subarray(ETHERNET_BYTES));
  return type === ETH_P_IPV6 ? readIpv6(frame.subarray(ETHERNET_BYTES)) : null;
}

function readIpv4(bytes: Uint8Array): Packet | null {
  return orNull(() => {
    const packet = parseIpv4Packet(bytes);
    const whole = !packet.moreFragments && packet.fragmentOffset === 0;
    const fault = packet.headerChecksumValid ? whole && checksumFault(packet) : 'wrong IP checksum';
    return { ...packet, fault: fault || null };
  });
}

function readIpv6(bytes: Uint8Array): Packet | null {
  return orNull(() => {
    const packet = parseIpv6Packet(bytes);
    return { ...packet, fault: packet.fragment === null ? checksumFault(packet) : null };
  });
}

function orNull<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}

/** An ICMP error quotes the packet it is about, with its tag. */
function isIcmpError({ protocol, payload }: Packet): boolean {
  if (protocol === ICMPV6) return payload[0]! < 128;
  return protocol === ipProtocols.icmp && payload[0] !== 0 && payload[0] !== 8;
}

function checksumFault({ source, destination, protocol, payload }: Omit<Packet, 'fault'>): string | null {
  const ends = { source, destination };
  if (protocol === ipProtocols.udp && !hasValidUdpChecksum(ends, payload)) return 'wrong UDP checksum';
  if (protocol === ipProtocols.tcp && !hasValidTcpChecksum(ends, payload)) return 'wrong TCP checksum';
  if (protocol === ipProtocols.icmp && !hasValidIcmpChecksum(payload)) return 'wrong ICMP checksum';
  // RFC 4443 2.3: unlike ICMP's, it covers the addresses.
  if (protocol === ICMPV6 && transportChecksum(ends, ICMPV6, payload) !== 0) return 'wrong ICMPv6 checksum';
  return null;
}
