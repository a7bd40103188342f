// Whose may an inbound SPI be? Each packet of it is weighed against every device that still expects one:
// how often would a packet come just then, if it were that device's? An answer comes a round trip after
// a device's packet; a server that speaks first does so just after an exchange; else it is rare. The
// logarithms add up, and the SPIs are given to the devices so that the sum is greatest.
import { remember, type Child, type Outbound, type Party, type Server, type Unsettled } from './esp-state.ts';
import type { Instant } from './machine.ts';

/**
 * Packets a second that come for no visible reason on an SA that has not been used: the longer it is
 * silent, the less likely it speaks in the next second.
 */
const uncalledRate = (silentMs: number): number => 0.1 / (1 + silentMs / 1000) + 0.002;
/** The same of devices that may have SAs whose making was not seen; and of those that expect nothing. */
const UNSEEN_RATE = 0.004;
/** And on an SA that is in use. */
const GOING_ON_RATE = 0.3;
/** More than this is an answer. */
const CALLED_RATE = 3;
const STRANGER_RATE = 0.000_05;
/** How likely a server answers a packet with a packet. */
const ANSWERED = 0.8;
/** How likely a server speaks first after an exchange, and how soon. */
const SPEAKS_FIRST = 0.15;
const SPEAKS_FIRST_MS = 250;
/** Below this no answer can be. */
const LEAST_OF_ROUND_TRIP = 0.3;
/** By so much may the times of copies be wrong on a machine with much to do. */
const COPY_MS = 5;
const LEAST_SPREAD_MS = 30;
/** What came of it when its device was asked again, and stayed silent. */
const SILENCE = -1;
/** How many answers come just as long after their questions as the last time. */
const STEADY = 0.3;
/** So many packets may an answer make up for: one that asks five times as often gets none. */
const ANSWERS_OUTWEIGH = 3;
/** A device sent just after it had got a packet, or did not; more is expected of what it did not call for. */
const REACTS = 0.6;
/** How soon, and the share that takes longer: acknowledgments wait for company. */
const REACTS_WITHIN_MS = 40;
const LATER = 0.3;
/** So soon comes what nothing else explains: what keeps its own time is a reaction only then. */
const AT_ONCE_MS = 10;
/** However soon it came, one reaction says no more than this. */
const MOST_OF_REACTION = 2.7;
/** How likely a packet that came at once is a question too. */
const REACTION_ASKS = 0.3;
/** So much worse fits another SA of the device than the one on which it reacted. */
const NOT_ITS_OWN = 2;
/** A device that sends all the time reacts to nothing. */
const MOST_CHANCE = 4;
/** The share of the time in which an answer would be expected, beyond which one proves nothing. */
const MOST_CALLING = 0.5;
/** Most devices use a new SA within this time. */
const BEGINS_MS = 3000;
const BEGINNING_RATE = 2;
const RATE_MS = 5000;
/** Each silence says less than the one before: some traffic has no answers at all. */
const NO_REACTION = [-0.5, -0.3, -0.1];
const NO_REACTION_UNCALLED = [-1.3, -0.9, -0.4];
export const REACTION_MS = 150;
/** The server says the same again and again. */
const REPEATED = -3;
const LEAST_REPETITION_MS = 400;
/** The first packet of an SA is repeated no more often before somebody gives up. */
const MOST_REPETITIONS = 5;
/** More packets than this, with no answers: nobody answers them. */
const MOST_IN_VAIN = 3;
/** More than a server repeats itself. */
const ONE_WAY_BURSTS = 8;
/** A number this high is not of an SA that was made a moment ago. */
const OLD_SEQUENCE = 64;
const FRESH_MS = 5000;

const spread = (server: Server): number => Math.max(LEAST_SPREAD_MS, server.spreadMs);

/** How long an answer may take before it is not expected any more. */
export function answerWithinMs(server: Server): number {
  return Math.min(1500, server.roundTripMs + 3 * spread(server) + 100);
}

/** Devices that were called by their server before are called again: 1 for one that nothing is known of. */
function callability({ called, uncalled }: Party): number {
  return (6 * (0.3 + uncalled)) / (1.8 + called + uncalled);
}

/**
 * How likely this device would choose such an SPI. strongSwan takes them from 0xc0000000 to 0xcfffffff,
 * racoon and KAME from 0x100 to 0x0fffffff, others from anywhere.
 */
function likeness({ habit }: Party, spi: number): number {
  const nibble = spi >>> 28;
  const seen = habit.charon + habit.low + habit.other;
  const charon = habit.charon === seen ? 0.35 : 0;
  const low = habit.low === seen ? 0.15 : 0;
  const anywhere = 0.5 / 16 ** seen;
  const match = (nibble === 0xc ? charon : 0) + (nibble === 0 ? low : 0) + anywhere / 16;
  return match / (charon + low + anywhere);
}

