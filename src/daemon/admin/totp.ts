// Codes of an authenticator: TOTP (RFC 6238) on HOTP (RFC 4226) with SHA-1, six digits and 30 seconds, which
// is what every authenticator speaks.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const STEP_SECONDS = 30;
const DIGITS = 6;
/** RFC 6238 5.2: a clock may be one step off, either way. */
const STEPS_OFF = 1;
/** RFC 4226 4, R6: 160 bits. */
const SECRET_BYTES = 20;
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** In base32, as authenticators take it. */
export function makeTotpSecret(): string {
  return emitBase32(randomBytes(SECRET_BYTES));
}

export function totpUri(user: string, secret: string, issuer: string): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(user)}`;
  return `otpauth://totp/${label}?secret=${secret}&issuer=${encodeURIComponent(issuer)}`;
}

/** RFC 4226 5.3; `counter` is the number of the step. */
export function hotp(secret: Uint8Array, counter: number): string {
  const message = Buffer.alloc(8);
  message.writeBigUInt64BE(BigInt(counter));
  const mac = createHmac('sha1', secret).update(message).digest();
  const offset = mac.at(-1)! & 0xf;
  const number = (mac.readUInt32BE(offset) & 0x7fffffff) % 10 ** DIGITS;
  return String(number).padStart(DIGITS, '0');
}

/** What an authenticator with the secret shows at this time. */
export function codeAt(secret: string, nowMs: number): string {
  return hotp(parseBase32(secret), Math.floor(nowMs / 1000 / STEP_SECONDS));
}

/**
 * The step that a code is of, or null when it is not right. RFC 6238 5.2: a code counts once, so steps up
 * to `last` are refused.
 */
export function verifyTotp(code: string, secret: string, nowMs: number, last: number): number | null {
  const typed = Buffer.from(code.replaceAll(/\s/g, ''));
  if (typed.length !== DIGITS) return null;
  const key = parseBase32(secret);
  const now = Math.floor(nowMs / 1000 / STEP_SECONDS);
  let found: number | null = null;
  for (let step = now - STEPS_OFF; step <= now + STEPS_OFF; step += 1) {
    if (timingSafeEqual(typed, Buffer.from(hotp(key, step))) && step > last) found = step;
  }
  return found;
}

function emitBase32(bytes: Uint8Array): string {
  let bits = '';
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0');
  return (bits.match(/.{5}/g) ?? []).map((five) => BASE32[Number.parseInt(five, 2)]!).join('');
}

function parseBase32(text: string): Buffer {
  let bits = '';
  for (const letter of text) bits += BASE32.indexOf(letter).toString(2).padStart(5, '0');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((eight) => Number.parseInt(eight, 2)));
}
