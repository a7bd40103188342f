// Which pairs of ESP are worth the fast path: those that carry packets all the time. Knows them by
// opaque keys and by what the ordinary way has counted for each; a pair on the fast path shows there
// with every thirty-second packet only. Lists may come at any distance.
import type { Instant } from '../alg/machine.ts';
import { FAST_REFRESH_EVERY } from './esp.ts';

/** Below this a pair costs less than the hooks of the fast path do. */
const BUSY_PER_SECOND = 100;
/** A busy pair stays one down to this: a sixteenth, so that a transfer with pauses does not come and go. */
const QUIET_PER_SECOND = BUSY_PER_SECOND / 16;
/** and for so long below it. */
const QUIET_MS = 20_000;
/** A bound for the kernel's memory and the daemon's: those that come later wait until others are quiet. */
export const MOST_BUSY = 16_384;

interface Seen {
  packets: number;
  /** When it was last busy; null for one that is not. */
  busyAt: Instant | null;
}

export class BusyPairs {
  #seen = new Map<string, Seen>();
  #listedAt: Instant | null = null;
  #busy = 0;

  /** Takes the whole list of pairs with their counts, and gives the busy ones. */
  list(pairs: ReadonlyMap<string, number>, now: Instant): string[] {
    const seconds = this.#listedAt === null ? Infinity : Math.max(now - this.#listedAt, 1) / 1000;
    this.#listedAt = now;
    const seen = new Map<string, Seen>();
    const busy: string[] = [];
    for (const [key, packets] of pairs) {
      const before = this.#seen.get(key);
      const busyAt = this.#judge(before, packets, seconds, now);
      seen.set(key, { packets, busyAt });
      if (busyAt !== null) busy.push(key);
    }
    this.#seen = seen;
    this.#busy = busy.length;
    return busy;
  }

  #judge(before: Seen | undefined, packets: number, seconds: number, now: Instant): Instant | null {
    // A count that fell is one that began anew.
    const grown = before === undefined ? 0 : Math.max(packets - before.packets, 0);
    if (before === undefined || before.busyAt === null) {
      const isBusy = grown / seconds >= BUSY_PER_SECOND && this.#busy < MOST_BUSY;
      if (isBusy) this.#busy += 1;
      return isBusy ? now : null;
    }
    if ((grown * FAST_REFRESH_EVERY) / seconds >= QUIET_PER_SECOND) return now;
    return now - before.busyAt < QUIET_MS ? before.busyAt : null;
  }
}
