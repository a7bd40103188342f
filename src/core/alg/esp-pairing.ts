// Which device an inbound ESP SPI belongs to (RFC 4303 2.1): the device chose it inside encrypted IKE,
// so it is inferred. Hears IKE, the first packets of each SPI either way and the kernel's own pairs;
// wants pairs made and mended, held packets delivered, and one device at a time to begin something new.
// What the kernel does with that is in ARCHITECTURE.md (one device at a time); how evidence is weighed is
// in esp-evidence.ts. NAT-T (UDP 4500) needs no pairing and is not looked at.
import type { Ipv4Address } from '../address.ts';
import { exchangeTypes } from '../wire/isakmp.ts';
import type { EspPacket, Spi } from '../wire/esp.ts';
import {
  bestChild,
  choose,
  CLEAR,
  confidenceOf,
  evidenceOf,
  SETTLED,
  callersOf,
  learnHabit,
  weighArrival,
  weighReaction,
  weighSending,
  weighSilence,
  type Choice,
} from './esp-evidence.ts';
import { busyUntil, deadline, MOST_WAIT_MS, TRIAL_MS } from './esp-deadlines.ts';
import {
  measureRoundTrip,
  newChild,
  remember,
  type Child,
  type Party,
  type Server,
  type Unsettled,
} from './esp-state.ts';
import { RENEW_MS, Turns, type HeldBack } from './esp-turns.ts';
import type { EspSent, Fact, IkeSeen, PairingEffect } from './fact.ts';
import { IkeTracker, isPhaseTwo, type IkeNews } from './ike.ts';
import type { Instant, Machine } from './machine.ts';

/** Held packets of one unsettled SPI: what a server sends in a round trip. */
const MOST_HELD_OF_SPI = 16;
/** Unsettled SPIs of one server; more at once is a flood. */
const MOST_UNSETTLED = 48;
/** A held packet is delivered again to another device within this time. */
const REDELIVER_MS = 3000;
/** How much likelier another device must be to get what one has already: a natural logarithm of odds. */
const BETTER = 0.7;
/** An exchange that made no SA by then has failed. */
const EXCHANGE_MS = 30_000;

export class EspPairing implements Machine<Fact, PairingEffect> {
  readonly #servers = new Map<Ipv4Address, Server>();
  readonly #ike = new IkeTracker();
  /** Servers with something that has a deadline. */
  readonly #restless = new Set<Server>();
  #effects: PairingEffect[] = [];

  handle(fact: Fact, now: Instant): PairingEffect[] {
    this.#effects = [];
    switch (fact.kind) {
      case 'ike':
        this.#hearIke(fact, now);
        break;
      case 'esp-sent':
        this.#hearSent(fact, now);
        break;
      case 'esp-arrived':
        this.#hearArrived(this.#server(fact.server, now), fact.packet, fact.held, now);
        break;
      case 'esp-passed':
        this.#hearPassed(this.#server(fact.server, now), fact.packet, now);
        break;
      case 'esp-learned':
        this.#hearLearned(this.#party(fact.server, fact.client, now), fact.spi, now);
        break;
      case 'esp-forgotten':
        this.#hearForgotten(this.#party(fact.server, fact.client, now), fact.direction, fact.spi);
        break;
      case 'esp-begun-again':
        this.#hearBegunAgain(this.#party(fact.server, fact.client, now), fact.spi, now);
        break;
    }
    return this.#effects;
  }

  nextWake(): Instant | null {
    let next: Instant | null = null;
    for (const server of this.#restless) {
      const at = deadline(server);
      if (at !== null && (next === null || at < next)) next = at;
    }
    return next;
  }

  wake(now: Instant): PairingEffect[] {
    this.#effects = [];
    for (const server of this.#restless) {
      const at = deadline(server);
      if (at === null) this.#restless.delete(server);
      if (at === null || at > now) continue;
      server.wokenAt = now;
      this.#decide(server, now);
      this.#reviewTurn(server, now);
    }
    return this.#effects;
  }

