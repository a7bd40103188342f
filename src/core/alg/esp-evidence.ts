// Whose may an inbound SPI be? Each packet of it is weighed against every device that still expects one:
// how often would a packet come just then, if it were that device's? An answer comes a round trip after
// a device's packet; a server that speaks first does so just after an exchange; else it is rare. The
// logarithms add up, and the SPIs are given to the devices so that the sum is greatest.
import type { Child, Party, Server, Unsettled } from './esp-state.ts';
import type { Confidence } from './fact.ts';
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
const STRANGER_RATE = 0.000_05;
/** How likely a server answers a packet with a packet. */
const ANSWERED = 0.8;
/** How likely a server speaks first after an exchange, and how soon. */
const SPEAKS_FIRST = 0.15;
const SPEAKS_FIRST_MS = 250;
/** Below this no answer can be: clocks of copies differ by a little. */
const LEAST_OF_ROUND_TRIP = 0.3;
const LEAST_SPREAD_MS = 30;
/** What came of it when its device was asked again, and stayed silent. */
const SILENCE = -1;
/** A device sent just after it had got a packet, or did not; more is expected of what it did not call for. */
const REACTION = 2.5;
/** Each silence says less than the one before: some traffic has no answers at all. */
const NO_REACTION = [-0.5, -0.3, -0.1];
const NO_REACTION_UNCALLED = [-1.3, -0.9, -0.4];
export const REACTION_MS = 150;
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
  return (6 * (0.5 + uncalled)) / (3 + called + uncalled);
}

/**
 * How likely this device would choose such an SPI. strongSwan takes them from 0xc0000000 to 0xcfffffff,
 * racoon and KAME from 0x100 to 0x0fffffff, others from anywhere.
 */
