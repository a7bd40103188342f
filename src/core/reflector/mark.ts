// The mark that every packet between the two ends of a path test carries: what it is about, and a tag that
// only who knows the token can make. Which bytes the tag is made of is known here; how it is made
// (HMAC-SHA256 with the session's key) to daemon/reflector/secrets.ts.
import { Reader, Writer } from '../wire/bytes.ts';

const HEAD_BYTES = 8;
const TAG_BYTES = 16;
export const MARK_BYTES = HEAD_BYTES + TAG_BYTES;

export interface Mark {
  /** Its place in the list of crossings. */
  readonly crossing: number;
  readonly isAnswer: boolean;
  /** Counts the packets of one crossing. */
  readonly number: number;
  /** What the answer is to be addressed with: an SPI of ESP; 0 where there is no such thing. */
  readonly reply: number;
}

/** Sixteen octets that prove the token, of the eight that are to be proved. */
export type Seal = (head: Uint8Array) => Uint8Array;

export function emitMark({ crossing, isAnswer, number, reply }: Mark, seal: Seal): Uint8Array {
  const head = new Writer(HEAD_BYTES)
    .u8(crossing)
    .u8(isAnswer ? 1 : 0)
    .u16(number)
    .u32(reply).bytes;
  return new Writer(MARK_BYTES).put(head).put(seal(head).subarray(0, TAG_BYTES)).bytes;
}

/** The mark at the beginning of `bytes`, or null when its tag is not right. Throws WireError when it is too short. */
export function parseMark(bytes: Uint8Array, seal: Seal): Mark | null {
  const reader = new Reader(bytes);
  const head = reader.bytes(HEAD_BYTES);
  const tag = reader.bytes(TAG_BYTES);
  const right = seal(head);
  // The same time for every wrong tag.
  let difference = 0;
  for (const [index, octet] of tag.entries()) difference |= octet ^ right[index]!;
  if (difference !== 0) return null;
  const fields = new Reader(head);
  const crossing = fields.u8();
  const isAnswer = fields.u8() === 1;
  return { crossing, isAnswer, number: fields.u16(), reply: fields.u32() };
}
