// To which device each unsettled inbound SPI is given: all of a server together, so that the sum of what
// speaks for it is greatest. Every child that expects an inbound SPI can have one; a device may also get
// one that it is not known to expect, which costs.
import { scoreOf } from './esp-evidence.ts';
import type { Child, Party, Server, Unsettled } from './esp-state.ts';
import type { Confidence } from './fact.ts';

/** Natural logarithms of odds: to give a packet away at once, and to believe what is proved. */
export const CLEAR = 2.5;
/** To give it to one device, when waiting has told no more; below this, all that may be meant get it. */
export const CLEARER = 1.7;
export const SETTLED = 7;
/** What it costs to give a device one more SPI than it is known to expect; and if its IKE is never seen. */
const SURPLUS = 3;
const SURPLUS_OF_UNSEEN = 1;

/** A device that is so much less likely gets nothing, and no more devices than these. */
const ALMOST = 3.5;
/** However well its time fits: so many packets that a device got and did not react to. */
export const MANY_SILENCES = 2;
const ALMOST_IN_DOUBT = 5;
const MOST_OTHERS = 4;

/** A child that expects an inbound SPI, or what else a device may have. */
interface Slot {
  readonly party: Party;
  readonly child: Child | null;
}

export interface Choice extends Slot {
  /** How much better than any other device, as a logarithm. */
  readonly margin: number;
  /** Other devices that could be meant at all. */
  readonly rivals: number;
  /** Whom it fits almost as well, the likeliest first. */
  readonly others: readonly Party[];
}

/** Gives each unsettled SPI to what it fits best, all together. */
export function choose(server: Server): Map<Unsettled, Choice> {
  const all = [...server.unsettled.values()];
  const slots: Slot[] = [...server.open].map((child) => ({ party: child.party, child }));
  const devices = new Set([...slots.map(({ party }) => party), ...server.unseen]);
  for (const party of devices) slots.push({ party, child: null });
  const choices = new Map<Unsettled, Choice>();
  if (slots.length === 0 || all.length === 0) return choices;
  const given = assign(all, slots);
  const expecting = new Set(slots.filter(({ child }) => child !== null).map(({ party }) => party));
  for (const [unsettled, slot] of given) {
    const rivals = expecting.size - (expecting.has(slot.party) ? 1 : 0);
    const losses = lossesOf(unsettled, slot, slots, given);
    choices.set(unsettled, {
      ...slot,
      margin: Math.min(...losses.values()),
      rivals,
      others: othersOf(unsettled, slot.party, losses),
    });
  }
  return choices;
}

/** Whom it fits almost as well, the likeliest first. */
function othersOf(unsettled: Unsettled, party: Party, losses: ReadonlyMap<Party, number>): Party[] {
  const most = mostLoss(unsettled, party);
  const others = [...losses].filter(([, loss]) => loss < most).toSorted(([, a], [, b]) => a - b);
  return others.slice(0, MOST_OTHERS).map(([one]) => one);
}

/** How much worse it may fit another one; when it cannot be what it fits best, it may be anybody's. */
function mostLoss({ refuted, doubts, silent }: Unsettled, party: Party): number {
  if (refuted.has(party)) return Infinity;
  const isInDoubt = doubts > 0 || (silent.get(party) ?? 0) >= MANY_SILENCES;
  return isInDoubt ? ALMOST_IN_DOUBT : ALMOST;
}

function worth(unsettled: Unsettled, { party, child }: Slot): number {
  const cost = child !== null ? 0 : party.server.unseen.has(party) ? SURPLUS_OF_UNSEEN : SURPLUS;
  return scoreOf(unsettled, party, child) - cost;
}

/** How much better an unsettled SPI fits what it was given than the device that has it. */
export function gain(unsettled: Unsettled, chosen: Slot, has: Party): number {
  let best = worth(unsettled, { party: has, child: null });
  for (const child of has.open) best = Math.max(best, worth(unsettled, { party: has, child }));
  return worth(unsettled, chosen) - best;
}