  #server(address: Ipv4Address, now: Instant): Server {
    let server = this.#servers.get(address);
    if (server === undefined) {
      server = {
        address,
        parties: new Map(),
        ins: new Map(),
        unsettled: new Map(),
        past: new Map(),
        turns: new Turns(),
        roundTripMs: 0,
        spreadMs: 100,
        lastAt: now,
        wokenAt: -Infinity,
      };
      this.#servers.set(address, server);
    }
    server.lastAt = now;
    return server;
  }

  #party(address: Ipv4Address, client: Ipv4Address, now: Instant): Party {
    const server = this.#server(address, now);
    let party = server.parties.get(client);
    if (party === undefined) {
      party = {
        client,
        server,
        outs: new Map(),
        open: new Set(),
        early: new Set(),
        ikeUnseen: false,
        called: 0,
        uncalled: 0,
        habit: { charon: 0, low: 0, other: 0 },
        lastAt: now,
      };
      server.parties.set(client, party);
    }
    party.lastAt = now;
    return party;
  }

  // IKE

  #hearIke(seen: IkeSeen, now: Instant): void {
    const client = this.#ike.clientOf(seen);
    const { header } = seen.message;
    if (client === null || client.includes(':') || seen.port !== 500) return this.#letGo(seen.held);
    const party = this.#party(seen.server as Ipv4Address, client as Ipv4Address, now);
    const { turns } = party.server;
    if (!isPhaseTwo(header.exchangeType)) {
      this.#letGo(seen.held);
      return this.#follow(this.#ike.hear(seen, now), party, now);
    }
    const isRequest = header.majorVersion === 1 || !header.flags.response;
    if (seen.held !== null) {
      const isUnderWay = this.#ike.isUnderWay(seen);
      const mayGo = !isRequest || isUnderWay || turns.holder === client || turns.isOver(now);
      if (!mayGo) {
        const waits = turns.wait(party.client, { held: seen.held, what: { kind: 'ike', seen } });
        if (waits === 'waits') return this.#rest(party.server);
        if (waits === 'repeated') return this.#emit({ kind: 'drop-held', held: seen.held });
      } else if (isRequest && !isUnderWay) this.#giveTurn(party, now);
      this.#letGo(seen.held);
    } else if (isRequest && seen.from === 'lan') {
      turns.take(party.client, now);
    }
    const news = this.#ike.hear(seen, now);
    if (seen.from === 'wan' && seen.held === null && isAsked(news) && turns.isOver(now))
      this.#giveTurn(party, now);
    this.#follow(news, party, now);
    this.#reviewTurn(party.server, now);
  }

  #follow(news: IkeNews, party: Party, now: Instant): void {
    if (news === null) return;
    if (news.kind === 'renewed') {
      // What CREATE_CHILD_SA made was no child: nothing is to be expected of it.
      for (const child of party.open) {
        const { exchange } = child;
        if (child.out === null && exchange?.type === exchangeTypes.createChildSa) {
          party.open.delete(child);
          return;
        }
      }
      return;
    }
    const { exchange, step } = news;
    const known = [...party.open].find((child) => child.exchange === exchange);
    if (step === 'answered' && exchange.by === 'lan' && !exchange.repeated) {
      measureRoundTrip(party.server, now - exchange.askedAt);
    }
    if (known || step === 'another') return;
    if (exchange.type === exchangeTypes.ikeAuth) {
      // EAP has several rounds for one SA (RFC 7296 2.16): the last one counts.
      for (const child of party.open) {
        if (
          child.exchange?.type === exchangeTypes.ikeAuth &&
          child.out === null &&
          now - child.since < EXCHANGE_MS
        ) {
          child.exchange = exchange;
          return;
        }
      }
    }
    newChild(party, exchange, now);
  }

  // ESP from the LAN

  #hearSent({ server: address, client, packet, held }: EspSent, now: Instant): void {
    const party = this.#party(address, client, now);
    const { server } = party;
    const child = party.outs.get(packet.spi) ?? this.#newOutbound(party, packet.spi, now);
    const out = child.out!;
    const reacted = weighReaction(server, party, now);
    if (held !== null) {
      const { turns } = server;
      if (!reacted && out.as === 'new' && turns.holder !== client && !turns.isOver(now)) {
        const waits = turns.wait(client, { held, what: { kind: 'esp', spi: packet.spi } });
        if (waits === 'waits') return this.#rest(server);
      }
      if (!reacted && out.as === 'new' && turns.isOver(now)) this.#giveTurn(party, now);
      this.#letGo(held);
    } else if (!reacted && out.as === 'new' && server.parties.size > 1) {
      server.turns.take(client, now);
    }
    this.#sent(party, child, now);
    this.#decide(server, now);
    this.#reviewTurn(server, now);
  }

  /** A packet of this child has left for the server. */
  #sent(party: Party, child: Child, now: Instant): void {
    const out = child.out!;
    weighSending(party.server, party, out.sentAt.at(-1) ?? null, now);
    remember(out.sentAt, now);
    out.inVain += 1;
    if (child.in !== null || party.server.parties.size === 1) this.#outbound(party, child, 'known');
  }

  #newOutbound(party: Party, spi: Spi, now: Instant): Child {
    let child = [...party.open].find(({ out }) => out === null) ?? [...party.early][0];
    child ??= newChild(party, null, now);
    party.early.delete(child);
    if (child.exchange === null && child.in === null) party.ikeUnseen = true;
    child.out = { spi, as: 'new', sentAt: [], inVain: 0 };
    party.outs.set(spi, child);
    return child;
  }

  #outbound(party: Party, child: Child, as: 'known' | 'watched'): void {
    const out = child.out;
    if (out === null || out.as === as) return;
    out.as = as;
    this.#emit({ kind: 'outbound', client: party.client, server: party.server.address, spi: out.spi, as });
  }

  // ESP from the WAN

  #hearArrived(server: Server, { spi, sequence }: EspPacket, held: number | null, now: Instant): void {
    const settled = server.ins.get(spi);
    if (settled) {
      if (held !== null) this.#deliver([held], settled.child.party, true);
      return;
    }
    let unsettled = server.unsettled.get(spi);
    if (unsettled === undefined) {
      const expected = [...server.parties.values()].some((party) => party.open.size > 0 || party.ikeUnseen);
      if (!expected || server.unsettled.size >= MOST_UNSETTLED) {
        if (held !== null) this.#emit({ kind: 'drop-held', held });
        return;
      }
      unsettled = {
        spi,
        firstAt: now,
        sequence,
        held: [],
        arrivedAt: [],
        packets: 0,
        scores: new Map(),
        on: null,
        onSince: now,
        deliveredAt: -Infinity,
        awaited: false,
        uncalled: callersOf(server, now).length === 0,
        silent: new Map(),
        proofs: new Map(),
      };
      server.unsettled.set(spi, unsettled);
    }
    if (held !== null) {
      if (unsettled.held.length >= MOST_HELD_OF_SPI) {
        this.#emit({ kind: 'drop-held', held: unsettled.held.shift()! });
      }
      unsettled.held.push(held);
      if (unsettled.on !== null) this.#deliver([held], unsettled.on, false);
    }
    this.#arrived(server, unsettled, now);
  }

  #hearPassed(server: Server, { spi }: EspPacket, now: Instant): void {
    const unsettled = server.unsettled.get(spi);
    if (unsettled === undefined) return;
    this.#arrived(server, unsettled, now);
  }

  #arrived(server: Server, unsettled: Unsettled, now: Instant): void {
    weighArrival(server, unsettled, now);
    remember(unsettled.arrivedAt, now);
    if (unsettled.on !== null) this.#awaitReaction(unsettled, now);
    this.#decide(server, now);
    this.#reviewTurn(server, now);
  }

  /** Gives out what is clear enough or has waited long enough, settles what is proved, mends what is wrong. */
  #decide(server: Server, now: Instant): void {
    for (const unsettled of server.unsettled.values()) weighSilence(unsettled, now);
    const choices = choose(server);
    for (const unsettled of server.unsettled.values()) {
      const choice = choices.get(unsettled);
      if (choice === undefined) {
        if (unsettled.on === null && now >= unsettled.firstAt + MOST_WAIT_MS) this.#giveUp(server, unsettled);
        continue;
      }
      const { party, margin, rivals } = choice;
      if (unsettled.on === null) {
        if (margin < CLEAR && rivals > 0 && now < unsettled.firstAt + MOST_WAIT_MS) continue;
        this.#put(unsettled, choice, null, now);
      } else if (unsettled.on !== party && margin > BETTER) {
        this.#put(unsettled, choice, unsettled.on, now);
      }
      const isOld = now >= unsettled.onSince + TRIAL_MS;
      if (isOld && unsettled.on !== null) {
        this.#settle(unsettled, { ...choice, party: unsettled.on }, now);
        continue;
      }
      if (unsettled.on !== party) continue;
      const proofs = unsettled.proofs.get(party) ?? 0;
      if (
        (margin >= SETTLED && proofs >= 2) ||
        (rivals === 0 && party.open.size > 0 && !hasUnseen(server, party))
      ) {
        this.#settle(unsettled, choice, now);
      }
    }
    if (server.unsettled.size > 0) this.#rest(server);
  }

  /** Nobody can be meant any more. */
  #giveUp(server: Server, unsettled: Unsettled): void {
    server.unsettled.delete(unsettled.spi);
    for (const held of unsettled.held) this.#emit({ kind: 'drop-held', held });
  }

  #put(unsettled: Unsettled, { party, margin, rivals }: Choice, instead: Party | null, now: Instant): void {
    unsettled.on = party;
    unsettled.onSince = now;
    this.#emit({
      kind: 'pair',
      server: party.server.address,
      spi: unsettled.spi,
      client: party.client,
      confidence: confidenceOf(margin, rivals),
      evidence: evidenceOf(party, margin, rivals, instead),
      instead: instead?.client ?? null,
      trial: true,
    });
    if (now - unsettled.firstAt < REDELIVER_MS) {
      this.#deliver(unsettled.held, party, false);
      if (unsettled.held.length > 0) this.#awaitReaction(unsettled, now);
    }
    for (const child of party.open) this.#outbound(party, child, 'watched');
  }

  #awaitReaction(unsettled: Unsettled, now: Instant): void {
    unsettled.deliveredAt = now;
    unsettled.awaited = true;
  }

  #settle(unsettled: Unsettled, { party, margin, rivals }: Choice, now: Instant): void {
    const { server } = party;
    const child = bestChild(party, unsettled.sequence, unsettled.firstAt) ?? newChild(party, null, now);
    const confidence = confidenceOf(margin, rivals);
    const sent = child.out?.sentAt.findLast((at) => at < unsettled.firstAt);
    if (sent !== undefined && confidence === 'certain') measureRoundTrip(server, unsettled.firstAt - sent);
    server.unsettled.delete(unsettled.spi);
    party.open.delete(child);
    child.in = { spi: unsettled.spi, child, confidence };
    if (child.out === null) party.early.add(child);
    learnHabit(party, unsettled.spi);
    if (unsettled.uncalled) party.uncalled += 1;
    else party.called += 1;
    server.ins.set(unsettled.spi, child.in);
    this.#emit({
      kind: 'pair',
      server: server.address,
      spi: unsettled.spi,
      client: party.client,
      confidence,
      evidence: evidenceOf(party, margin, rivals, null),
      instead: null,
      trial: false,
    });
    for (const held of unsettled.held) this.#emit({ kind: 'drop-held', held });
    this.#outbound(party, child, 'known');
  }

  #deliver(helds: readonly number[], party: Party, forget: boolean): void {
    for (const held of helds) {
      this.#emit({ kind: 'deliver', held, client: party.client });
      if (forget) this.#emit({ kind: 'drop-held', held });
    }
  }

  // What the kernel tells of its maps

  #hearLearned(party: Party, spi: Spi, now: Instant): void {
    const { server } = party;
    const known = server.ins.get(spi);
    if (known?.child.party === party) return;
    if (known) known.child.in = null;
    const child = [...party.open][0] ?? newChild(party, null, now);
    party.open.delete(child);
    child.in = { spi, child, confidence: server.parties.size === 1 ? 'certain' : 'ambiguous' };
    server.ins.set(spi, child.in);
  }

  #hearForgotten(party: Party, direction: 'out' | 'in', spi: Spi): void {
    if (direction === 'out') {
      const child = party.outs.get(spi);
      if (child) {
        party.outs.delete(spi);
        child.out = null;
        if (child.in === null) party.open.delete(child);
      }
      return;
    }
    const inbound = party.server.ins.get(spi);
    if (inbound?.child.party !== party) return;
    party.server.ins.delete(spi);
    inbound.child.in = null;
    if (inbound.child.out !== null) party.open.add(inbound.child);
  }

  #hearBegunAgain(party: Party, spi: Spi, now: Instant): void {
    const { server } = party;
    if (party.open.size > 0) return;
    for (const other of server.parties.values()) {
      const child = bestChild(other, 1, now);
      if (other === party || child === null) continue;
      if (now - (child.out?.sentAt.at(-1) ?? child.since) > EXCHANGE_MS) continue;
      this.#emit({
        kind: 'collision',
        server: server.address,
        spi,
        client: party.client,
        other: other.client,
      });
      return;
    }
  }

  // Turns

  #giveTurn(party: Party, now: Instant): void {
    party.server.turns.take(party.client, now);
    this.#emit({ kind: 'turn', server: party.server.address, client: party.client });
  }

  /** Ends the turn when its holder has what it wanted, and lets the next one begin. */
  #reviewTurn(server: Server, now: Instant): void {
    const { turns } = server;
    while (turns.holder !== null) {
      const party = server.parties.get(turns.holder);
      const isBusy = !turns.isOver(now) && party !== undefined && busyUntil(party, now) > now;
      if (isBusy) {
        if (turns.waiting > 0 && now - turns.renewedAt >= RENEW_MS) this.#giveTurn(party, now);
        return this.#rest(server);
      }
      if (party) for (const child of party.open) this.#outbound(party, child, 'watched');
      const next = turns.next();
      if (next === null) {
        turns.holder = null;
        this.#emit({ kind: 'turn', server: server.address, client: null });
        return;
      }
      const nextParty = this.#party(server.address, next.client, now);
      this.#giveTurn(nextParty, now);
      for (const item of next.items) this.#release(nextParty, item, now);
    }
  }

  #release(party: Party, { held, what }: HeldBack, now: Instant): void {
    this.#letGo(held);
    if (what.kind === 'ike') {
      this.#follow(this.#ike.hear({ ...what.seen, held: null }, now), party, now);
    } else {
      const child = party.outs.get(what.spi);
      if (child) this.#sent(party, child, now);
    }
  }

  #letGo(held: number | null): void {
    if (held !== null) this.#emit({ kind: 'release', held });
  }

  #emit(effect: PairingEffect): void {
    this.#effects.push(effect);
  }

  #rest(server: Server): void {
    this.#restless.add(server);
  }
}

function isAsked(news: IkeNews): boolean {
  return news?.kind === 'exchange' && news.step === 'asked';
}

function hasUnseen(server: Server, but: Party): boolean {
  for (const party of server.parties.values()) if (party !== but && party.ikeUnseen) return true;
  return false;
}
