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
  MANY_SILENCES,
  SETTLED,
  type Choice,
} from './esp-assignment.ts';
import { MOST_SHARED_MS, MOST_WAIT_MS, TRIAL_MS } from './esp-deadlines.ts';
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
/** Devices that get the packets of one SPI. */
const MOST_SHARING = 5;
/** Packets that they get at once, and how many more a second: a stream that nobody answers; then the likeliest has it. */
const MOST_SHARED = 64;
const SHARED_A_SECOND = 8;
/** SPIs of one server that are shared for longer than a minute. */
const MOST_LONG_SHARED = 8;
/** So much clearer it must be whose it is, if nobody shows it by his reaction; and if one did not react before. */
const SURE = 6;
const ELIMINATED = 12;
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
  for (const party of owners(unsettled)) awaitReaction(unsettled, party, now);
  return true;
}

/** It has got something, and has to show that it is its own. */
function awaitReaction(unsettled: Unsettled, party: Party, now: Instant): void {
  if (!unsettled.awaited.has(party)) unsettled.got.set(party, (unsettled.got.get(party) ?? 0) + 1);
  unsettled.awaited.set(party, now);
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
    refuted: new Set(),
    doubts: 0,
    awaited: new Map(),
    caller: null,
    reaction: null,
    uncalled: callersOf(server, now).length === 0,
    silent: new Map(),
    got: new Map(),
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
  let old = 0;
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
    } else if (choice !== undefined) {
      const isOld = unsettled.on === null && now >= unsettled.firstAt + TRIAL_MS;
      if (isOld) old += 1;
      decideOne(
        unsettled,
        choice,
        { hasWaited, hasRoom: !isCrowded && old <= MOST_LONG_SHARED },
        outbox,
        now,
      );
    }
  }
}

function decideOne(
  unsettled: Unsettled,
  choice: Choice,
  { hasWaited, hasRoom }: { hasWaited: boolean; hasRoom: boolean },
  outbox: Outbox,
  now: Instant,
): void {
  const { party, child, margin, rivals } = choice;
  const { server } = party;
  // Nothing comes on it any more, so what devices do meanwhile says nothing about it.
  const isSilent = now - unsettled.arrivedAt.at(-1)! > REDELIVER_MS;
  if (unsettled.on === null) {
    const isClear =
      margin >= clearness(unsettled, party, hasWaited) || (rivals === 0 && choice.others.length === 0);
    if (!isClear && !hasWaited) return;
    if (!isClear && mayShare(unsettled, hasRoom, now)) return share(unsettled, choice, outbox, now);
    put(unsettled, choice, null, outbox, now);
  } else if (!isSilent && unsettled.on !== party && gain(unsettled, choice, unsettled.on) > BETTER) {
    if (!reactsOften(unsettled, party) && mayShare(unsettled, hasRoom, now))
      return doubt(unsettled, choice, outbox, now);
    put(unsettled, choice, unsettled.on, outbox, now);
  }
  const on = unsettled.on!;
  if (!isSilent && isDoubtful(unsettled, on, choice)) return doubt(unsettled, choice, outbox, now);
  if (now >= unsettled.onSince + TRIAL_MS || isOneWay(unsettled)) {
    const isShown =
      reactsOften(unsettled, on) || margin >= SURE || (rivals === 0 && choice.others.length === 0);
    if (!isShown && !isSilent && unsettled.burstCount >= 2 && mayShare(unsettled, hasRoom, now))
      return doubt(unsettled, choice, outbox, now);
    // One packet that nothing was left to expect: it may have been anybody's.
    if (unsettled.burstCount < 2 && (on !== party || child === null))
      return forget(unsettled, server, outbox);
    return settle(unsettled, { ...choice, party: on, child: on === party ? child : null }, outbox, now);
  }
  if (on !== party) return;
  unsettled.child = child;
  const isDone = margin >= SETTLED && (unsettled.proofs.get(party) ?? 0) >= PROOFS;
  if (isDone || server.parties.size + server.suspects.size === 1) settle(unsettled, choice, outbox, now);
}

/** How clear it must be to give it to one device alone. */
function clearness(unsettled: Unsettled, party: Party, hasWaited: boolean): number {
  if (unsettled.refuted.has(party)) return Infinity;
  if (unsettled.doubts === 0) return hasWaited ? CLEARER : CLEAR;
  // It was given to one before that did not react: what does not react again and again is not its device.
  return reactsOften(unsettled, party) ? CLEAR : ELIMINATED;
}

/** It is no chance that it sent when it got something: a device that sends all the time has some by chance. */
function reactsOften({ proofs, got }: Unsettled, party: Party): boolean {
  return (proofs.get(party) ?? 0) >= Math.max(1, 0.4 * (got.get(party) ?? 0));
}

/** At first as many packets as come; then few enough to send them to several without harm. */
function mayShare({ packets, firstAt }: Unsettled, hasRoom: boolean, now: Instant): boolean {
  const since = now - firstAt;
  return (
    since < (hasRoom ? MOST_SHARED_MS : TRIAL_MS) && packets < MOST_SHARED + (since / 1000) * SHARED_A_SECOND
  );
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
    awaitReaction(unsettled, one, now);
  }
}

/** A device that sends all the time has some by chance, so they must be many of what came. */
function isProved({ proofs, burstCount }: Unsettled, party: Party): boolean {
  return (proofs.get(party) ?? 0) >= Math.max(PROOFS, 0.8 * burstCount);
}

/** It has got packets, and nothing shows that they are its own. */
function isDoubtful(unsettled: Unsettled, on: Party, { margin, others }: Choice): boolean {
  const { silent, proofs, packets, doubts } = unsettled;
  const silences = silent.get(on) ?? 0;
  if (silences === 0 || packets >= MOST_SHARED || doubts >= MOST_DOUBTS) return false;
  if (unsettled.refuted.has(on)) return others.length > 0;
  if (margin < CLEARER) return (proofs.get(on) ?? 0) < silences;
  return silences >= MANY_SILENCES && others.length > 0 && !reactsOften(unsettled, on);
}

function doubt(unsettled: Unsettled, choice: Choice, outbox: Outbox, now: Instant): void {
  const { on, spi } = unsettled;
  unsettled.shared.add(on!);
  unsettled.on = null;
  unsettled.doubts += 1;
  // What has come so far was most likely its own, and is not shown to others.
  if (choice.party === on && choice.margin >= CLEARER && !unsettled.refuted.has(on))
    for (const held of unsettled.held.splice(0)) outbox.drop(held);
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
    confidence: confidenceOf(choice, isProved(unsettled, party), unsettled),
    evidence: evidenceOf(party, margin, rivals, instead),
    instead: instead?.client ?? null,
    trial: true,
  });
  if (unsettled.held.length > 0 && now - unsettled.firstAt < REDELIVER_MS && !unsettled.shared.has(party)) {
    for (const held of unsettled.held) outbox.deliver(held, party.client);
    awaitReaction(unsettled, party, now);
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
  const confidence = confidenceOf(choice, isProved(unsettled, party), unsettled);
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
