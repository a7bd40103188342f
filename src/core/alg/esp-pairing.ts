// Which device an inbound ESP SPI belongs to (RFC 4303 2.1): the device chose it inside encrypted IKE,
// so it is inferred. Hears IKE, the first packets of each SPI either way and the kernel's own pairs;
// wants pairs made and mended, held packets delivered, and one device at a time to begin something new.
// What the kernel does with that is in ARCHITECTURE.md (one device at a time); how evidence is weighed is
// in esp-evidence.ts. NAT-T (UDP 4500) needs no pairing and is not looked at.
import type { Ipv4Address } from '../address.ts';
import { exchangeTypes } from '../wire/isakmp.ts';
import type { Spi } from '../wire/esp.ts';
import { ipProtocols } from '../wire/ipv4.ts';
import { busyUntil, deadline } from './esp-deadlines.ts';
import { weighReaction, weighSending } from './esp-evidence.ts';
import { Outbox } from './esp-outbox.ts';
import { countStray, decide, giveUp, hearUnsettled } from './esp-settling.ts';
import {
  clearSuspicion,
  close,
  measureRoundTrip,
  newChild,
  noteUnseen,
  open,
  remember,
  type Child,
  type Party,
  type Server,
} from './esp-state.ts';
import { clearInbound, keepPast, Servers, setInbound, setOutbound } from './esp-tables.ts';
import { RENEW_MS, type HeldBack } from './esp-turns.ts';
import type {
  EspArrived,
  EspCounted,
  EspPassed,
  EspSent,
  Fact,
  FlowSeen,
  IkeSeen,
  PairingEffect,
} from './fact.ts';
import { IkeTracker, isPhaseTwo, type Exchange, type IkeNews } from './ike.ts';
import type { Instant, Machine } from './machine.ts';

/** Packets of one SPI that had a turn each and got no answer. */
const MOST_IN_VAIN = 5;
/** So long after an SPI became known copies of it may still arrive. */
const IN_FLIGHT_MS = 250;
/** So many packets of an SPI are looked at whose inbound one was there first. */
const WITNESS_PACKETS = 4;
/** An exchange that made no SA by then has failed. */
const EXCHANGE_MS = 30_000;

export class EspPairing implements Machine<Fact, PairingEffect> {
  readonly #servers = new Servers();
  readonly #ike = new IkeTracker();
  readonly #outbox = new Outbox();
  /** Servers with something that has a deadline. */
  readonly #restless = new Set<Server>();

  handle(fact: Fact, now: Instant): PairingEffect[] {
    switch (fact.kind) {
      case 'ike':
        this.#hearIke(fact, now);
        break;
      case 'esp-sent':
        this.#hearSent(fact, now);
        break;
      case 'esp-arrived':
      case 'esp-passed':
        this.#hearInbound(fact, now);
        break;
      case 'esp-learned':
        this.#hearLearned(this.#servers.party(fact.server, fact.client, now), fact.spi, now);
        break;
      case 'esp-counted':
        this.#hearCounted(fact, now);
        break;
      case 'esp-forgotten':
        this.#hearForgotten(this.#servers.party(fact.server, fact.client, now), fact.direction, fact.spi);
        break;
      case 'esp-begun-again':
        this.#hearBegunAgain(this.#servers.party(fact.server, fact.client, now), fact.spi, now);
        break;
      case 'flow':
        this.#hearFlow(fact, now);
        break;
      default:
    }
    return this.#outbox.take();
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
    for (const server of this.#restless) {
      const at = deadline(server);
      if (at === null) this.#restless.delete(server);
      if (at === null || at > now) continue;
      server.wokenAt = now;
      this.#review(server, now);
    }
    return this.#outbox.take();
  }

  // IKE

