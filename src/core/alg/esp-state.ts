// What the pairing machine knows of one server: its devices, their child SAs, and the inbound SPIs that
// are not settled yet. A child SA is one SPI each way; either may be unknown for a while. Plain tables
// with their limits; what follows from them is in esp-evidence.ts, esp-turns.ts and esp-pairing.ts.
import type { Ipv4Address } from '../address.ts';
import type { Spi } from '../wire/esp.ts';
import type { Exchange } from './ike.ts';
import type { Instant } from './machine.ts';
import type { Turns } from './esp-turns.ts';

/** TR-124 asks for four sessions of a device; rekeying doubles them. Those that are in use are never pushed out. */
const MOST_OPEN_OF_DEVICE = 12;
/** Beyond these the oldest are not waited for any more: every packet of an unknown SPI is weighed against each. */
const MOST_OPEN_OF_SERVER = 256;
const MOST_UNSEEN = 64;
/** Times of packets that are remembered of one SPI. */
const MOST_TIMES = 8;

export interface Outbound {
  readonly spi: Spi;
  /** Whether each packet of it is copied to us, and whether it needs a turn: as in the effect `outbound`. */
  as: 'new' | 'watched' | 'known';
  /** When it became known, or was last wanted to be. */
  knownAt: Instant;
  /** When it was used, latest last, as far as it was seen. */
  readonly sentAt: Instant[];
  /** When one was plainly a reaction to what its device had just got, and asked nothing. */
  reactedAt: Instant;
  /** How many packets, while its inbound SPI is not known. */
  inVain: number;
}

/** One child SA of a device. */
export interface Child {
  readonly party: Party;
  /** That made it; null when only its packets were seen. */
  exchange: Exchange | null;
  readonly since: Instant;
  out: Outbound | null;
  in: Inbound | null;
}

/** An inbound SPI that is settled. */
export interface Inbound {
  readonly spi: Spi;
  readonly child: Child;
  readonly isCertain: boolean;
}

/** An inbound SPI that is held or on trial. */
export interface Unsettled {
  readonly spi: Spi;
  readonly firstAt: Instant;
  readonly sequence: number;
  /** Copies that could still be delivered (again). */
  readonly held: number[];
  /** When packets came, latest last. */
  readonly arrivedAt: Instant[];
  /** When the last packets came that did not come together with others: a repeating server waits longer each time. */
  readonly bursts: Instant[];
  burstCount: number;
  packets: number;
  /** How long after a packet of each child the latest one came, if that may have been an answer. */
  readonly gaps: Map<Child, number>;
  /** How well its packets' times fit each child, or a device that expects none: logarithms of rates, added up. */
  readonly fits: Map<Child | Party, number>;
  /** What else speaks for a device or against it: logarithms of odds, added up. */
  readonly leanings: Map<Party, number>;
  /** To whom it is given for now. */
  on: Party | null;
  /** Those who all get its packets while it is nobody's, because nothing tells them apart yet. */
  readonly shared: Set<Party>;
  /** How often it was taken back to that. */
  doubts: number;
  /** Which of its children it seems to be. */
  child: Child | null;
  /** Since when. */
  onSince: Instant;
  /** When each device got a packet of it, that has still to show that it was its own. */
  readonly awaited: Map<Party, Instant>;
  /** What was last taken for a device's reaction, and how much it said: a logarithm of odds. */
  reaction: { readonly party: Party; readonly at: Instant; readonly said: number } | null;
  /** Those to whom the server has said the same thing again and again, for all that is known. */
  readonly refuted: Set<Party>;
  /** The device whose packet the latest one seems to answer. */
  caller: Party | null;
  /** No device's packet called for the first one. */
  uncalled: boolean;
  /** How often each device got packets of it. */
  readonly got: Map<Party, number>;
  /** How often it stayed silent then, of the first few times. */
  readonly silent: Map<Party, number>;
  /** How often a device reacted to a packet of it, or called for one when no other did. */
  readonly proofs: Map<Party, number>;
}

