// Our table in the kernel: brought to a ruleset in one transaction, watched, and put back when
// somebody else changes or deletes it. What the ruleset says is decided in core/policy.
import { FAST_TABLE } from '../core/policy/fast-path.ts';
import {
  renderTable,
  renderTransaction,
  TABLE,
  TABLE_COMMENT,
  TABLE_NAME,
  type Ruleset,
} from '../core/policy/ruleset.ts';
import type { NftCounter } from '../core/wire/nftables.ts';
import { LinuxError } from '../linux/libc.ts';
import { TableReader, type ElementStep } from '../linux/nft-table.ts';
import type { Nft } from '../linux/nft.ts';
import { Failure } from './failure.ts';
import { missingFeatures } from './features.ts';

export class KernelTable {
  readonly #nft: Nft;
  readonly #reader = new TableReader(TABLE_NAME);
  #ruleset: Ruleset | null = null;
  /** The table as it was right after our own transaction. */
  #fingerprint = '';

  constructor(nft: Nft) {
    this.#nft = nft;
  }

  close(): void {
    this.#reader.close();
  }

  /** `before` is nft's words to stand in front, in the same transaction. Throws Failure, and then the former table stands. */
  async apply(ruleset: Ruleset, before = ''): Promise<void> {
    try {
      await this.#nft.run(before + renderTransaction(ruleset, await this.#existing()));
    } catch (error) {
      if (!(error instanceof LinuxError)) throw error;
      throw await this.#explain(error);
    }
    this.#ruleset = ruleset;
    this.#fingerprint = await this.#reader.fingerprint();
    await this.#forget(ruleset);
  }

  /**
   * What was learned before, and must not be used again. Not in the transaction before, whose rules stop the
   * traffic already: to empty a map of 100,000 takes a quarter of a second.
   */
  async #forget(ruleset: Ruleset): Promise<void> {
    try {
      await this.#reader.flush(ruleset.forget);
    } catch (error) {
      if (!(error instanceof LinuxError)) throw error;
      throw new Failure(
        'kernel-refused',
        `The new ruleset is in force, but the kernel did not let what was learned under the former one be forgotten, so running ESP may go on by it until it is idle: ${error.message}`,
      );
    }
  }

  /** How the table stands to what `apply` left. */
  async state(): Promise<'intact' | 'changed' | 'gone'> {
    if ((await this.#reader.userdata()) === null) return 'gone';
    return (await this.isIntact()) ? 'intact' : 'changed';
  }

  /** Whether the table is as `apply` left it. */
  async isIntact(): Promise<boolean> {
    // Empty when somebody was faster than our own look after loading.
    return this.#fingerprint !== '' && (await this.#reader.fingerprint()) === this.#fingerprint;
  }

  /** The ruleset in force, as text, or null before the first `apply`. */
  render(): string | null {
    return this.#ruleset && renderTable(this.#ruleset);
  }

  /** The named counters. */
  readCounters(): Promise<NftCounter[]> {
    return this.#reader.counters();
  }

  /**
   * Makes these the keys of a set, in one transaction and by netlink: before it flushes a set, nft 1.0.6 reads
   * every element of every set.
   */
  async setKeys(set: string, keys: readonly Uint8Array[]): Promise<void> {
    const wanted = new Map(keys.map((key) => [latin1(key), key]));
    const stale: Uint8Array[] = [];
    await this.#reader.listElements(set, ({ key }) => {
      if (!wanted.delete(latin1(key))) stale.push(key.slice());
    });
    const step = (name: 'add' | 'delete', key: Uint8Array): ElementStep => ({
      step: name,
      set,
      element: { key, data: null, timeoutMs: null },
    });
    await this.#reader.change([
      ...stale.map((key) => step('delete', key)),
      ...[...wanted.values()].map((key) => step('add', key)),
    ]);
  }

  /** Takes one element out of a map or set; that it is not there is no error. */
  removeElement(set: string, key: Uint8Array): Promise<void> {
    return this.#reader.remove(set, key);
  }

  async remove(): Promise<void> {
    await removeTable(this.#nft);
    this.#fingerprint = '';
    this.#ruleset = null;
  }

  async #existing(): Promise<'same-schema' | 'other-schema'> {
    const userdata = await this.#reader.userdata();
    return userdata === null || userdata.includes(TABLE_COMMENT) ? 'same-schema' : 'other-schema';
  }

  async #explain(error: LinuxError): Promise<Failure> {
    if (error.errno === 'EPERM') {
      return new Failure(
        'no-permission',
        'The kernel does not let this process change firewall rules. Run it as root, or with the capability CAP_NET_ADMIN.',
      );
    }
    const missing = await missingFeatures(this.#nft);
    if (missing.length > 0) {
      return new Failure(
        'kernel-feature-missing',
        `This kernel cannot carry the gateway. ${missing.join(' ')}`,
      );
    }
    return new Failure(
      'kernel-refused',
      `The kernel refused the ruleset, so the former one stays in force: ${error.message}`,
    );
  }
}

const latin1 = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/** Add and delete, so that it is no error when the table is not there. */
export async function removeTable(nft: Nft): Promise<void> {
  await nft.run(`add table ${TABLE}\ndelete table ${TABLE}`);
}

/** The items of all tables but ours. One by one: nft 1.0.6 has no JSON for maps that packets fill, and says so on stderr. */
export async function listOtherTables(nft: Nft): Promise<unknown[]> {
  // Not `list tables`, for which nft 1.0.6 reads every element of every table first, ours too. A table
  // without chains does nothing to packets.
  const chains = JSON.parse(await nft.run('list chains', 'json')) as {
    nftables: { chain?: { family: string; table: string } }[];
  };
  const tables = new Set(
    chains.nftables.flatMap(({ chain }) => (chain ? [`${chain.family} ${chain.table}`] : [])),
  );
  tables.delete(TABLE);
  tables.delete(FAST_TABLE);
  const items: unknown[] = [];
  for (const table of tables) {
    const listed = await nft.run(`list table ${table}`, 'json');
    items.push(...(JSON.parse(listed) as { nftables: unknown[] }).nftables);
  }
  return items;
}
