// The little of nftables' netlink that is read directly: whether a table is there and what its
// comment says, its chains and rules as opaque bytes, and named counters. The nft program fetches
// every element of every map for such questions; these messages do not. Rulesets are written by
// nft alone. linux/netfilter/nf_tables.h.
import { Reader } from './bytes.ts';
import { emitAttributes, parseAttributes, parseText } from './netlink.ts';

const NFNL_SUBSYS_NFTABLES = 10 << 8;
export const NFT_MSG_GETTABLE = NFNL_SUBSYS_NFTABLES | 1;
export const NFT_MSG_GETCHAIN = NFNL_SUBSYS_NFTABLES | 4;
export const NFT_MSG_GETRULE = NFNL_SUBSYS_NFTABLES | 7;
export const NFT_MSG_GETOBJ = NFNL_SUBSYS_NFTABLES | 19;

const NFPROTO_INET = 1;
const SIZEOF_NFGENMSG = 4;
/** Tables, chains, rules and objects all name their table in attribute 1. */
const NFTA_TABLE_NAME = 1;
const NFTA_TABLE_USERDATA = 6;
const NFTA_OBJ_NAME = 2;
const NFTA_OBJ_TYPE = 3;
const NFTA_OBJ_DATA = 4;
const NFT_OBJECT_COUNTER = 1;
const NFTA_COUNTER_BYTES = 1;
const NFTA_COUNTER_PACKETS = 2;

export interface NftCounter {
  readonly name: string;
  readonly packets: number;
  readonly bytes: number;
}

/** The payload that asks for what belongs to this table of the family inet. */
export function emitTableRequest(table: string): Uint8Array {
  return emitRequest([[NFTA_TABLE_NAME, emitText(table)]]);
}

/** The payload that asks for the named counters of this table. */
export function emitCounterRequest(table: string): Uint8Array {
  return emitRequest([
    [NFTA_TABLE_NAME, emitText(table)],
    [NFTA_OBJ_TYPE, Uint8Array.from([0, 0, 0, NFT_OBJECT_COUNTER])],
  ]);
}

/** Names are ASCII, and end with a zero byte. */
function emitText(text: string): Uint8Array {
  return Uint8Array.from(`${text}\0`, (letter) => letter.charCodeAt(0));
}

function emitRequest(list: Parameters<typeof emitAttributes>[0]): Uint8Array {
  const attributes = emitAttributes(list);
  const payload = new Uint8Array(SIZEOF_NFGENMSG + attributes.length);
  payload[0] = NFPROTO_INET;
  payload.set(attributes, SIZEOF_NFGENMSG);
  return payload;
}

/** The name of the table that a table, chain, rule or object belongs to, or null. */
export function parseTableName(payload: Uint8Array): string | null {
  const name = parseAttributes(payload, SIZEOF_NFGENMSG).get(NFTA_TABLE_NAME);
  return name ? parseText(name) : null;
}

/** What nft keeps beside a table in its own form, the comment among it; empty when there is nothing. */
export function parseTableUserdata(payload: Uint8Array): string {
  const data = parseAttributes(payload, SIZEOF_NFGENMSG).get(NFTA_TABLE_USERDATA);
  return data ? String.fromCharCode(...data) : '';
}

/** A named counter, or null for another kind of object. */
export function parseCounter(payload: Uint8Array): NftCounter | null {
  const attributes = parseAttributes(payload, SIZEOF_NFGENMSG);
  const [name, data] = [attributes.get(NFTA_OBJ_NAME), attributes.get(NFTA_OBJ_DATA)];
  if (!name || !data) return null;
  const values = parseAttributes(data);
  const [bytes, packets] = [values.get(NFTA_COUNTER_BYTES), values.get(NFTA_COUNTER_PACKETS)];
  if (!bytes || !packets) return null;
  return {
    name: parseText(name),
    packets: Number(new Reader(packets).u64()),
    bytes: Number(new Reader(bytes).u64()),
  };
}
