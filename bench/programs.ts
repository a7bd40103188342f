// The two eBPF programs of the forwarding benchmark. The generator writes one packet of one session
// over the whole frame and sends it; the sink checks every field a router may touch, counts and
// drops. Both share one map, and through it the generator never has more packets under way than a
// veth's ring (256) holds: whatever is missing at the end was lost by the router, not by the harness.
import { assert } from '../src/core/assert.ts';
import { Assembler, readMap, writeMap } from './bpf.ts';
import type { Bits, Register } from './bpf.ts';
import type { AddressRule, Packets } from './traffic.ts';
import { ETHERNET_BYTES, FRAME_BYTES, MARK_BASE, PROTOCOL_NUMBER, SENT_TTL } from './traffic.ts';

const XDP_DROP = 1;
const XDP_PASS = 2;
const HELPER_RANDOM = 7;
const HELPER_REDIRECT = 23;

const FIRST_SEQUENCE = 1000;

/** The map: each counter on a cache line of its own, then the first wrong packet. */
const SENT = 0;
const SEEN = 128;
const WRONG = 256;
const WITNESS = 384;
export const MAP_BYTES = WITNESS + 64;

/** Below the 256 places of a veth ring by one bulk of 16 frames. */
const UNDER_WAY = 240;

const IP_ID = ETHERNET_BYTES + 4;
const IP_TTL = ETHERNET_BYTES + 8;
const IP_CHECKSUM = ETHERNET_BYTES + 10;
const IP_SOURCE = ETHERNET_BYTES + 12;
const IP_DESTINATION = ETHERNET_BYTES + 16;

export interface Counters {
  /** Packets given to the router. */
  readonly sent: number;
  /** Packets that arrived, right or wrong. */
  readonly seen: number;
  /** Packets that arrived with something the router should not have done, or should have. */
  readonly wrong: number;
  /** The first of those, or null. */
  readonly witness: Uint8Array | null;
}

export function readCounters(mapFd: number): Counters {
  const value = new Uint8Array(MAP_BYTES);
  readMap(mapFd, value);
  const at = (offset: number): number => Number(new DataView(value.buffer).getBigUint64(offset, true));
  const wrong = at(WRONG);
  return {
    sent: at(SENT),
    seen: at(SEEN),
    wrong,
    witness: wrong > 0 ? value.subarray(WITNESS, WITNESS + FRAME_BYTES) : null,
  };
}

export function resetCounters(mapFd: number): void {
  writeMap(mapFd, new Uint8Array(MAP_BYTES));
}

/**
 * `order` says which session comes next: `random` as in life, `once` each in turn and then no more.
 * The map's descriptor is written into the program.
 */
export function generator(
  packets: Packets,
  sessions: number,
  order: 'random' | 'once',
  macs: { source: Uint8Array; destination: Uint8Array },
  interfaceIndex: number,
  mapFd: number,
): Uint8Array {
  const a = new Assembler();
  a.compute('mov', 'r6', 'r1');
  a.loadMapValue('r9', mapFd);
  a.load(64, 'r4', 'r9', SENT);
  a.load(64, 'r5', 'r9', SEEN);
  a.compute('mov', 'r3', 'r4');
  a.compute('sub', 'r3', 'r5');
  a.jumpIf('ge', 'r3', UNDER_WAY, 'wait');
  if (order === 'once') a.jumpIf('ge', 'r4', sessions, 'wait');
  frameBounds(a, 'wait');

  a.load(64, 'r8', 'r9', SENT);
  if (order === 'once') {
    a.compute('mov', 'r0', 'r8');
  } else {
    a.call(HELPER_RANDOM);
    a.compute('mod', 'r0', sessions);
  }
  a.compute('add', 'r8', 1);
  a.store(64, 'r9', SENT, 'r8');

  // r7 the frame, r0 the session, r3 the checksum's share of what varies.
  const frame = packets.frame.slice();
  frame.set(macs.destination, 0);
  frame.set(macs.source, 6);
  const fixedSum = checksumWithoutVarying(frame, packets);
  new DataView(frame.buffer).setUint16(IP_CHECKSUM, fixedSum);
  const view = new DataView(frame.buffer);
  for (let at = 0; at < FRAME_BYTES; at += 4) a.store(32, 'r7', at, view.getInt32(at, true));

  a.compute('mov', 'r3', 0);
  writeAddress(a, packets.source, IP_SOURCE);
  writeAddress(a, packets.destination, IP_DESTINATION);
  // The identification makes up for the addresses: sum + ~sum is all ones, which is zero (RFC 1071).
  foldSum(a, 'r3', 'r2');
  a.compute('xor', 'r3', 0xffff);
  writeNetworkOrder(a, 16, IP_ID, 'r3');

  a.compute('mov', 'r2', 'r0');
  a.compute('add', 'r2', MARK_BASE);
  writeNetworkOrder(a, 32, packets.markOffset, 'r2');
  if (packets.sequenceOffset !== null) {
    // A gateway may treat some sequence numbers otherwise, and a small one as a new association's.
    for (const at of [packets.sequenceOffset, packets.sequenceOffset + 4]) {
      a.compute('mov', 'r2', 'r8');
      a.compute('add', 'r2', FIRST_SEQUENCE);
      writeNetworkOrder(a, 32, at, 'r2');
    }
  }
  a.compute('mov', 'r1', interfaceIndex);
  a.compute('mov', 'r2', 0);
  a.call(HELPER_REDIRECT);
  a.exitWithR0();
  a.label('wait');
  a.exit(XDP_DROP);
  return a.assemble();
}

