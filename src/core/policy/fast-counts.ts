// What the fast path of ESP has carried, by pair, beyond what the elements of `esp_in` and `esp_out`
// count: the packets of a pair are the sum of both. The fast path's own counters go with its table, so
// what they said last is kept here as long as the pair lives. What passed after that is missing.
import { FAST_REFRESH_EVERY, REFRESH_EVERY } from './esp.ts';

export interface Count {
  readonly packets: number;
  readonly bytes: number;
}

/**
 * The packets of a pair, by its element of `esp_in` or `esp_out` and what the fast path has carried. The
 * kernel counts each packet that refreshes an element twice, for it is looked up and updated. On the
 * ordinary way that is every eighth packet; of a pair on the fast path it is every thirty-second, and
 * all the others of it are counted there.
 */
export function wholeCount(element: Count, beside: Count): Count {
  const whole = (ordinary: number, fast: number): number => {
    const refreshing = fast / (FAST_REFRESH_EVERY - 1);
    return Math.round(
      fast + refreshing + ((ordinary - 2 * refreshing) * REFRESH_EVERY) / (REFRESH_EVERY + 1),
    );
  };
  return { packets: whole(element.packets, beside.packets), bytes: whole(element.bytes, beside.bytes) };
}

const NOTHING: Count = { packets: 0, bytes: 0 };
const plus = (a: Count, b: Count): Count => ({ packets: a.packets + b.packets, bytes: a.bytes + b.bytes });

export class FastCounts {
  readonly #kept = new Map<string, Count>();
  #now: ReadonlyMap<string, Count> = new Map();

  /** The counters as they are now, all of them. */
  read(counters: ReadonlyMap<string, Count>): void {
    for (const [pair, before] of this.#now) {
      // It has gone, or has come anew since.
      if ((counters.get(pair)?.packets ?? 0) < before.packets) this.#keep(pair, before);
    }
    this.#now = counters;
  }

  /** The counters begin anew from here on. */
  settle(): void {
    for (const [pair, count] of this.#now) if (count.packets > 0) this.#keep(pair, count);
    this.#now = new Map();
  }

  #keep(pair: string, count: Count): void {
    this.#kept.set(pair, plus(this.#kept.get(pair) ?? NOTHING, count));
  }

  /** Forgets pairs that are no more. */
  keepOnly(lives: (pair: string) => boolean): void {
    for (const pair of this.#kept.keys()) if (!lives(pair)) this.#kept.delete(pair);
  }

  of(pair: string): Count {
    return plus(this.#kept.get(pair) ?? NOTHING, this.#now.get(pair) ?? NOTHING);
  }
}
