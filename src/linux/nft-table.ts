// Reads an nftables table of the family inet without its elements, however many those are.
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
import { decodeAll, NETLINK_NETFILTER, NetlinkSocket } from './netlink.ts';

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

  close(): void {
    this.#socket.close();
  }
}