/** Lets through what is not ours (ICMP, ARP); what is ours is counted, checked and dropped. */
export function sink(packets: Packets, sessions: number, mapFd: number): Uint8Array {
  const a = new Assembler();
  a.compute('mov', 'r6', 'r1');
  frameBounds(a, 'pass');
  a.load(16, 'r2', 'r7', 12);
  a.swapBytes(16, 'r2');
  a.jumpIf('ne', 'r2', 0x0800, 'pass');
  a.load(8, 'r2', 'r7', IP_TTL + 1);
  a.jumpIf('ne', 'r2', PROTOCOL_NUMBER[packets.protocol], 'pass');
  a.loadMapValue('r9', mapFd);
  a.compute('mov', 'r1', 1);
  a.addToCounter('r9', SEEN, 'r1');

  // r0 becomes the session's number, as in the generator.
  a.load(32, 'r0', 'r7', packets.markOffset);
  a.swapBytes(32, 'r0');
  a.compute('sub', 'r0', MARK_BASE);
  a.jumpIf('ge', 'r0', sessions, 'wrong');
  checkAddress(a, packets.source, IP_SOURCE);
  checkAddress(a, packets.destination, IP_DESTINATION);
  a.load(8, 'r2', 'r7', IP_TTL);
  a.jumpIf('ne', 'r2', SENT_TTL - 1, 'wrong');
  a.compute('mov', 'r3', 0);
  for (let at = ETHERNET_BYTES; at < ETHERNET_BYTES + 20; at += 2) {
    a.load(16, 'r2', 'r7', at);
    a.compute('add', 'r3', 'r2');
  }
  foldSum(a, 'r3', 'r2');
  a.jumpIf('ne', 'r3', 0xffff, 'wrong');
  if (packets.sequenceOffset !== null) {
    a.load(32, 'r2', 'r7', packets.sequenceOffset);
    a.load(32, 'r3', 'r7', packets.sequenceOffset + 4);
    a.jumpIf('ne', 'r2', 'r3', 'wrong');
  }
  // UDP's ports, GRE's version and Call ID: all but the mark and the sequence number.
  for (const at of [ETHERNET_BYTES + 20, ETHERNET_BYTES + 24]) {
    if (at === packets.markOffset || at === packets.sequenceOffset) continue;
    a.load(32, 'r2', 'r7', at);
    a.jumpIf32('ne', 'r2', new DataView(packets.frame.buffer).getInt32(at, true), 'wrong');
  }
  a.exit(XDP_DROP);

  a.label('wrong');
  a.load(64, 'r2', 'r9', WRONG);
  a.jumpIf('ne', 'r2', 0, 'known');
  for (let at = 0; at < FRAME_BYTES; at += 4) {
    a.load(32, 'r2', 'r7', at);
    a.store(32, 'r9', WITNESS + at, 'r2');
  }
  a.label('known');
  a.addToCounter('r9', WRONG, 'r1');
  a.exit(XDP_DROP);
  a.label('pass');
  a.exit(XDP_PASS);
  return a.assemble();
}

/** r7 becomes the frame's start, proven to hold FRAME_BYTES; takes r6 as the context. */
function frameBounds(a: Assembler, otherwise: string): void {
  a.load(32, 'r7', 'r6', 0);
  a.load(32, 'r8', 'r6', 4);
  a.compute('mov', 'r2', 'r7');
  a.compute('add', 'r2', FRAME_BYTES);
  a.jumpIf('gt', 'r2', 'r8', otherwise);
}

function expectAddress(a: Assembler, rule: AddressRule, dst: Register): void {
  // `mov` extends the sign: the halves are added apart so that no upper bit is ever set.
  a.compute('mov', dst, rule.base >>> 1);
  a.compute('add', dst, rule.base - (rule.base >>> 1));
  if (rule.perSession) a.compute('add', dst, 'r0');
}

function writeAddress(a: Assembler, rule: AddressRule, at: number): void {
  expectAddress(a, rule, 'r2');
  if (rule.perSession) {
    a.compute('mov', 'r4', 'r2');
    a.compute('rsh', 'r4', 16);
    a.compute('add', 'r3', 'r4');
    a.compute('mov', 'r4', 'r2');
    a.compute('and', 'r4', 0xffff);
    a.compute('add', 'r3', 'r4');
  }
  writeNetworkOrder(a, 32, at, 'r2');
}

function checkAddress(a: Assembler, rule: AddressRule, at: number): void {
  expectAddress(a, rule, 'r2');
  a.load(32, 'r3', 'r7', at);
  a.swapBytes(32, 'r3');
  a.jumpIf('ne', 'r2', 'r3', 'wrong');
}

function writeNetworkOrder(a: Assembler, bits: Extract<Bits, 16 | 32>, at: number, register: Register): void {
  a.swapBytes(bits, register);
  a.store(bits, 'r7', at, register);
}

/** Twice, because the first fold may carry. Ones' complement does not care about byte order. */
function foldSum(a: Assembler, sum: Register, scratch: Register): void {
  for (let round = 0; round < 2; round += 1) {
    a.compute('mov', scratch, sum);
    a.compute('rsh', scratch, 16);
    a.compute('and', sum, 0xffff);
    a.compute('add', sum, scratch);
  }
}

/** The header checksum, given that identification and varying addresses add up to zero. */
function checksumWithoutVarying(frame: Uint8Array, packets: Packets): number {
  const view = new DataView(frame.buffer);
  assert(view.getUint16(IP_CHECKSUM) === 0 && view.getUint16(IP_ID) === 0, 'the template leaves them open');
  let sum = 0;
  for (let at = ETHERNET_BYTES; at < ETHERNET_BYTES + 20; at += 2) sum += view.getUint16(at);
  for (const { base, perSession } of [packets.source, packets.destination]) {
    if (!perSession) sum += (base >>> 16) + (base & 0xffff);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