/** One more SPI that is certainly this device's. */
export function learnHabit({ habit }: Party, spi: number): void {
  if (habit.charon + habit.low + habit.other >= 8) return;
  const nibble = spi >>> 28;
  if (nibble === 0xc) habit.charon += 1;
  else if (nibble === 0) habit.low += 1;
  else habit.other += 1;
}

/** How likely a packet of it is answered. */
function answeredShare({ inVain }: Outbound): number {
  return ANSWERED * 2 ** (-inVain / 2.5);
}

/** Packets a second that would come on this child's inbound SPI now. */
function rate(child: Child, server: Server, { sequence, gaps, arrivedAt }: Unsettled, now: Instant): number {
  const callable = callability(child.party);
  let sum = callable * uncalledRate(now - (child.exchange?.answeredAt ?? child.since));
  const tail = spread(server);
  const { out } = child;
  const { roundTripMs, isMeasured } = server;
  const least = isMeasured ? roundTripMs * LEAST_OF_ROUND_TRIP - COPY_MS : 0;
  if (out !== null) {
    // What has been asked in vain again and again is asked of nobody.
    const answered = answeredShare(out);
    for (const at of out.sentAt) {
      const late = now - at - roundTripMs;
      if (now - at < least) continue;
      // What only IKE has told of is at most the way: how long the server thought about it is not known.
      const haste = isMeasured ? Math.max(0, -late) / (0.25 * roundTripMs + 5) : 0;
      const asks = at === out.reactedAt ? REACTION_ASKS : 1;
      sum += ((asks * answered * 1000) / tail) * Math.exp(-Math.max(0, late) / tail - haste);
    }
    // Packets that come together are one answer.
    const isNew = now - (arrivedAt.at(-1) ?? -Infinity) >= REACTION_MS;
    if (isNew) sum += steadiness(out.sentAt.at(-1)!, gaps.get(child), now) * answered;
  }
  const { exchange } = child;
  if (exchange !== null) {
    const isThreeWay = exchange.version === 1 && exchange.by === 'lan';
    const done = isThreeWay ? exchange.confirmedAt : exchange.answeredAt;
    // A server that asked may send when it has the answer; one that confirms must hear of it first.
    const way = exchange.by === 'wan' || isThreeWay ? roundTripMs : 0;
    // Its packet may even overtake its answer.
    const from = done === null ? exchange.askedAt + (isThreeWay ? 2 : 1) * roundTripMs : done + way;
    const haste = Math.max(0, from - now) / (0.15 * roundTripMs + 10);
    const late = Math.max(0, now - from);
    const soon = SPEAKS_FIRST_MS + tail;
    sum += ((callable * SPEAKS_FIRST * 1000) / soon) * Math.exp(-late / soon - haste);
    if (sequence > OLD_SEQUENCE && now - exchange.askedAt < FRESH_MS) sum *= 0.01;
  }
  return sum;
}

/** Packets a second that would come as long after a packet of this child as the last time. */
function steadiness(sentAt: Instant, gap: number | undefined, now: Instant): number {
  if (gap === undefined) return 0;
  const scale = 2 + gap / 10;
  return ((1000 * STEADY) / (2 * scale)) * Math.exp(-Math.abs(now - sentAt - gap) / scale);
}

/** Packets a second of an SPI of late. */
function arrivalRate({ arrivedAt }: Unsettled, now: Instant): number {
  return (arrivedAt.filter((at) => now - at < RATE_MS).length * 1000) / RATE_MS;
}

/** A packet came on an unsettled SPI. */
export function weighArrival(server: Server, unsettled: Unsettled, now: Instant): void {
  const { fits, packets } = unsettled;
  // Where one came uncalled, more will.
  const goingOn = packets > 0 ? Math.max(GOING_ON_RATE, arrivalRate(unsettled, now)) : 0;
  const add = (to: Child | Party, perSecond: number): void => {
    fits.set(to, (fits.get(to) ?? packets * Math.log(STRANGER_RATE)) + Math.log(perSecond + goingOn));
  };
  let most = CALLED_RATE;
  unsettled.caller = null;
  for (const child of server.open) {
    const its = rate(child, server, unsettled, now);
    if (its > most) [most, unsettled.caller] = [its, child.party];
    add(child, its);
    if (!fits.has(child.party)) add(child.party, STRANGER_RATE);
  }
  for (const party of server.unseen) add(party, UNSEEN_RATE * callability(party));
  unsettled.packets += 1;
  const { out } = unsettled.child ?? { out: null };
  if (out) out.inVain = Math.max(0, out.inVain - ANSWERS_OUTWEIGH);
  const last = unsettled.arrivedAt.at(-1);
  // Packets that come together are one answer.
  if (last !== undefined && now - last < REACTION_MS) return;
  const within = answerWithinMs(server);
  for (const child of server.open) {
    const at = askedAt(child, within, now);
    if (at !== null) unsettled.gaps.set(child, now - at);
  }
  remember(unsettled.bursts, now);
  unsettled.burstCount += 1;
  const callers = callersOf(server, now);
  const [only] = callers;
  if (only && callers.length === 1 && !isAlwaysCalling(only, now) && !callsInVain(only))
    prove(unsettled, only);
  if (unsettled.caller !== null) takeBackReactions(server, unsettled, unsettled.caller, now);
  unsettled.refuted.clear();
  if (isRepeating(unsettled.bursts)) refute(unsettled, callers);
}

