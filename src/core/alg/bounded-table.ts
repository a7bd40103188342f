// A table with a limit for all and a limit for each owner, so that one device can neither fill the
// memory nor push out what belongs to others: whoever has the most loses its own oldest entry first.

interface Entry<Value> {
  readonly value: Value;
  readonly owner: string;
}

export class BoundedTable<Value> {
  readonly #most: number;
  readonly #mostOfOne: number;
  readonly #entries = new Map<string, Entry<Value>>();
  /** The keys of each owner, the longest unused first. */
  readonly #owners = new Map<string, Set<string>>();

  constructor(most: number, mostOfOne: number) {
    this.#most = most;
    this.#mostOfOne = mostOfOne;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The value, which counts as used now. */
  get(key: string): Value | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const keys = this.#owners.get(entry.owner)!;
    keys.delete(key);
    keys.add(key);
    return entry.value;
  }

  /** Puts a value in; gives the values that had to go for it, never one of an owner with fewer entries. */
  set(key: string, owner: string, value: Value): Value[] {
    const gone: Value[] = [];
    this.delete(key);
    const own = this.#owners.get(owner);
    if (own !== undefined && own.size >= this.#mostOfOne) gone.push(this.#deleteOldest(owner));
    else if (this.#entries.size >= this.#most) gone.push(this.#deleteOldest(this.#largestOwner()));
    this.#entries.set(key, { value, owner });
    const keys = this.#owners.get(owner);
    if (keys) keys.add(key);
    else this.#owners.set(owner, new Set([key]));
    return gone;
  }

  delete(key: string): Value | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    const keys = this.#owners.get(entry.owner)!;
    keys.delete(key);
    if (keys.size === 0) this.#owners.delete(entry.owner);
    return entry.value;
  }

  *values(): Iterable<Value> {
    for (const { value } of this.#entries.values()) yield value;
  }

  #deleteOldest(owner: string): Value {
    const [oldest] = this.#owners.get(owner)!;
    return this.delete(oldest!)!;
  }

  #largestOwner(): string {
    let largest = '';
    let most = 0;
    for (const [owner, keys] of this.#owners) {
      if (keys.size > most) [largest, most] = [owner, keys.size];
    }
    return largest;
  }
}
