// Inbound SPIs that are not settled: held until it is clear enough whose they are, then on trial with that
// device, then settled when it is proved; or given to another one when the evidence turns. Bounded, so
// that a flood of made-up SPIs costs little and gets nothing.
import type { EspPacket, Spi } from '../wire/esp.ts';
import { choose, CLEAR, confidenceOf, evidenceOf, gain, SETTLED, type Choice } from './esp-assignment.ts';
import { MOST_WAIT_MS, TRIAL_MS } from './esp-deadlines.ts';
import { callersOf, isOneWay, learnHabit, weighArrival, weighSilence } from './esp-evidence.ts';
import type { Outbox } from './esp-outbox.ts';
import {
  measureRoundTrip,
  newChild,
  remember,
  type Party,
  type Server,
  type Unsettled,
} from './esp-state.ts';
import { setInbound } from './esp-tables.ts';
import type { Instant } from './machine.ts';

/** Held packets of one SPI: what a server sends in a round trip. */
const MOST_HELD_OF_SPI = 16;
/** Of one server. */
const MOST_UNSETTLED = 48;
/** More SPIs than this beside those that are expected are a flood: then one packet of an SPI is not enough. */
const MOST_SURPLUS = 4;
/** A held packet is delivered again to another device within this time. */
const REDELIVER_MS = 8000;
/** How much likelier another device must be to get what one has already: a natural logarithm of odds. */
const BETTER = 0.7;
/** Reactions and answers that prove a pair. */
const PROOFS = 2;
/** So many packets for nobody within so long are told, and then not again for a while. */
const FLOOD_PACKETS = 256;
const FLOOD_MS = 10_000;
const FLOOD_AGAIN_MS = 600_000;

/** A packet for nobody that is known here. */
export function countStray(server: Server, outbox: Outbox, now: Instant): void {
  const { strays } = server;
  const isQuiet = now - strays.since > FLOOD_MS && now - strays.notedAt > FLOOD_AGAIN_MS;
  if (isQuiet) {
    strays.since = now;
    strays.count = 0;
  }
  strays.count += 1;
  if (strays.count < FLOOD_PACKETS || now - strays.notedAt < FLOOD_AGAIN_MS) return;
  outbox.emit({ kind: 'flood', server: server.address, packets: strays.count });
  strays.notedAt = now;
  strays.count = 0;
}

/** A packet on an SPI that is not settled; false when nobody can have asked for it, or there is no room. */
export function hearUnsettled(
  server: Server,
  { spi, sequence }: EspPacket,
  held: number | null,
  outbox: Outbox,
  now: Instant,
): boolean {
  let unsettled = server.unsettled.get(spi);
  if (unsettled === undefined) {
    if (server.open.size === 0 && server.unseen.size === 0) return false;
    if (server.unsettled.size >= MOST_UNSETTLED && !makeRoom(server, outbox)) return false;
    unsettled = newUnsettled(server, spi, sequence, now);
  }
  if (held !== null) {
    if (!outbox.hold(held)) return false;
    if (unsettled.held.length >= MOST_HELD_OF_SPI) outbox.drop(unsettled.held.shift()!);
    unsettled.held.push(held);
    if (unsettled.on !== null) outbox.deliver(held, unsettled.on.client);
  }
  weighArrival(server, unsettled, now);
  remember(unsettled.arrivedAt, now);
  if (unsettled.on !== null) awaitReaction(unsettled, now);
  return true;
}

function newUnsettled(server: Server, spi: Spi, sequence: number, now: Instant): Unsettled {
  const unsettled: Unsettled = {
    spi,
    firstAt: now,
    sequence,
    held: [],
    arrivedAt: [],
    bursts: [],
    burstCount: 0,
    packets: 0,
    fits: new Map(),
    leanings: new Map(),
    on: null,
    child: null,
    onSince: now,
    deliveredAt: -Infinity,
    awaited: false,
    uncalled: callersOf(server, now).length === 0,
    silent: new Map(),
    proofs: new Map(),
  };
  server.unsettled.set(spi, unsettled);
  return unsettled;
}

/** The oldest of which only one packet came and that nobody has goes. */
function makeRoom(server: Server, outbox: Outbox): boolean {
  for (const unsettled of server.unsettled.values()) {
    if (unsettled.on !== null || unsettled.packets > 1) continue;
    giveUp(server, unsettled, outbox);
    return true;
  }
  return false;
}

export function giveUp(server: Server, unsettled: Unsettled, outbox: Outbox): void {
  server.unsettled.delete(unsettled.spi);
  for (const held of unsettled.held) outbox.drop(held);
}