function fit({ habit }: Party, spi: number): number {
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

/** Packets a second that would come on this child's inbound SPI now. */
function rate(child: Child, server: Server, sequence: number, now: Instant): number {
  const callable = callability(child.party);
  let sum = callable * uncalledRate(now - (child.exchange?.answeredAt ?? child.since));
  const tail = spread(server);
  const { out } = child;
  if (out !== null) {
    // What has been asked in vain again and again is asked of nobody.
    const answered = ANSWERED * 2 ** (-out.inVain / 2.5);
    for (const at of out.sentAt) {
      const late = now - at - server.roundTripMs;
      if (now - at < LEAST_OF_ROUND_TRIP * server.roundTripMs) continue;
      const haste = Math.max(0, -late) / (0.25 * server.roundTripMs + 5);
      sum += ((answered * 1000) / tail) * Math.exp(-Math.max(0, late) / tail - haste);
    }
  }
  const { exchange } = child;
  if (exchange !== null) {
    const { roundTripMs } = server;
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

/** What a packet says for this device; `party` may have several SAs that are open. */
function weigh(party: Party, server: Server, unsettled: Unsettled, now: Instant): number {
  let sum = party.ikeUnseen ? UNSEEN_RATE : STRANGER_RATE;
  for (const child of party.open) sum += rate(child, server, unsettled.sequence, now);
  // Where one came uncalled, more will.
  if (unsettled.packets > 0) sum += GOING_ON_RATE;
  return Math.log(sum);
}

/** The open child that a packet of now fits best, or null. */
export function bestChild(party: Party, sequence: number, now: Instant): Child | null {
  let best: Child | null = null;
  let most = -1;
  for (const child of party.open) {
    const one = rate(child, party.server, sequence, now);
    if (one > most) [best, most] = [child, one];
  }
  return best;
}

/** A packet came on an unsettled SPI. */
export function weighArrival(server: Server, unsettled: Unsettled, now: Instant): void {
  for (const party of server.parties.values()) {
    const before =
      unsettled.scores.get(party) ??
      unsettled.packets * Math.log(STRANGER_RATE) + Math.log(fit(party, unsettled.spi));
    unsettled.scores.set(party, before + weigh(party, server, unsettled, now));
  }
  unsettled.packets += 1;
  const last = unsettled.arrivedAt.at(-1);
  // Packets that come together are one answer.
  if (last !== undefined && now - last < REACTION_MS) return;
  const callers = callersOf(server, now);
  if (callers.length === 1) prove(unsettled, callers[0]!);
}

function prove(unsettled: Unsettled, party: Party): void {
  unsettled.proofs.set(party, (unsettled.proofs.get(party) ?? 0) + 1);
}

/** Devices that have sent something of late that a packet of now may answer. */
export function callersOf(server: Server, now: Instant): Party[] {
  const within = answerWithinMs(server);
  const callers: Party[] = [];
  for (const party of server.parties.values()) {
    for (const { out } of party.open) {
      const at = out?.sentAt.at(-1);
      if (at === undefined || now - at >= within) continue;
      callers.push(party);
      break;
    }
  }
  return callers;
}

/** A device has sent, whether it is let through or not: did it react to what it had just got? */
export function weighReaction(server: Server, party: Party, now: Instant): boolean {
  let reacted = false;
  for (const unsettled of server.unsettled.values()) {
    if (unsettled.on !== party || !unsettled.awaited || now >= unsettled.deliveredAt + REACTION_MS) continue;
    unsettled.awaited = false;
    unsettled.scores.set(party, scoreOf(unsettled, party) + REACTION);
    prove(unsettled, party);
    reacted = true;
  }
  return reacted;
}

/** A device's packet has left for the server: did the one before get an answer? */
export function weighSending(server: Server, party: Party, before: Instant | null, now: Instant): void {
  const within = answerWithinMs(server);
  if (before === null || now - before <= within) return;
  for (const unsettled of server.unsettled.values()) {
    if (before <= unsettled.firstAt) continue;
    const answered = unsettled.arrivedAt.some((at) => at >= before && at <= before + within);
    if (!answered) unsettled.scores.set(party, scoreOf(unsettled, party) + SILENCE);
  }
}

/** It has had the time to react to what it got. */
export function weighSilence(unsettled: Unsettled, now: Instant): void {
  const { on } = unsettled;
  if (on === null || !unsettled.awaited || now < unsettled.deliveredAt + REACTION_MS) return;
  unsettled.awaited = false;
  const times = unsettled.silent.get(on) ?? 0;
  const change = (unsettled.uncalled ? NO_REACTION_UNCALLED : NO_REACTION)[times];
  if (change === undefined) return;
  unsettled.silent.set(on, times + 1);
  const before = unsettled.scores.get(on) ?? 0;
  unsettled.scores.set(on, before + change);
}

/** Natural logarithms of odds: to give a packet away at once, and to believe what is proved. */
export const CLEAR = 2.5;
export const SETTLED = 7;

export interface Choice {
  readonly party: Party;
  /** How much better than any other, as a logarithm. */
  readonly margin: number;
  /** Other devices that could be meant at all. */
  readonly rivals: number;
}

/** What it costs to give a device one more SPI than it is known to expect. */
function surplusCost({ ikeUnseen }: Party): number {
  return ikeUnseen ? 1 : 4;
}

/** Gives each unsettled SPI to the device it fits best, all together. */
export function choose(server: Server): Map<Unsettled, Choice> {
  const all = [...server.unsettled.values()];
  const parties = [...server.parties.values()].filter((party) => party.open.size > 0 || party.ikeUnseen);
  const choices = new Map<Unsettled, Choice>();
  if (parties.length === 0) return choices;
  const given = assign(all, parties);
  for (const unsettled of all) {
    const party = given.get(unsettled);
    if (party === undefined) continue;
    choices.set(unsettled, {
      party,
      margin: marginOf(unsettled, party, all, parties, given),
      rivals: parties.filter((one) => one !== party && one.open.size > 0).length,
    });
  }
  return choices;
}

function scoreOf(unsettled: Unsettled, party: Party): number {
  return unsettled.scores.get(party) ?? unsettled.packets * Math.log(STRANGER_RATE);
}

/** The best by taking the clearest first, then by exchanging two as long as that is better. */
function assign(all: readonly Unsettled[], parties: readonly Party[]): Map<Unsettled, Party> {
  const given = new Map<Unsettled, Party>();
  const left = new Map(parties.map((party) => [party, party.open.size]));
  const waiting = new Set(all);
  while (waiting.size > 0) {
    let pick: { unsettled: Unsettled; party: Party; margin: number } | null = null;
    for (const unsettled of waiting) {
      const { best, margin } = clearest(unsettled, parties, left);
      if (pick === null || margin > pick.margin) pick = { unsettled, party: best, margin };
    }
    given.set(pick!.unsettled, pick!.party);
    left.set(pick!.party, left.get(pick!.party)! - 1);
    waiting.delete(pick!.unsettled);
  }
  improve(given);
  return given;
}

function clearest(
  unsettled: Unsettled,
  parties: readonly Party[],
  left: ReadonlyMap<Party, number>,
): { best: Party; margin: number } {
  let best = parties[0]!;
  let [most, second] = [-Infinity, -Infinity];
  for (const party of parties) {
    const room = left.get(party)!;
    const score = scoreOf(unsettled, party) - (room > 0 ? 0 : surplusCost(party) * (1 - room));
    if (score > most) [best, most, second] = [party, score, most];
    else if (score > second) second = score;
  }
  return { best, margin: most - second };
}

function improve(given: Map<Unsettled, Party>): void {
  const all = [...given.keys()];
  for (let round = 0; round < all.length; round += 1) {
    let changed = false;
    for (const [index, a] of all.entries()) {
      for (const b of all.slice(index + 1)) {
        const [x, y] = [given.get(a)!, given.get(b)!];
        if (x === y || scoreOf(a, y) + scoreOf(b, x) <= scoreOf(a, x) + scoreOf(b, y) + 1e-9) continue;
        given.set(a, y);
        given.set(b, x);
        changed = true;
      }
    }
    if (!changed) return;
  }
}

/** What it would cost to give it to somebody else: to one who has room, or in exchange with another SPI. */
function marginOf(
  unsettled: Unsettled,
  party: Party,
  all: readonly Unsettled[],
  parties: readonly Party[],
  given: ReadonlyMap<Unsettled, Party>,
): number {
  let margin = Infinity;
  const own = scoreOf(unsettled, party);
  for (const other of parties) {
    if (other === party) continue;
    const taken = all.filter((one) => given.get(one) === other);
    const cost = taken.length < other.open.size ? 0 : surplusCost(other);
    margin = Math.min(margin, own - scoreOf(unsettled, other) + cost);
    for (const one of taken) {
      const now = own + scoreOf(one, other);
      margin = Math.min(margin, now - scoreOf(unsettled, other) - scoreOf(one, party));
    }
  }
  return margin;
}

export function confidenceOf(margin: number, rivals: number): Confidence {
  if (rivals === 0 || margin >= SETTLED) return 'certain';
  return margin >= CLEAR ? 'probable' : 'ambiguous';
}

/** One sentence for the session's history. */
export function evidenceOf(party: Party, margin: number, rivals: number, instead: Party | null): string {
  if (instead !== null) return 'Its packets answer this device, and not the one that had it first.';
  if (rivals === 0) return 'No other device expected anything from this server.';
  if (margin >= CLEAR) return `It came when this device expected it, and none of ${rivals} others did.`;
  return `It may also be for one of ${rivals} other devices that expected something at that time.`;
}