/** The server seems to say the same thing again: it is not for those who have it. */
function refute(unsettled: Unsettled, callers: readonly Party[]): void {
  const { on, shared, refuted, reaction, burstCount } = unsettled;
  // Later the pauses are like that by chance, and so they are where a packet was lost of many.
  const isFresh = burstCount === unsettled.packets && burstCount <= MOST_REPETITIONS;
  for (const party of on === null ? shared : [on]) {
    if (isFresh && reaction?.party !== party) refuted.add(party);
    if (refuted.has(party) || !callers.includes(party) || callsInVain(party))
      lean(unsettled, party, REPEATED);
  }
}

/** How well an unsettled SPI fits a child, or a device that expects none. */
export function scoreOf(unsettled: Unsettled, party: Party, child: Child | null): number {
  const none = unsettled.packets * Math.log(STRANGER_RATE);
  const fit = unsettled.fits.get(child ?? party) ?? none;
  return fit + (unsettled.leanings.get(party) ?? 0) + Math.log(likeness(party, unsettled.spi));
}

function lean(unsettled: Unsettled, party: Party, change: number): void {
  unsettled.leanings.set(party, (unsettled.leanings.get(party) ?? 0) + change);
}

/**
 * TCP waits twice as long before each repetition (RFC 6298 5.5): what is repeated has reached nobody. A steady stream
 * that has lost a packet looks alike, but for the pause before.
 */
function isRepeating(bursts: readonly Instant[]): boolean {
  const [third, second, first, zeroth] = bursts.slice(-4).toReversed();
  if (first === undefined || second === undefined || third === undefined) return false;
  const [before, after] = [second - first, third - second];
  const isSteady = zeroth !== undefined && Math.abs(first - zeroth - before) < 0.25 * before;
  return !isSteady && before > LEAST_REPETITION_MS && after > 1.6 * before && after < 2.5 * before;
}

/** It goes on and on, is not repeated, and nobody shows that it is his: it needs no answers. */
export function isOneWay({ burstCount, proofs, bursts }: Unsettled): boolean {
  return burstCount >= ONE_WAY_BURSTS && proofs.size === 0 && !isRepeating(bursts);
}

/** What a device was thought to say to one packet is answered on another SPI: it was a question of its own. */
function takeBackReactions(server: Server, answer: Unsettled, asker: Party, now: Instant): void {
  for (const unsettled of server.unsettled.values()) {
    const { reaction, proofs } = unsettled;
    if (unsettled === answer || reaction?.party !== asker || now - reaction.at > answerWithinMs(server))
      continue;
    unsettled.reaction = null;
    lean(unsettled, asker, -reaction.said);
    const left = (proofs.get(asker) ?? 1) - 1;
    if (left > 0) proofs.set(asker, left);
    else proofs.delete(asker);
  }
}

function prove(unsettled: Unsettled, party: Party): void {
  unsettled.proofs.set(party, (unsettled.proofs.get(party) ?? 0) + 1);
}

/** Devices that have sent something of late that a packet of now may answer. */
export function callersOf(server: Server, now: Instant): Party[] {
  const within = answerWithinMs(server);
  const callers: Party[] = [];
  for (const child of server.open) {
    const { party } = child;
    if (askedAt(child, within, now) !== null && !callers.includes(party)) callers.push(party);
  }
  return callers;
}

/** Whether what it got then may have answered it. */
function isCalling({ open, server }: Party, at: Instant): boolean {
  const within = answerWithinMs(server);
  return [...open].some((child) => askedAt(child, within, at) !== null);
}

/** When this child sent the latest packet that one of `at` may answer. */
function askedAt({ out }: Child, within: number, at: Instant): Instant | null {
  const sentAt = out?.sentAt.findLast((one) => one <= at);
  return sentAt !== undefined && at - sentAt < within ? sentAt : null;
}

