// The tables that are not ours: left alone, and noticed, since what they drop or look at decides what
// reaches us and which ways we may take.
import { filtersForwarded, filtersIngress, findForeignDrops, type Sides } from '../core/policy/foreign.ts';
import type { Nft } from '../linux/nft.ts';
import { hasLegacyRules } from '../linux/proc-net.ts';
import { listOtherTables } from './kernel-table.ts';

export class OtherTables {
  readonly #nft: Nft;
  #filter = false;
  #ingress = false;

  constructor(nft: Nft) {
    this.#nft = nft;
  }

  /** Whether one of them has rules on the way of forwarded packets. */
  get filter(): boolean {
    return this.#filter;
  }

  /** The same for packets as they come in. */
  get ingress(): boolean {
    return this.#ingress;
  }

  /** Their items, as nft lists them. */
  list(): Promise<unknown[]> {
    return listOtherTables(this.#nft);
  }

  /** Reads them anew; resolves to a sentence for each place where packets of VPNs end. Throws LinuxError. */
  async look(sides: Sides): Promise<string[]> {
    const items = await this.list();
    this.#filter = filtersForwarded(items) || hasLegacyRules();
    this.#ingress = filtersIngress(items);
    return findForeignDrops(items, sides);
  }
}
