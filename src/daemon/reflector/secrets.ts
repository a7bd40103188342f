// The token of a path test and what is made of it. Both ends prove that they know it without sending it; the
// key of a session is made of the token and of a number from each end, so that nothing heard before is of use.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Seal } from '../../core/reflector/mark.ts';

/** 32 letters that are not mixed up when read out: five bits each. */
const LETTERS = 'abcdefghijkmnpqrstuvwxyz23456789';
const GROUPS = 4;
const GROUP_LETTERS = 5;

/** A hundred bits, such as `k3v9m-…`. */
export function makeToken(): string {
  const letters = [...randomBytes(GROUPS * GROUP_LETTERS)].map((byte) => LETTERS[byte % LETTERS.length]);
  return Array.from({ length: GROUPS }, (_, group) =>
    letters.slice(group * GROUP_LETTERS, (group + 1) * GROUP_LETTERS).join(''),
  ).join('-');
}

export function isToken(text: string): boolean {
  return new RegExp(`^([${LETTERS}]{${GROUP_LETTERS}}-){${GROUPS - 1}}[${LETTERS}]{${GROUP_LETTERS}}$`).test(
    text,
  );
}

/** The numbers of both ends, as hexadecimal text. */
export interface Nonces {
  readonly far: string;
  readonly near: string;
}

export function makeNonce(): string {
  return randomBytes(16).toString('hex');
}

export function proofOf(token: string, who: 'far' | 'near', { far, near }: Nonces): string {
  return createHmac('sha256', token).update(`throughway path ${who} ${far} ${near}`).digest('hex');
}

export function isProof(given: unknown, wanted: string): boolean {
  return (
    typeof given === 'string' &&
    given.length === wanted.length &&
    timingSafeEqual(Buffer.from(given), Buffer.from(wanted))
  );
}

export function sealOf(token: string, { far, near }: Nonces): Seal {
  const key = createHmac('sha256', token).update(`throughway path key ${far} ${near}`).digest();
  return (head) => createHmac('sha256', key).update(head).digest().subarray(0, 16);
}