/** What it asks is never answered, so what comes is no answer to it either. */
function callsInVain({ open }: Party): boolean {
  return ![...open].some(({ out }) => out !== null && out.inVain <= MOST_IN_VAIN);
}

/** It sends so often that whatever comes may be an answer. */
function isAlwaysCalling(party: Party, now: Instant): boolean {
  let sent = 0;
  for (const { out } of party.open) sent += out?.sentAt.filter((at) => now - at < RATE_MS).length ?? 0;
  return (sent / RATE_MS) * answerWithinMs(party.server) > MOST_CALLING;
}

/** Packets a second that a device sends of its own accord, by what was seen of late. */
function sendingRate(party: Party, now: Instant): number {
  let rate = 1000 / RATE_MS;
  for (const { out, exchange, since } of party.open) {
    if (out !== null) rate += (out.sentAt.filter((at) => now - at < RATE_MS).length * 1000) / RATE_MS;
    // Its first packet may come at any moment.
    else if (now - (exchange?.answeredAt ?? since) < BEGINS_MS) rate += BEGINNING_RATE;
  }
  return rate;
}

/** A device has sent, whether it is let through or not: did it react to what it had just got? */
export function weighReaction(server: Server, child: Child, now: Instant): boolean {
  const { party } = child;
  const byChance = sendingRate(party, now);
  const isOnTime = keepsTime(child, now);
  let reacted = false;
  for (const unsettled of server.unsettled.values()) {
    const deliveredAt = unsettled.awaited.get(party);
    if (deliveredAt === undefined || now >= deliveredAt + REACTION_MS) continue;
    if (isOnTime && now - deliveredAt > AT_ONCE_MS) continue;
    unsettled.awaited.delete(party);
    reacted = true;
    if (byChance > MOST_CHANCE) continue;
    const after = now - deliveredAt;
    const soon = ((1 - LATER) * Math.exp(-after / REACTS_WITHIN_MS)) / REACTS_WITHIN_MS;
    const reacting = 1000 * reactingShare(unsettled, party) * (soon + LATER / REACTION_MS);
    const said = Math.min(MOST_OF_REACTION, Math.log(reacting / byChance));
    if (said < 0) continue;
    unsettled.reaction = { party, at: now, said };
    if (now - deliveredAt <= AT_ONCE_MS) child.out!.reactedAt = now;
    lean(unsettled, party, said);
    for (const other of party.open) {
      const fit = other === child ? undefined : unsettled.fits.get(other);
      if (fit !== undefined) unsettled.fits.set(other, fit - NOT_ITS_OWN);
    }
    prove(unsettled, party);
  }
  return reacted;
}

/** How often it reacts, if it is its own: to hardly any packet of a stream that needs no answers. */
function reactingShare({ proofs, got }: Unsettled, party: Party): number {
  return Math.min(REACTS, ((proofs.get(party) ?? 0) + 1.2) / ((got.get(party) ?? 1) + 1));
}

/** It sends as long after its last packet as before: a ping, whatever has come meanwhile. */
function keepsTime({ out }: Child, now: Instant): boolean {
  const [first, second, third] = out?.sentAt.slice(-3) ?? [];
  if (first === undefined || second === undefined || third === undefined) return false;
  const pause = now - third;
  const within = 0.1 * pause;
  return Math.abs(third - second - pause) < within && Math.abs(second - first - pause) < within;
}

/** A packet of this child has left for the server: did the one before get an answer? */
export function weighSending(server: Server, child: Child, now: Instant): void {
  const before = child.out?.sentAt.at(-1);
  const within = answerWithinMs(server);
  if (before === undefined || now - before <= within) return;
  for (const { firstAt, arrivedAt, fits } of server.unsettled.values()) {
    const fit = fits.get(child);
    if (fit === undefined || before <= firstAt) continue;
    const answered = arrivedAt.some((at) => at >= before && at <= before + within);
    // What would answer it was expected, and has been weighed if it came: a stream falls into place by chance.
    fits.set(child, fit + (answered ? -answeredShare(child.out!) : SILENCE));
  }
}

/** It has had the time to react to what it got. */
export function weighSilence(unsettled: Unsettled, now: Instant): void {
  for (const [party, deliveredAt] of unsettled.awaited) {
    if (now < deliveredAt + REACTION_MS) continue;
    unsettled.awaited.delete(party);
    const times = unsettled.silent.get(party) ?? 0;
    const isUncalled = unsettled.uncalled || !isCalling(party, deliveredAt);
    const change = (isUncalled ? NO_REACTION_UNCALLED : NO_REACTION)[times];
    if (change === undefined) continue;
    unsettled.silent.set(party, times + 1);
    lean(unsettled, party, change);
  }
}
