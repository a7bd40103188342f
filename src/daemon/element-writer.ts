// Changes elements of our sets and maps whatever stands there now: the packets change them too, at any
// moment, so a transaction that meets something else than expected is tried again another way. Puts in
// by delete and add in one transaction, so that no packet falls between.
import type { NftElementDraft } from '../core/wire/nft-elements.ts';
import { LinuxError } from '../linux/libc.ts';
import type { ElementStep, TableReader } from '../linux/nft-table.ts';

/** Each try excludes one more way in which the kernel has changed meanwhile. */
const MOST_TRIES = 6;

/** What a set shall hold under a key: an element, or nothing. */
export interface ElementWish {
  readonly set: string;
  readonly key: Uint8Array;
  readonly element: NftElementDraft | null;
}

export class ElementWriter {
  readonly #table: TableReader;

  constructor(table: TableReader) {
    this.#table = table;
  }

  /** All wishes in one transaction. Throws LinuxError, and then none is fulfilled. */
  async write(wishes: readonly ElementWish[]): Promise<void> {
    // At first as if nothing stood there: so it is for most pairs.
    const stands = wishes.map(() => false);
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#table.change(wishes.flatMap((wish, index) => stepsOf(wish, stands[index]!)));
        // What shall not be there is only surely gone when its deletion was tried.
        const untried = wishes.filter((wish, index) => wish.element === null && !stands[index]);
        for (const wish of untried) await this.#table.remove(wish.set, wish.key);
        return;
      } catch (error) {
        if (!(error instanceof LinuxError) || attempt === MOST_TRIES) throw error;
        if (error.errno === 'EEXIST') stands.fill(true);
        else if (error.errno !== 'ENOENT') throw error;
        else {
          for (const [index, wish] of wishes.entries()) stands[index] = await this.#isThere(wish);
        }
      }
    }
  }

  async #isThere({ set, key }: ElementWish): Promise<boolean> {
    return this.#table.hasElement(set, key);
  }
}

function stepsOf({ set, key, element }: ElementWish, stands: boolean): ElementStep[] {
  const steps: ElementStep[] = [];
  if (stands) steps.push({ step: 'delete', set, element: { key, data: null, timeoutMs: null } });
  if (element !== null) steps.push({ step: 'add', set, element });
  return steps;
}
