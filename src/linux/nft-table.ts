// Reads an nftables table of the family inet without its elements, however many those are; and the
// elements of one set or map, and changes them, by themselves.
import {
  emitWholeSet,
  emitElements,
  NFT_MSG_DELSETELEM,
  NFT_MSG_GETSETELEM,
  NFT_MSG_NEWSETELEM,
  NFT_SUBSYSTEM,
  NLM_F_CREATE,
  type NftElement,
  type NftElementDraft,
  type NftFamily,
  parseElements,
} from '../core/wire/nft-elements.ts';
import { WireError } from '../core/wire/bytes.ts';
import { NLM_F_DUMP } from '../core/wire/netlink.ts';
import {
  emitCounterRequest,
  emitTableRequest,
  NFT_MSG_GETCHAIN,
  NFT_MSG_GETOBJ,
  NFT_MSG_GETRULE,
  NFT_MSG_GETTABLE,
  type NftCounter,
  parseCounter,
  parseTableName,
  parseTableUserdata,
} from '../core/wire/nftables.ts';
import { LinuxError } from './libc.ts';
import { decodeAll, NETLINK_NETFILTER, type NetlinkRequest, NetlinkSocket } from './netlink.ts';

/** One step of a change; what is added may be there already with the same data. */
export interface ElementStep {
  readonly step: 'add' | 'delete';
  readonly set: string;
  readonly element: NftElementDraft;
}

/** The header counts the changes of all tables (res_id of struct nfgenmsg), so it is left out. */
const SIZEOF_NFGENMSG = 4;

export class TableReader {
  readonly #socket = new NetlinkSocket(NETLINK_NETFILTER);
  readonly #table: string;

  constructor(table: string) {
    this.#table = table;
  }

  /** What nft keeps beside the table, its comment among it; null when there is no such table. */
  async userdata(): Promise<string | null> {
    try {
      const [found] = await this.#socket.request(NFT_MSG_GETTABLE, 0, emitTableRequest(this.#table));
      return found ? parseTableUserdata(found.payload) : null;
    } catch (error) {
      if (error instanceof LinuxError && error.errno === 'ENOENT') return null;
      throw error;
    }
  }

  /** The chains and rules as the kernel has them: equal as long as nobody has written to them. */
  async fingerprint(): Promise<string> {
    const parts: string[] = [];
    for (const type of [NFT_MSG_GETCHAIN, NFT_MSG_GETRULE]) {
      for (const { payload } of await this.#socket.request(type, NLM_F_DUMP, emitTableRequest(this.#table))) {
        // The kernel sifts rules by table, but not chains.
        if (parseTableName(payload) === this.#table) {
          parts.push(Buffer.from(payload.subarray(SIZEOF_NFGENMSG)).toString('base64'));
        }
      }
    }
    return parts.join('\n');
  }

  async counters(): Promise<NftCounter[]> {
    const messages = await this.#socket.request(NFT_MSG_GETOBJ, NLM_F_DUMP, emitCounterRequest(this.#table));
    return decodeAll(messages, ({ payload }) => parseCounter(payload));
  }

  /**
   * Calls `onElement` with each element of a set or map; its bytes are gone when that returns. Resolves
   * to whether the list is complete: elements that come and go meanwhile may be missing or twice in it.
   */
  async listElements(
    set: string,
    onElement: (element: NftElement) => void,
    family: NftFamily = 'inet',
  ): Promise<boolean> {
    const request = emitWholeSet(this.#table, set, family);
    let isReadable = true;
    const isComplete = await this.#socket.stream(NFT_MSG_GETSETELEM, NLM_F_DUMP, request, ({ payload }) => {
      try {
        for (const element of parseElements(payload)) onElement(element);
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        isReadable = false;
      }
    });
    return isComplete && isReadable;
  }

  /** Whether a set or map has an element with this key now. */
  async hasElement(set: string, key: Uint8Array): Promise<boolean> {
    const payload = emitElements(this.#table, set, [{ key, data: null, timeoutMs: null }]);
    try {
      await this.#socket.request(NFT_MSG_GETSETELEM, 0, payload);
      return true;
    } catch (error) {
      if (error instanceof LinuxError && error.errno === 'ENOENT') return false;
      throw error;
    }
  }

  /**
   * Takes the steps in one transaction. Throws LinuxError, and then none is done: ENOENT when one to
   * delete is not there, EEXIST when one to add is there with other data, ENFILE when a set is full.
   */
  async change(steps: readonly ElementStep[]): Promise<void> {
    if (steps.length === 0) return;
    const requests = steps.map(({ step, set, element }): NetlinkRequest => {
      const draft = step === 'add' ? element : { key: element.key, data: null, timeoutMs: null };
      const payload = emitElements(this.#table, set, [draft]);
      return step === 'add'
        ? { type: NFT_MSG_NEWSETELEM, flags: NLM_F_CREATE, payload }
        : { type: NFT_MSG_DELSETELEM, flags: 0, payload };
    });
    await this.#socket.transaction(NFT_SUBSYSTEM, requests);
  }

  /**
   * Empties sets and maps in one transaction. Throws LinuxError, and then none is emptied. (nft 1.0.6 reads
   * every element first, and keeps a hundred megabytes for it.)
   */
  async flush(sets: readonly string[]): Promise<void> {
    if (sets.length === 0) return;
    await this.#socket.transaction(
      NFT_SUBSYSTEM,
      // Without elements it means all of them.
      sets.map((set) => ({
        type: NFT_MSG_DELSETELEM,
        flags: 0,
        payload: emitWholeSet(this.#table, set),
      })),
    );
  }

  /** Takes one element out; that it is not there is no error. Throws LinuxError. */
  async remove(set: string, key: Uint8Array): Promise<void> {
    try {
      await this.change([{ step: 'delete', set, element: { key, data: null, timeoutMs: null } }]);
    } catch (error) {
      if (!(error instanceof LinuxError && error.errno === 'ENOENT')) throw error;
    }
  }

  close(): void {
    this.#socket.close();
  }
}
