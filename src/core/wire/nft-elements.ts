// Elements of nftables' sets and maps: adding, deleting and listing them without the nft program,
// which takes a hundred times as long for each. Keys and data are bytes as the kernel compares them:
// fields in network byte order, each padded to four bytes. linux/netfilter/nf_tables.h.
import { Reader, WireError, Writer } from './bytes.ts';
import { type AttributeList, emitAttributes, parseHostU16 } from './netlink.ts';

const NFNL_SUBSYS_NFTABLES = 10;
const message = (number: number): number => (NFNL_SUBSYS_NFTABLES << 8) | number;
export const NFT_SUBSYSTEM = NFNL_SUBSYS_NFTABLES;
export const NFT_MSG_NEWSETELEM = message(12);
export const NFT_MSG_GETSETELEM = message(13);
export const NFT_MSG_DELSETELEM = message(14);
/** Without it, adding an element that is there is no error. */
export const NLM_F_CREATE = 0x400;

const FAMILIES = { inet: 1, netdev: 5 } as const;
export type NftFamily = keyof typeof FAMILIES;
const SIZEOF_NFGENMSG = 4;
const ATTRIBUTE_HEADER_LENGTH = 4;
const TYPE_MASK = 0x3fff;

const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_DATA = 2;
const NFTA_SET_ELEM_TIMEOUT = 4;
const NFTA_SET_ELEM_EXPIRATION = 5;
const NFTA_SET_ELEM_EXPR = 7;
const NFTA_DATA_VALUE = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_COUNTER_BYTES = 1;
const NFTA_COUNTER_PACKETS = 2;

/** One element; what it has not is null. */
export interface NftElement {
  readonly key: Uint8Array;
  readonly data: Uint8Array | null;
  readonly timeoutMs: number | null;
  readonly expiresInMs: number | null;
  readonly counter: { readonly packets: number; readonly bytes: number } | null;
}

/** What is asked of the kernel for one element. */
export type NftElementDraft = Pick<NftElement, 'key' | 'data' | 'timeoutMs'>;

/** The payload of NFT_MSG_NEWSETELEM or NFT_MSG_DELSETELEM for these elements of a set in the family inet. */
export function emitElements(table: string, set: string, elements: readonly NftElementDraft[]): Uint8Array {
  const list = elements.map((element): [number, AttributeList] => {
    const parts: [number, Uint8Array | AttributeList][] = [
      [NFTA_SET_ELEM_KEY, [[NFTA_DATA_VALUE, element.key]]],
    ];
    if (element.data !== null) parts.push([NFTA_SET_ELEM_DATA, [[NFTA_DATA_VALUE, element.data]]]);
    if (element.timeoutMs !== null) {
      parts.push([NFTA_SET_ELEM_TIMEOUT, new Writer(8).u64(BigInt(element.timeoutMs)).bytes]);
    }
    return [NFTA_LIST_ELEM, parts];
  });
  return withHeader([...names(table, set), [NFTA_SET_ELEM_LIST_ELEMENTS, list]]);
}

/** The payload of NFT_MSG_GETSETELEM that lists a set, and of NFT_MSG_DELSETELEM that empties it. */
export function emitWholeSet(table: string, set: string, family: NftFamily = 'inet'): Uint8Array {
  return withHeader(names(table, set), family);
}

function names(table: string, set: string): [number, Uint8Array][] {
  return [
    [NFTA_SET_ELEM_LIST_TABLE, emitText(table)],
    [NFTA_SET_ELEM_LIST_SET, emitText(set)],
  ];
}

function withHeader(list: AttributeList, family: NftFamily = 'inet'): Uint8Array {
  const attributes = emitAttributes(list);
  return new Writer(SIZEOF_NFGENMSG + attributes.length).u8(FAMILIES[family]).u8(0).u16(0).put(attributes)
    .bytes;
}

/** Names are ASCII, and end with a zero byte. */
function emitText(text: string): Uint8Array {
  return Uint8Array.from(`${text}\0`, (letter) => letter.charCodeAt(0));
}

