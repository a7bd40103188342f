// Inbound SPIs that are not settled: held until it is clear enough whose they are, then on trial with that
// device, then settled when it is proved; or given to another one when the evidence turns. Bounded, so
// that a flood of made-up SPIs costs little and gets nothing.
import type { EspPacket, Spi } from '../wire/esp.ts';
import {
  choose,
  CLEAR,
  CLEARER,
  confidenceOf,
  evidenceOf,
  gain,
  SETTLED,
  type Choice,
} from './esp-assignment.ts';
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
/** Packets that several devices get, and devices that get them; then the likeliest one has it. */
const MOST_SHARED = 64;
const MOST_SHARING = 5;
const MOST_DOUBTS = 3;
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
    for (const party of owners(unsettled)) outbox.deliver(held, party.client);
  }
  weighArrival(server, unsettled, now);
  remember(unsettled.arrivedAt, now);
  for (const party of owners(unsettled)) unsettled.awaited.set(party, now);
  return true;
}

/** Who gets what comes on it. */
function owners({ on, shared }: Unsettled): Iterable<Party> {
  return on === null ? shared : [on];
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
    gaps: new Map(),
    fits: new Map(),
    leanings: new Map(),
    on: null,
    child: null,
    onSince: now,
    shared: new Set(),
    doubts: 0,
    awaited: new Map(),
    caller: null,
    reaction: null,
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
    const isClear = margin >= (hasWaited ? CLEARER : CLEAR) || rivals === 0;
    if (!isClear && !hasWaited) return;
    if (!isClear && unsettled.packets < MOST_SHARED && now < unsettled.firstAt + TRIAL_MS) {
      return share(unsettled, choice, outbox, now);
    }
    put(unsettled, choice, null, outbox, now);
  } else if (unsettled.on !== party && gain(unsettled, choice, unsettled.on) > BETTER) {
    put(unsettled, choice, unsettled.on, outbox, now);
  }
  const on = unsettled.on!;
  if (margin < CLEARER && isDoubtful(unsettled, on)) return doubt(unsettled, choice, outbox, now);
  if (now >= unsettled.onSince + TRIAL_MS || isOneWay(unsettled)) {
    // One packet that nothing was left to expect: it may have been anybody's.
    if (unsettled.burstCount < 2 && (on !== party || child === null))
      return forget(unsettled, server, outbox);
    return settle(unsettled, { ...choice, party: on, child: on === party ? child : null }, outbox, now);
  }
  if (on !== party) return;
  unsettled.child = child;
  const isDone = margin >= SETTLED && (unsettled.proofs.get(party) ?? 0) >= PROOFS;
  if (isDone || server.parties.size === 1) settle(unsettled, choice, outbox, now);
}

/** Gives it to all that may be meant: one of them will show that it is its own, and to others it is nothing. */
function share(unsettled: Unsettled, { party, others }: Choice, outbox: Outbox, now: Instant): void {
  for (const one of [party, ...others]) {
    if (unsettled.shared.has(one) || unsettled.shared.size >= MOST_SHARING) continue;
    // One at a time, or its reaction tells nothing.
    if (isAwaited(one)) continue;
    unsettled.shared.add(one);
    if (unsettled.held.length === 0) continue;
    for (const held of unsettled.held) outbox.deliver(held, one.client);
    unsettled.awaited.set(one, now);
  }
}

/** A device that sends all the time has some by chance, so they must be many of what came. */
function isProved({ proofs, burstCount }: Unsettled, party: Party): boolean {
  return (proofs.get(party) ?? 0) >= Math.max(PROOFS, burstCount / 2);
}

/** It has got packets, and nothing shows that they are its own. */
function isDoubtful({ silent, proofs, packets, doubts }: Unsettled, on: Party): boolean {
  return (
    (silent.get(on) ?? 0) > 0 && (proofs.get(on) ?? 0) === 0 && packets < MOST_SHARED && doubts < MOST_DOUBTS
  );
}

function doubt(unsettled: Unsettled, choice: Choice, outbox: Outbox, now: Instant): void {
  const { on, spi } = unsettled;
  unsettled.shared.add(on!);
  unsettled.on = null;
  unsettled.doubts += 1;
  const reason =
    'It does not react: until it is clear whose it is, all devices that may be meant get its packets.';
  outbox.emit({ kind: 'unpair', server: on!.server.address, spi, reason });
  share(unsettled, choice, outbox, now);
}

function isAwaited(party: Party): boolean {
  for (const { awaited } of party.server.unsettled.values()) if (awaited.has(party)) return true;
  return false;
}

function put(
  unsettled: Unsettled,
  choice: Choice,
  instead: Party | null,
  outbox: Outbox,
  now: Instant,
): void {
  const { party, child, margin, rivals } = choice;
  unsettled.on = party;
  unsettled.onSince = now;
  outbox.emit({
    kind: 'pair',
    server: party.server.address,
    spi: unsettled.spi,
    client: party.client,
    confidence: confidenceOf(choice, isProved(unsettled, party)),
    evidence: evidenceOf(party, margin, rivals, instead),
    instead: instead?.client ?? null,
    trial: true,
  });
  if (unsettled.held.length > 0 && now - unsettled.firstAt < REDELIVER_MS && !unsettled.shared.has(party)) {
    for (const held of unsettled.held) outbox.deliver(held, party.client);
    unsettled.awaited.set(party, now);
  }
  unsettled.shared.clear();
  if (child !== null) outbox.outbound(child, 'watched');
}

function forget(unsettled: Unsettled, server: Server, outbox: Outbox): void {
  giveUp(server, unsettled, outbox);
  const reason = 'Only one packet came of it, and nothing has proved whose it is.';
  outbox.emit({ kind: 'unpair', server: server.address, spi: unsettled.spi, reason });
}

function settle(unsettled: Unsettled, choice: Choice, outbox: Outbox, now: Instant): void {
  const { party, child: chosen, margin, rivals } = choice;
  const { server } = party;
  const child = chosen ?? newChild(party, null, now);
  const confidence = confidenceOf(choice, isProved(unsettled, party));
  const sent = child.out?.sentAt.findLast((at) => at < unsettled.firstAt);
  if (sent !== undefined && confidence === 'certain') {
    measureRoundTrip(server, unsettled.firstAt - sent);
    server.isMeasured = true;
  }
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
