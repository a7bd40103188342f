// The servers and devices of the pairing machine, within limits. What is used stays: the one that was
// heard of longest ago goes first, and one with SAs that live only when all others have some too. What
// is forgotten here stays in the kernel's maps and is relearned from their counters.
import type { Ipv4Address } from '../address.ts';
import type { Spi } from '../wire/esp.ts';
import { close, noteUnseen, type Child, type Party, type Server } from './esp-state.ts';
import { Turns } from './esp-turns.ts';
import type { Instant } from './machine.ts';

const MOST_SERVERS = 4096;
/** A LAN of a /20. */
const MOST_DEVICES = 4096;
/** Live SAs of one device at one server, each way. TR-124 asks for four sessions; this is plenty. */
const MOST_SPIS_OF_DEVICE = 64;
/** Of each server, SPIs that expired and may come back. */
const MOST_PAST = 256;
/** How many of the oldest are looked at for one that has no SAs. */
const LOOKED_AT = 16;

export class Servers {
  readonly #servers = new Map<Ipv4Address, Server>();

  get(address: Ipv4Address): Server | undefined {
    return this.#servers.get(address);
  }

  party(address: Ipv4Address, client: Ipv4Address, now: Instant): Party {
    const server = this.#touchServer(address, now);
    const known = server.parties.get(client);
    if (known !== undefined) return known;
    const party = server.suspects.get(client) ?? newParty(server, client);
    attach(party);
    return party;
  }

  /** Conntrack has an entry for its IKE: it may have SAs with the server that were made where nobody looked. */
  suspect(address: Ipv4Address, client: Ipv4Address, now: Instant): void {
    const server = this.#touchServer(address, now);
    const known = server.parties.get(client);
    if (known?.isHeard || server.suspects.has(client)) return;
    const party = known ?? newParty(server, client);
    if (server.unseen.has(party)) return;
    party.isSuspect = true;
    if (known === undefined) server.suspects.set(client, party);
    noteUnseen(party);
  }

  /** Its entry is gone, and nothing else was ever known of it. */
  unsuspect(address: Ipv4Address, client: Ipv4Address): void {
    const party = this.#servers.get(address)?.suspects.get(client);
    if (party === undefined || [...party.server.unsettled.values()].some(({ on }) => on === party)) return;
    forgetIn(party.server, party);
    party.server.suspects.delete(client);
  }

  #touchServer(address: Ipv4Address, now: Instant): Server {
    const known = this.#servers.get(address);
    if (known !== undefined) {
      // Moved to the end now and then: that is near enough to the order of use.
      if (now - known.movedAt > 1000) {
        known.movedAt = now;
        this.#servers.delete(address);
        this.#servers.set(address, known);
      }
      return known;
    }
    if (this.#servers.size >= MOST_SERVERS) {
      const out = oldest(
        this.#servers,
        (one) => one.ins.size > 0 || one.unsettled.size > 0 || one.turns.waiting > 0,
      );
      this.#servers.delete(out.address);
    }
    const server: Server = {
      address,
      parties: new Map(),
      sole: null,
      open: new Set(),
      unseen: new Set(),
      suspects: new Map(),
      ins: new Map(),
      unsettled: new Map(),
      past: new Map(),
      turns: new Turns(),
      strays: { since: now, count: 0, notedAt: -Infinity },
      roundTripMs: 0,
      isMeasured: false,
      spreadMs: 100,
      movedAt: now,
      wokenAt: -Infinity,
    };
    this.#servers.set(address, server);
    return server;
  }
}

function newParty(server: Server, client: Ipv4Address): Party {
  return {
    client,
    server,
    outs: new Map(),
    ins: new Set(),
    open: new Set(),
    early: new Set(),
    called: 0,
    uncalled: 0,
    habit: { charon: 0, low: 0, other: 0 },
    isHeard: false,
    isSuspect: false,
  };
}

/** It counts as a device of the server from now on. */
export function attach(party: Party): void {
  const { server, client } = party;
  if (!server.suspects.delete(client) && server.parties.has(client)) return;
  if (server.parties.size >= MOST_DEVICES) forgetParty(oldest(server.parties, hasSas));
  server.parties.set(client, party);
}

function hasSas(party: Party): boolean {
  return party.ins.size > 0 || party.open.size > 0;
}

function oldest<T>(all: ReadonlyMap<Ipv4Address, T>, isUsed: (one: T) => boolean): T {
  let first: T | null = null;
  let looked = 0;
  for (const one of all.values()) {
    first ??= one;
    if (!isUsed(one)) return one;
    looked += 1;
    if (looked >= LOOKED_AT) break;
  }
  return first!;
}

function forgetParty(party: Party): void {
  const { server } = party;
  for (const child of party.open) close(child);
  for (const spi of party.ins) server.ins.delete(spi);
  forgetIn(server, party);
  if (server.sole === party) server.sole = null;
  server.parties.delete(party.client);
}

/** What is not settled is not weighed for this device any more. */
function forgetIn(server: Server, party: Party): void {
  for (const unsettled of server.unsettled.values()) {
    unsettled.leanings.delete(party);
    unsettled.proofs.delete(party);
    unsettled.silent.delete(party);
    unsettled.got.delete(party);
    unsettled.shared.delete(party);
    unsettled.refuted.delete(party);
    unsettled.awaited.delete(party);
    unsettled.fits.delete(party);
  }
  server.unseen.delete(party);
}

/** The child's inbound SPI is known from now on. */
export function setInbound(child: Child, spi: Spi, isCertain: boolean): void {
  const { party } = child;
  attach(party);
  const { server } = party;
  const known = server.ins.get(spi);
  if (known !== undefined) clearInbound(known.child);
  if (party.ins.size >= MOST_SPIS_OF_DEVICE) {
    const old = server.ins.get(party.ins.values().next().value!);
    if (old !== undefined) clearInbound(old.child);
  }
  close(child);
  child.in = { spi, child, isCertain };
  server.ins.set(spi, child.in);
  party.ins.add(spi);
  if (child.out === null) party.early.add(child);
}

export function clearInbound(child: Child): void {
  if (child.in === null) return;
  const { party } = child;
  party.server.ins.delete(child.in.spi);
  party.ins.delete(child.in.spi);
  party.early.delete(child);
  child.in = null;
}

export function setOutbound(child: Child, spi: Spi): void {
  const { party } = child;
  if (party.outs.size >= MOST_SPIS_OF_DEVICE) {
    const [oldSpi, old] = party.outs.entries().next().value!;
    party.outs.delete(oldSpi);
    old.out = null;
    if (old.in === null) close(old);
  }
  party.early.delete(child);
  child.out = { spi, as: 'new', knownAt: -Infinity, sentAt: [], reactedAt: -Infinity, inVain: 0 };
  party.outs.set(spi, child);
}

/** An SPI that expired may come back: a server that speaks first after a long time. */
export function keepPast(server: Server, spi: Spi, client: Ipv4Address): void {
  server.past.delete(spi);
  server.past.set(spi, client);
  if (server.past.size > MOST_PAST) server.past.delete(server.past.keys().next().value!);
}
