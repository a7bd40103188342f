// Values in DER (X.690), as far as a certificate needs them. Only writes; node:crypto reads.

export type Der = Uint8Array;

function element(tag: number, content: Uint8Array): Der {
  const { length } = content;
  if (length < 128) return Uint8Array.from([tag, length, ...content]);
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return Uint8Array.from([tag, 0x80 | octets.length, ...octets, ...content]);
}

const joined = (parts: readonly Uint8Array[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));

export const sequence = (...parts: Der[]): Der => element(0x30, joined(parts));
export const set = (...parts: Der[]): Der => element(0x31, joined(parts));
export const octetString = (content: Uint8Array): Der => element(0x04, content);
/** Whole octets. */
export const bitString = (content: Uint8Array): Der => element(0x03, Uint8Array.from([0, ...content]));
/** Named bits from the highest of the first octet on; X.690 11.2.2: without trailing zero bits. */
export const bitFlags = (octet: number, unused: number): Der =>
  element(0x03, Uint8Array.from([unused, octet]));
export const boolean = (value: boolean): Der => element(0x01, Uint8Array.from([value ? 0xff : 0]));
export const utf8 = (text: string): Der => element(0x0c, new TextEncoder().encode(text));

/** Not negative, most significant octet first. */
export function integer(octets: Uint8Array): Der {
  const first = octets.findIndex((octet) => octet !== 0);
  const bare = first === -1 ? Uint8Array.from([0]) : octets.subarray(first);
  return element(0x02, bare[0]! >= 0x80 ? Uint8Array.from([0, ...bare]) : bare);
}

export function objectId(text: string): Der {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const octets = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      groups.unshift(0x80 | (left % 128));
    octets.push(...groups);
  }
  return element(0x06, Uint8Array.from(octets));
}

/** RFC 5280 4.1.2.5: two digits of the year until 2049, four after. */
export function time(at: Date): Der {
  const text = at.toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  const isShort = at.getUTCFullYear() < 2050;
  return element(isShort ? 0x17 : 0x18, new TextEncoder().encode(isShort ? text.slice(2) : text));
}

/** `[number]`, around a whole value. */
export const explicit = (number: number, content: Der): Der => element(0xa0 | number, content);
/** `[number]` in the place of a plain value's tag. */
export const implicit = (number: number, content: Uint8Array): Der => element(0x80 | number, content);