/** The elements in one answer to NFT_MSG_GETSETELEM; keys and data are views. */
export function parseElements(payload: Uint8Array): NftElement[] {
  const elements: NftElement[] = [];
  if (payload.length < SIZEOF_NFGENMSG) throw new WireError('truncated', payload.length, 'no header');
  walk(payload, SIZEOF_NFGENMSG, payload.length, (type, from, end) => {
    if (type !== NFTA_SET_ELEM_LIST_ELEMENTS) return;
    walk(payload, from, end, (_, elementFrom, elementEnd) => {
      elements.push(parseElement(payload, elementFrom, elementEnd));
    });
  });
  return elements;
}

function parseElement(bytes: Uint8Array, from: number, end: number): NftElement {
  let key: Uint8Array | null = null;
  let data: Uint8Array | null = null;
  let timeoutMs: number | null = null;
  let expiresInMs: number | null = null;
  let counter: NftElement['counter'] = null;
  walk(bytes, from, end, (type, valueFrom, valueEnd) => {
    switch (type) {
      case NFTA_SET_ELEM_KEY:
        key = dataValue(bytes, valueFrom, valueEnd);
        break;
      case NFTA_SET_ELEM_DATA:
        data = dataValue(bytes, valueFrom, valueEnd);
        break;
      case NFTA_SET_ELEM_TIMEOUT:
        timeoutMs = u64(bytes, valueFrom, valueEnd);
        break;
      case NFTA_SET_ELEM_EXPIRATION:
        expiresInMs = u64(bytes, valueFrom, valueEnd);
        break;
      case NFTA_SET_ELEM_EXPR:
        counter = parseCounterExpression(bytes, valueFrom, valueEnd);
        break;
      default:
    }
  });
  if (key === null) throw new WireError('malformed', from, 'an element without a key');
  return { key, data, timeoutMs, expiresInMs, counter };
}

function parseCounterExpression(bytes: Uint8Array, from: number, end: number): NftElement['counter'] {
  let isCounter = false;
  let packets = 0;
  let total = 0;
  walk(bytes, from, end, (type, valueFrom, valueEnd) => {
    // "counter" is the only expression of sets that begins so ("connlimit" does not).
    if (type === NFTA_EXPR_NAME) isCounter = bytes[valueFrom] === 0x63 && bytes[valueFrom + 2] === 0x75;
    if (type !== NFTA_EXPR_DATA) return;
    walk(bytes, valueFrom, valueEnd, (field, fieldFrom, fieldEnd) => {
      if (field === NFTA_COUNTER_BYTES) total = u64(bytes, fieldFrom, fieldEnd);
      else if (field === NFTA_COUNTER_PACKETS) packets = u64(bytes, fieldFrom, fieldEnd);
    });
  });
  return isCounter ? { packets, bytes: total } : null;
}

function dataValue(bytes: Uint8Array, from: number, end: number): Uint8Array | null {
  let value: Uint8Array | null = null;
  walk(bytes, from, end, (type, valueFrom, valueEnd) => {
    if (type === NFTA_DATA_VALUE) value = bytes.subarray(valueFrom, valueEnd);
  });
  return value;
}

function u64(bytes: Uint8Array, from: number, end: number): number {
  return Number(new Reader(bytes.subarray(from, end)).u64());
}

/** Calls `visit` with the type and the bounds of each attribute; lists have many of one type. */
function walk(
  bytes: Uint8Array,
  from: number,
  end: number,
  visit: (type: number, from: number, end: number) => void,
): void {
  let at = from;
  while (at < end) {
    const length = parseHostU16(bytes, at);
    const type = parseHostU16(bytes, at + 2) & TYPE_MASK;
    if (length < ATTRIBUTE_HEADER_LENGTH) {
      throw new WireError('malformed', at, `attribute ${type} says it has ${length} bytes, 4 is the least`);
    }
    if (at + length > end)
      throw new WireError('truncated', end, `attribute ${type} of ${length} bytes at byte ${at}`);
    visit(type, at + ATTRIBUTE_HEADER_LENGTH, at + length);
    at += Math.ceil(length / 4) * 4;
  }
}
