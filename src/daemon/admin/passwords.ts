// Passwords as argon2id hashes (RFC 9106) in the usual text form, and secrets that nobody can guess. A hash
// is made in the thread pool, so the daemon goes on meanwhile, and one at a time, so that a flood of
// log-ins takes neither its memory nor its threads.
import { argon2, createHash, randomBytes, timingSafeEqual, type Argon2Parameters } from 'node:crypto';
import { Failure } from '../failure.ts';

/** OWASP's second choice, 19 MiB and two passes: a router has little memory, and guesses are limited besides. */
const COST = { memory: 19_456, passes: 2, parallelism: 1 } as const;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** More wait for nothing: each takes a tenth of a second. */
const MOST_WAITING = 8;

let waiting = 0;
let last: Promise<unknown> = Promise.resolve();

/** Throws Failure when too many wait already. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (waiting >= MOST_WAITING) {
    const sentence = 'Too many passwords are being checked at the moment. Try again in a few seconds.';
    throw new Failure('too-many-requests', sentence, [], 5);
  }
  waiting += 1;
  const result = last.then(work).finally(() => {
    waiting -= 1;
  });
  last = result.catch(() => undefined);
  return result;
}

function derive(password: string, salt: Buffer, cost: typeof COST, bytes: number): Promise<Buffer> {
  const parameters: Argon2Parameters = {
    message: Buffer.from(password.normalize('NFKC')),
    nonce: salt,
    memory: cost.memory,
    passes: cost.passes,
    parallelism: cost.parallelism,
    tagLength: bytes,
  };
  return new Promise((resolve, reject) => {
    argon2('argon2id', parameters, (error, hash) => (error ? reject(error) : resolve(hash)));
  });
}

const bare = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '');

/** `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. */
export function hashPassword(password: string): Promise<string> {
  return inTurn(async () => {
    const salt = randomBytes(SALT_BYTES);
    const hash = await derive(password, salt, COST, HASH_BYTES);
    const { memory, passes, parallelism } = COST;
    return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${bare(salt)}$${bare(hash)}`;
  });
}

const FORM =
  /^\$argon2id\$v=19\$m=(\d{1,6}),t=(\d{1,2}),p=(\d)\$([A-Za-z0-9+/]{11,88})\$([A-Za-z0-9+/]{22,88})$/;

/** Whether a text is such a hash: a backup brings them in. */
export function isPasswordHash(text: string): boolean {
  const [, memory, passes] = FORM.exec(text) ?? [];
  return memory !== undefined && Number(memory) >= 8 && Number(memory) <= 262_144 && Number(passes) <= 10;
}

/** Of nobody: checked against when there is no such account, so that it takes as long. */
const NOBODY = `$argon2id$v=19$m=${COST.memory},t=${COST.passes},p=${COST.parallelism}$${'A'.repeat(22)}$${'A'.repeat(43)}`;

/** `hash` is null when there is no such account. */
export function isPassword(password: string, hash: string | null): Promise<boolean> {
  return inTurn(async () => {
    const [, memory, passes, parallelism, salt, wanted] = FORM.exec(hash ?? NOBODY)!;
    const expected = Buffer.from(wanted!, 'base64');
    const cost = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) };
    const found = await derive(password, Buffer.from(salt!, 'base64'), cost as typeof COST, expected.length);
    return timingSafeEqual(found, expected) && hash !== null;
  });
}

/** 256 bits, for cookies and tokens. */
export function makeSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** How a secret of `makeSecret` is kept: it cannot be guessed, so a fast hash will do. */
export function fingerprint(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

/** RFC 4648 without what looks alike; for codes that people type. */
const LETTERS = 'ABCDEFGHJKMNPQRSTVWXYZ23456789';

/** Such as `K3QW-9TXA`; five bits a letter nearly. */
export function makeCode(letters: number): string {
  let code = '';
  while (code.length < letters) {
    // What does not divide evenly is thrown again.
    const byte = randomBytes(1)[0]!;
    if (byte < LETTERS.length * 8) code += LETTERS[byte % LETTERS.length]!;
  }
  return code.replaceAll(/.{4}(?=.)/g, '$&-');
}

/** As it was typed, without what people add or leave out. */
export function plainCode(typed: string): string {
  return typed.toUpperCase().replaceAll(/[^A-Z0-9]/g, '');
}

export function isSameCode(typed: string, code: string): boolean {
  return timingSafeEqual(
    Buffer.from(fingerprint(plainCode(typed))),
    Buffer.from(fingerprint(plainCode(code))),
  );
}