/** Gives out what is clear enough or has waited long enough, settles what is proved, mends what is wrong. */
export function decide(server: Server, outbox: Outbox, now: Instant): void {
  if (server.unsettled.size === 0) return;
  for (const unsettled of server.unsettled.values()) weighSilence(unsettled, now);
  const choices = choose(server);
  const isCrowded = server.unsettled.size > server.open.size + server.unseen.size + MOST_SURPLUS;
  for (const unsettled of server.unsettled.values()) {
    if (unsettled.held.length > 0 && now > unsettled.firstAt + REDELIVER_MS) {
      for (const held of unsettled.held.splice(0)) outbox.drop(held);
    }
    const choice = choices.get(unsettled);
    const hasWaited = now >= unsettled.firstAt + MOST_WAIT_MS;
    if (unsettled.on === null && (choice === undefined || (isCrowded && unsettled.packets < 2))) {
      if (!hasWaited) continue;
      giveUp(server, unsettled, outbox);
      countStray(server, outbox, now);
    } else if (choice !== undefined) decideOne(unsettled, choice, hasWaited, outbox, now);
  }
}

function decideOne(
  unsettled: Unsettled,
  choice: Choice,
  hasWaited: boolean,
  outbox: Outbox,
  now: Instant,
): void {
  const { party, child, margin, rivals } = choice;
  const { server } = party;
  if (unsettled.on === null) {
    if (margin < CLEAR && rivals > 0 && !hasWaited) return;
    put(unsettled, choice, null, outbox, now);
  } else if (unsettled.on !== party && gain(unsettled, choice, unsettled.on) > BETTER) {
    put(unsettled, choice, unsettled.on, outbox, now);
  }
  const on = unsettled.on!;
  if (now >= unsettled.onSince + TRIAL_MS || isOneWay(unsettled)) {
    // One packet that nothing was left to expect: it may have been anybody's.
    if (unsettled.burstCount < 2 && (on !== party || child === null))
      return forget(unsettled, server, outbox);
    return settle(unsettled, { ...choice, party: on, child: on === party ? child : null }, outbox, now);
  }
  if (on !== party) return;
  unsettled.child = child;
  const isProved = margin >= SETTLED && (unsettled.proofs.get(party) ?? 0) >= PROOFS;
  if (isProved || server.parties.size === 1) settle(unsettled, choice, outbox, now);
}

function put(
  unsettled: Unsettled,
  { party, child, margin, rivals }: Choice,
  instead: Party | null,
  outbox: Outbox,
  now: Instant,
): void {
  unsettled.on = party;
  unsettled.onSince = now;
  outbox.emit({
    kind: 'pair',
    server: party.server.address,
    spi: unsettled.spi,
    client: party.client,
    confidence: confidenceOf(margin, rivals),
    evidence: evidenceOf(party, margin, rivals, instead),
    instead: instead?.client ?? null,
    trial: true,
  });
  if (unsettled.held.length > 0 && now - unsettled.firstAt < REDELIVER_MS) {
    for (const held of unsettled.held) outbox.deliver(held, party.client);
    awaitReaction(unsettled, now);
  }
  if (child !== null) outbox.outbound(child, 'watched');
}

function awaitReaction(unsettled: Unsettled, now: Instant): void {
  unsettled.deliveredAt = now;
  unsettled.awaited = true;
}

function forget(unsettled: Unsettled, server: Server, outbox: Outbox): void {
  giveUp(server, unsettled, outbox);
  const reason = 'Only one packet came of it, and nothing has proved whose it is.';
  outbox.emit({ kind: 'unpair', server: server.address, spi: unsettled.spi, reason });
}

function settle(
  unsettled: Unsettled,
  { party, child: chosen, margin, rivals }: Choice,
  outbox: Outbox,
  now: Instant,
): void {
  const { server } = party;
  const child = chosen ?? newChild(party, null, now);
  const confidence = confidenceOf(margin, rivals);
  const sent = child.out?.sentAt.findLast((at) => at < unsettled.firstAt);
  if (sent !== undefined && confidence === 'certain') measureRoundTrip(server, unsettled.firstAt - sent);
  giveUp(server, unsettled, outbox);
  setInbound(child, unsettled.spi, confidence === 'certain');
  learnHabit(party, unsettled.spi);
  if (unsettled.uncalled) party.uncalled += 1;
  else party.called += 1;
  outbox.emit({
    kind: 'pair',
    server: server.address,
    spi: unsettled.spi,
    client: party.client,
    confidence,
    evidence: evidenceOf(party, margin, rivals, null),
    instead: null,
    trial: false,
  });
  if (child.out !== null) child.out.knownAt = now;
  outbox.outbound(child, 'known');
}