/** One device at one server. */
export interface Party {
  readonly client: Ipv4Address;
  readonly server: Server;
  readonly outs: Map<Spi, Child>;
  /** Its settled inbound SPIs. */
  readonly ins: Set<Spi>;
  /** Children whose inbound SPI is not settled, oldest first; see `newChild`. */
  readonly open: Set<Child>;
  /** Children whose outbound SPI is not known though the inbound one is: the server has spoken first. */
  readonly early: Set<Child>;
  /** Its settled inbound SPIs: how many an answer began, how many the server, and from where they are. */
  called: number;
  uncalled: number;
  readonly habit: SpiHabit;
  /** Its IKE has been heard. */
  isHeard: boolean;
  /** Nothing but conntrack's entry tells that it speaks IKE with the server. */
  isSuspect: boolean;
}

/** From which ranges a device's implementation has taken its SPIs so far. */
export interface SpiHabit {
  charon: number;
  low: number;
  other: number;
}

export interface Server {
  readonly address: Ipv4Address;
  readonly parties: Map<Ipv4Address, Party>;
  /** The only device that has ever asked it for an SA, or used one; then the kernel needs no help. */
  sole: Party | 'shared' | null;
  /** The open children of all devices, oldest first. */
  readonly open: Set<Child>;
  /** Devices that have SAs which no exchange was seen for, or may have, the latest last. */
  readonly unseen: Set<Party>;
  /** Of these, those that nothing else is known of; the kernel does not count them as devices of the server. */
  readonly suspects: Map<Ipv4Address, Party>;
  readonly ins: Map<Spi, Inbound>;
  readonly unsettled: Map<Spi, Unsettled>;
  /** Inbound SPIs that were forgotten in the kernel, and whose they were. */
  readonly past: Map<Spi, Ipv4Address>;
  readonly turns: Turns;
  /** Shortest time from a device's message to the server's answer, and by how much others exceed it. */
  roundTripMs: number;
  /** By packets of ESP; a server thinks about IKE much longer. */
  isMeasured: boolean;
  spreadMs: number;
  /** Packets for nobody: see `countStray`. */
  readonly strays: { since: Instant; count: number; notedAt: Instant };
  /** In the order of use. */
  movedAt: Instant;
  wokenAt: Instant;
}

/** A child SA of which something has been seen, and whose inbound SPI is expected. */
export function newChild(party: Party, exchange: Exchange | null, now: Instant): Child {
  const child: Child = { party, exchange, since: now, out: null, in: null };
  open(child);
  return child;
}

export function open(child: Child): void {
  const { party } = child;
  party.open.add(child);
  party.server.open.add(child);
  if (party.open.size > MOST_OPEN_OF_DEVICE) close(party.open.values().next().value!);
  if (party.server.open.size > MOST_OPEN_OF_SERVER) close(party.server.open.values().next().value!);
}

/** Nothing more is expected of it. */
export function close(child: Child): void {
  child.party.open.delete(child);
  child.party.server.open.delete(child);
}

/** It has SAs, or may have, that no message was seen of. */
export function noteUnseen(party: Party): void {
  const { unseen, suspects } = party.server;
  unseen.delete(party);
  unseen.add(party);
  if (unseen.size <= MOST_UNSEEN) return;
  const first = [...unseen].find(({ isSuspect }) => isSuspect) ?? unseen.values().next().value!;
  unseen.delete(first);
  suspects.delete(first.client);
}

/** Its IKE has been heard, so what it expects is known. */
export function clearSuspicion(party: Party): void {
  party.isHeard = true;
  if (!party.isSuspect) return;
  party.isSuspect = false;
  party.server.unseen.delete(party);
}

export function remember(times: Instant[], now: Instant): void {
  times.push(now);
  if (times.length > MOST_TIMES) times.shift();
}

/** One more measurement of the way to the server and back. */
export function measureRoundTrip(server: Server, milliseconds: number): void {
  if (milliseconds < 0 || milliseconds > 5000) return;
  if (server.roundTripMs === 0) {
    server.roundTripMs = milliseconds;
    return;
  }
  if (milliseconds < server.roundTripMs) {
    server.spreadMs += (server.roundTripMs - milliseconds) / 2;
    server.roundTripMs = milliseconds;
  }
  // Repetitions look like very long ways; they count for little.
  const excess = Math.min(milliseconds - server.roundTripMs, 1000);
  server.spreadMs += (excess - server.spreadMs) / 4;
}