  /** Conntrack sees IKE also where its messages were not: before the daemon began, or when copies were left out. */
  #hearFlow({ change, flow }: FlowSeen, now: Instant): void {
    const { protocol, serverPort, client, server } = flow;
    if (protocol !== ipProtocols.udp || serverPort !== 500 || client.includes(':')) return;
    const [address, device] = [server as Ipv4Address, client as Ipv4Address];
    if (change === 'end') this.#servers.unsuspect(address, device);
    else this.#servers.suspect(address, device, now);
  }

  #hearIke(seen: IkeSeen, now: Instant): void {
    const client = this.#ike.clientOf(seen);
    const { header } = seen.message;
    if (client === null || client.includes(':') || seen.port !== 500) return this.#outbox.release(seen.held);
    const party = this.#servers.party(seen.server as Ipv4Address, client as Ipv4Address, now);
    clearSuspicion(party);
    if (!isPhaseTwo(header.exchangeType)) {
      this.#outbox.release(seen.held);
      return this.#follow(this.#ike.hear(seen, now), party, now);
    }
    this.#noteUse(party);
    const { turns } = party.server;
    const isRequest = header.majorVersion === 1 || !header.flags.response;
    if (seen.held !== null) {
      if (isRequest && !this.#ike.isUnderWay(seen)) {
        if (this.#waits(party, { held: seen.held, what: { kind: 'ike', seen } }, now)) return;
        this.#giveTurn(party, now);
      }
      this.#outbox.release(seen.held);
    } else if (isRequest && seen.from === 'lan') turns.take(party.client, now);
    const news = this.#ike.hear(seen, now);
    // A server that asks takes no turn in the kernel.
    const isAsked = news?.kind === 'exchange' && news.step === 'asked';
    if (isAsked && seen.from === 'wan' && turns.isOver(now)) this.#giveTurn(party, now);
    this.#follow(news, party, now);
    this.#reviewTurn(party.server, now);
  }

  #follow(news: IkeNews, party: Party, now: Instant): void {
    if (news?.kind === 'renewed') {
      // What CREATE_CHILD_SA made was no child: nothing is to be expected of it.
      const type = exchangeTypes.createChildSa;
      const none = [...party.open].find(({ out, exchange }) => out === null && exchange?.type === type);
      if (none) close(none);
    } else if (news !== null) {
      const { exchange, step } = news;
      if (step === 'answered' && exchange.by === 'lan' && !exchange.repeated) {
        measureRoundTrip(party.server, now - exchange.askedAt);
      }
      if (step !== 'another') expectChild(party, exchange, now);
    }
  }

  // ESP from the LAN

  #hearSent({ server: address, client, packet, held }: EspSent, now: Instant): void {
    const party = this.#servers.party(address, client, now);
    const { server } = party;
    this.#noteUse(party);
    const child = party.outs.get(packet.spi) ?? this.#newOutbound(party, packet.spi, now);
    // What reacts to an inbound packet begins nothing new.
    const needsTurn = !weighReaction(server, child, now) && child.out!.as === 'new';
    if (held !== null) {
      if (needsTurn) {
        if (this.#waits(party, { held, what: { kind: 'esp', spi: packet.spi } }, now)) return;
        this.#giveTurn(party, now);
      }
      this.#outbox.release(held);
    } else if (needsTurn && server.parties.size > 1) server.turns.take(client, now);
    this.#sent(child, now);
    this.#review(server, now);
  }

  /**
   * The server has one device more. The kernel lets the first one's SPIs pass as known, and copies none of
   * their packets; from the second device on they are witnesses.
   */
  #noteUse(party: Party): void {
    const { server } = party;
    if (server.sole === party || server.sole === 'shared') return;
    if (server.sole === null) {
      server.sole = party;
      return;
    }
    for (const child of server.sole.open) this.#outbox.outbound(child, 'watched');
    server.sole = 'shared';
  }

  /** A packet of this child has left for the server. */
  #sent(child: Child, now: Instant): void {
    const { party, out } = child;
    weighSending(party.server, child, now);
    const wasKnown = out!.as === 'known';
    // The kernel copies no packet of an SPI that it knows, so it has lost it: IPSec was disabled meanwhile.
    if (out!.as === 'known' && now - out!.knownAt > IN_FLIGHT_MS) out!.as = 'new';
    if (out!.as !== 'known') out!.knownAt = now;
    remember(out!.sentAt, now);
    out!.inVain += 1;
    if (party.server.parties.size === 1) this.#outbox.outbound(child, 'known');
    // The server had spoken first. That these two belong together is a guess, so it stays a witness for a while.
    else if (child.in !== null) {
      const isWitness = !wasKnown && out!.sentAt.length < WITNESS_PACKETS;
      this.#outbox.outbound(child, isWitness ? 'watched' : 'known');
    }
  }

  #newOutbound(party: Party, spi: Spi, now: Instant): Child {
    let child =
      [...party.open].find(({ out }) => out === null) ?? [...party.early].find((one) => one.in?.isCertain);
    child ??= newChild(party, null, now);
    if (child.exchange === null && child.in === null) {
      party.isSuspect = false;
      noteUnseen(party);
    }
    setOutbound(child, spi);
    return child;
  }

  // ESP from the WAN

  #hearInbound(fact: EspArrived | EspPassed, now: Instant): void {
    const held = fact.kind === 'esp-arrived' ? fact.held : null;
    const server = this.#servers.get(fact.server);
    if (server === undefined) return this.#outbox.drop(held);
    const { spi } = fact.packet;
    const settled = server.ins.get(spi);
    if (settled !== undefined) {
      // It came before its pair was in the kernel, or the kernel has forgotten it.
      if (held === null) return;
      const { client } = settled.child.party;
      this.#outbox.deliver(held, client);
      this.#outbox.emit({ kind: 'mend', server: server.address, spi, client });
      return this.#outbox.drop(held);
    }
    const past = server.past.get(spi);
    if (past !== undefined && !server.unsettled.has(spi)) return this.#revive(server, spi, past, held, now);
    if (fact.kind === 'esp-passed' && !server.unsettled.has(spi)) return;
    if (hearUnsettled(server, fact.packet, held, this.#outbox, now)) return this.#review(server, now);
    this.#outbox.drop(held);
    countStray(server, this.#outbox, now);
  }

  /** An SPI that expired is used again. */
  #revive(server: Server, spi: Spi, client: Ipv4Address, held: number | null, now: Instant): void {
    server.past.delete(spi);
    const party = this.#servers.party(server.address, client, now);
    setInbound(
      [...party.open].find(({ exchange }) => exchange === null) ?? newChild(party, null, now),
      spi,
      false,
    );
    this.#outbox.emit({
      kind: 'pair',
      server: server.address,
      spi,
      client,
      confidence: 'probable',
      evidence: "It was this device's before it was idle for so long that it expired.",
      instead: null,
      trial: false,
    });
    if (held !== null) this.#outbox.deliver(held, client);
    this.#outbox.drop(held);
  }

  // What the kernel tells of its maps

  #hearLearned(party: Party, spi: Spi, now: Instant): void {
    const { server } = party;
    if (server.ins.get(spi)?.child.party === party) return;
    const unsettled = server.unsettled.get(spi);
    if (unsettled) giveUp(server, unsettled, this.#outbox);
    const child = [...party.open][0] ?? newChild(party, null, now);
    setInbound(child, spi, server.parties.size === 1);
  }

  /** Elements that were there before the machine began are known by their counters. */
  #hearCounted({ direction, server, client, spi }: EspCounted, now: Instant): void {
    const party = this.#servers.party(server, client, now);
    if (direction === 'in') {
      if (!party.server.ins.has(spi) && !party.server.unsettled.has(spi)) this.#hearLearned(party, spi, now);
    } else if (!party.outs.has(spi)) {
      const child = [...party.early][0] ?? newChild(party, null, now);
      setOutbound(child, spi);
      child.out!.as = 'known';
    }
  }

  #hearForgotten(party: Party, direction: 'out' | 'in', spi: Spi): void {
    if (direction === 'out') {
      const child = party.outs.get(spi);
      if (child === undefined) return;
      party.outs.delete(spi);
      child.out = null;
      if (child.in === null) close(child);
      return;
    }
    const inbound = party.server.ins.get(spi);
    if (inbound?.child.party !== party) return;
    clearInbound(inbound.child);
    keepPast(party.server, spi, party.client);
    if (inbound.child.out !== null) open(inbound.child);
  }

  #hearBegunAgain(party: Party, spi: Spi, now: Instant): void {
    const { server } = party;
    if (party.open.size > 0) return;
    const isWaiting = (child: Child): boolean =>
      child.party !== party && now - (child.out?.sentAt.at(-1) ?? child.since) < EXCHANGE_MS;
    const other = [...server.open].findLast(isWaiting)?.party.client;
    if (other === undefined) return;
    this.#outbox.emit({ kind: 'collision', server: server.address, spi, client: party.client, other });
  }

  // Turns

  #review(server: Server, now: Instant): void {
    decide(server, this.#outbox, now);
    if (server.unsettled.size > 0) this.#restless.add(server);
    this.#reviewTurn(server, now);
  }

  /** Whether the packet has to wait for its turn; then it does. */
  #waits(party: Party, item: HeldBack, now: Instant): boolean {
    const { turns } = party.server;
    if (turns.holder === party.client || turns.isOver(now) || !this.#outbox.hold(item.held)) return false;
    const waits = turns.wait(party.client, item);
    if (waits === 'full') return false;
    if (waits === 'repeated') this.#outbox.drop(item.held);
    this.#restless.add(party.server);
    return true;
  }

  #giveTurn(party: Party, now: Instant): void {
    const { turns } = party.server;
    const isNew = turns.holder !== party.client || turns.isOver(now);
    turns.take(party.client, now);
    if (isNew) this.#outbox.turn(party);
  }

  /** Ends the turn when its holder has what it wanted, and lets the next one begin. */
  #reviewTurn(server: Server, now: Instant): void {
    const { turns } = server;
    while (turns.holder !== null) {
      const party = server.parties.get(turns.holder);
      if (!turns.isOver(now) && party !== undefined && busyUntil(party, now) > now) {
        if (turns.waiting > 0 && now >= turns.renewedAt + RENEW_MS) {
          turns.take(party.client, now);
          this.#outbox.turn(party);
        }
        this.#restless.add(server);
        return;
      }
      if (party) this.#setFree(party);
      const next = turns.next();
      if (next === null) {
        turns.holder = null;
        this.#outbox.emit({ kind: 'turn', server: server.address, client: null });
        return;
      }
      const nextParty = this.#servers.party(server.address, next.client, now);
      this.#giveTurn(nextParty, now);
      for (const item of next.items) this.#begin(nextParty, item, now);
    }
  }

  /** What is never answered needs no turn any more. */
  #setFree(party: Party): void {
    for (const child of party.open) {
      if (child.out !== null && child.out.inVain >= MOST_IN_VAIN) this.#outbox.outbound(child, 'watched');
    }
  }

  #begin(party: Party, { held, what }: HeldBack, now: Instant): void {
    this.#outbox.release(held);
    if (what.kind === 'ike') {
      this.#follow(this.#ike.hear({ ...what.seen, held: null }, now), party, now);
    } else {
      const child = party.outs.get(what.spi);
      if (child) this.#sent(child, now);
    }
  }
}

/** An exchange makes a child SA, as far as can be told. */
function expectChild(party: Party, exchange: Exchange, now: Instant): void {
  const { ikeAuth } = exchangeTypes;
  for (const child of party.open) {
    if (child.exchange === exchange) return;
    // EAP has several rounds for one SA (RFC 7296 2.16): the last one counts.
    const isRound = exchange.type === ikeAuth && child.exchange?.type === ikeAuth && child.out === null;
    if (!isRound || now - child.since > EXCHANGE_MS) continue;
    child.exchange = exchange;
    return;
  }
  newChild(party, exchange, now);
}