/** The clearest first, then two are exchanged as long as that is better. */
function assign(all: readonly Unsettled[], slots: readonly Slot[]): Map<Unsettled, Slot> {
  const given = new Map<Unsettled, Slot>();
  const taken = new Set<Slot>();
  const waiting = new Set(all);
  while (waiting.size > 0) {
    let pick: { unsettled: Unsettled; slot: Slot; margin: number } | null = null;
    for (const unsettled of waiting) {
      const { slot, margin } = clearest(unsettled, slots, taken);
      if (pick === null || margin > pick.margin) pick = { unsettled, slot, margin };
    }
    const { unsettled, slot } = pick!;
    given.set(unsettled, slot);
    // What a device is not known to expect can be any number.
    if (slot.child !== null) taken.add(slot);
    waiting.delete(unsettled);
  }
  improve(given);
  return given;
}

function clearest(
  unsettled: Unsettled,
  slots: readonly Slot[],
  taken: ReadonlySet<Slot>,
): { slot: Slot; margin: number } {
  let best: Slot | null = null;
  let [most, second] = [-Infinity, -Infinity];
  for (const slot of slots) {
    if (taken.has(slot)) continue;
    const one = worth(unsettled, slot);
    if (one > most) {
      if (best?.party !== slot.party) second = most;
      [best, most] = [slot, one];
    } else if (slot.party !== best!.party && one > second) second = one;
  }
  return { slot: best!, margin: most - second };
}

function improve(given: Map<Unsettled, Slot>): void {
  const all = [...given.keys()];
  for (let round = 0; round < all.length; round += 1) {
    let changed = false;
    for (const [index, a] of all.entries()) {
      for (const b of all.slice(index + 1)) {
        const [x, y] = [given.get(a)!, given.get(b)!];
        if (x === y || worth(a, y) + worth(b, x) <= worth(a, x) + worth(b, y) + 1e-9) continue;
        given.set(a, y);
        given.set(b, x);
        changed = true;
      }
    }
    if (!changed) return;
  }
}

/** What it would cost to give it to each other device: in a free slot, or in exchange with another SPI. */
function lossesOf(
  unsettled: Unsettled,
  slot: Slot,
  slots: readonly Slot[],
  given: ReadonlyMap<Unsettled, Slot>,
): Map<Party, number> {
  const holders = new Map<Slot, Unsettled>();
  for (const [one, its] of given) if (its.child !== null) holders.set(its, one);
  const own = worth(unsettled, slot);
  const losses = new Map<Party, number>();
  for (const other of slots) {
    const { party } = other;
    if (party === slot.party) continue;
    const holder = holders.get(other);
    const exchanged = holder === undefined ? 0 : worth(holder, other) - worth(holder, slot);
    const loss = own - worth(unsettled, other) + exchanged;
    losses.set(party, Math.min(losses.get(party) ?? Infinity, loss));
  }
  return losses;
}

/** Certain is what is proved, or what could be nobody else's; however well it fits, chance may fit as well. */
export function confidenceOf(
  { party, margin, rivals }: Choice,
  isProved: boolean,
  { uncalled, proofs }: Unsettled,
): Confidence {
  const { unseen } = party.server;
  // One that its server calls may be a device that nothing was ever seen of, until it reacts.
  const isSole =
    rivals === 0 && unseen.size === (unseen.has(party) ? 1 : 0) && (!uncalled || proofs.has(party));
  if (isSole || (isProved && margin >= SETTLED)) return 'certain';
  return margin >= CLEAR ? 'probable' : 'ambiguous';
}

/** One sentence for the session's history. */
export function evidenceOf(party: Party, margin: number, rivals: number, instead: Party | null): string {
  if (instead !== null) return 'Its packets answer this device, and not the one that had it first.';
  if (rivals === 0) return 'No other device expected anything from this server.';
  const others = rivals === 1 ? 'the other device' : `the ${rivals} other devices`;
  if (margin >= CLEAR)
    return `It came when this device expected it, rather than ${others} that may be meant.`;
  return `It may as well be for ${others} that expected something at that time.`;
}
