// Seeded randomness: the same seed gives the same schedules on every machine.

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
    for (let count = 0; count < 4; count += 1) this.unit();
  }

  /** At least 0 and below 1 (mulberry32). */
  unit(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  }

  /** A generator of its own for one part of the world, so that parts do not disturb each other. */
  fork(): Random {
    return new Random(this.integer(1, 0xffff_fffe));
  }

  between(least: number, most: number): number {
    return least + (most - least) * this.unit();
  }

  /** As likely between 5 and 10 as between 100 and 200. */
  logBetween(least: number, most: number): number {
    return least * (most / least) ** this.unit();
  }

  /** Both ends included. */
  integer(least: number, most: number): number {
    return least + Math.floor((most - least + 1) * this.unit());
  }

  /** Exponentially distributed. */
  wait(mean: number): number {
    return -mean * Math.log(1 - this.unit());
  }

  isSo(probability: number): boolean {
    return this.unit() < probability;
  }

  /** One of the keys, as often as its weight says. */
  pick<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][];
    let left = this.unit() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [key, weight] of entries) {
      left -= weight;
      if (left < 0) return key;
    }
    return entries.at(-1)![0];
  }
}
