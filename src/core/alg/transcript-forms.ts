// How one value stands in a line of a transcript: forms that write a value as a word and read it back,
// and lines made of them by a table of fields. Knows nothing of what the lines mean.
import { parseIpv4, parseIpv6, type Ipv4Address, type Ipv6Address } from '../address.ts';

/** Thrown by the parsers of transcripts and by nothing else. */
export class TranscriptError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TranscriptError';
  }
}

type Address = Ipv4Address | Ipv6Address;

/** Stands another address for each; see `maskAddresses`. */
export type Mask = <A extends string>(address: A) => A;

export const unmasked: Mask = (same) => same;

/** A value as one word and back; a word has no space in it unless it is quoted. */
export interface Form<T> {
  readonly write: (value: T, mask: Mask) => string;
  /** Throws TranscriptError. */
  readonly read: (word: string) => T;
}

/** The fields of one kind of line, in the order in which they are written; null is left out. */
export type Fields = Readonly<Record<string, Form<never>>>;

function refuse(word: string, allowed: string): never {
  throw new TranscriptError(`"${word}" is not ${allowed}`);
}

export const number: Form<number> = {
  write: String,
  read: (word) => (/^-?\d+$/.test(word) ? Number(word) : refuse(word, 'a whole number')),
};

export const boolean: Form<boolean> = {
  write: String,
  read: (word) => word === 'true' || (word !== 'false' && refuse(word, '"true" or "false"')),
};

/** A sentence; the addresses in it are masked too. */
export const text: Form<string> = {
  write: (value, mask) => JSON.stringify(value.replaceAll(/\d+\.\d+\.\d+\.\d+/g, (quad) => mask(quad))),
  read: (word) => {
    try {
      const value: unknown = JSON.parse(word);
      if (typeof value === 'string') return value;
    } catch {
      // Said below.
    }
    return refuse(word, 'a text in double quotes');
  },
};

/** A host's name, which says as much as an address. */
export const name: Form<string> = {
  write: (value, mask) => JSON.stringify(mask === unmasked ? value : 'masked.example'),
  read: text.read,
};

export const address: Form<Address> = {
  write: (value, mask) => mask(value),
  read: (word) => parseIpv4(word) ?? parseIpv6(word) ?? refuse(word, 'an IP address'),
};

export const ipv4: Form<Ipv4Address> = {
  write: (value, mask) => mask(value),
  read: (word) => parseIpv4(word) ?? refuse(word, 'an IPv4 address'),
};

export function oneOf<T extends string>(...words: readonly T[]): Form<T> {
  return {
    write: (value) => value,
    read: (word) => words.find((one) => one === word) ?? refuse(word, `one of ${words.join(', ')}`),
  };
}

/** A number in hex with all its digits. */
export function hexNumber<T extends number>(digits: number): Form<T> {
  return {
    write: (value) => `0x${value.toString(16).padStart(digits, '0')}`,
    read: (word) =>
      /^0x[0-9a-f]{1,8}$/.test(word) ? (Number(word) as T) : refuse(word, 'a number such as 0x00001001'),
  };
}

export const bytes: Form<Uint8Array> = {
  write: (value) => Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join(''),
  read: (word) => {
    if (!/^([0-9a-f]{2})*$/.test(word)) refuse(word, 'a row of bytes in hex');
    return Uint8Array.from(word.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  },
};

/** `kind key=word key=word …` of an object whose `kind` has a row in `table`. */
export function renderFields(
  table: Readonly<Record<string, Fields>>,
  event: { readonly kind: string },
  mask: Mask,
): string {
  const fields = table[event.kind];
  if (fields === undefined) throw new TranscriptError(`no fields are known of "${event.kind}"`);
  const values = event as unknown as Readonly<Record<string, never>>;
  const words = [event.kind];
  for (const [key, form] of Object.entries(fields)) {
    if (values[key] !== null) words.push(`${key}=${form.write(values[key]!, mask)}`);
  }
  return words.join(' ');
}

/** The first word of a line, which says what the others are. */
export function kindOf(line: string): string {
  return /^\S+/.exec(line)?.[0] ?? '';
}

/** The object of a line that `renderFields` made; fields that do not stand there are null. */
export function parseFields(
  table: Readonly<Record<string, Fields>>,
  line: string,
): { readonly kind: string } {
  const kind = kindOf(line);
  const fields = Object.hasOwn(table, kind) ? table[kind] : undefined;
  if (fields === undefined) refuse(kind, `one of ${Object.keys(table).join(', ')}`);
  const words = new Map<string, string>();
  const rest = line.slice(kind.length);
  const left = rest.replaceAll(
    /\s+([a-zA-Z]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)/g,
    (_, key: string, word: string) => {
      if (!Object.hasOwn(fields, key)) refuse(key, `a field of "${kind}": ${Object.keys(fields).join(', ')}`);
      if (words.has(key)) throw new TranscriptError(`"${key}" stands twice`);
      words.set(key, word);
      return '';
    },
  );
  if (left.trim() !== '') refuse(left.trim(), 'of the form key=value');
  const values = Object.entries(fields).map(([key, form]) => {
    const word = words.get(key);
    return [key, word === undefined ? null : form.read(word)] as const;
  });
  return { kind, ...Object.fromEntries(values) };
}

/** Each address gets another one, in the order in which they are met: 10.0.0.0/8 inside, 198.18.0.0/15 outside. */
export function maskAddresses(): Mask {
  const known = new Map<string, string>();
  const counts = { inside: 0, outside: 0, v6: 0 };
  return <A extends string>(real: A): A => {
    let masked = known.get(real);
    if (masked === undefined) {
      if (real.includes(':')) {
        counts.v6 += 1;
        masked = parseIpv6(`2001:db8::${(counts.v6 & 0xffff).toString(16)}`)!;
      } else if (isPrivate(real)) {
        counts.inside += 1;
        masked = `10.${(counts.inside >> 16) & 255}.${(counts.inside >> 8) & 255}.${counts.inside & 255}`;
      } else {
        counts.outside += 1;
        masked = `198.${18 + ((counts.outside >> 16) & 1)}.${(counts.outside >> 8) & 255}.${counts.outside & 255}`;
      }
      known.set(real, masked);
    }
    return masked as A;
  };
}

/** RFC 1918 and RFC 6598: what a LAN has. */
function isPrivate(real: string): boolean {
  const [a, b] = real.split('.').map(Number);
  return (
    a === 10 ||
    (a === 172 && b! >= 16 && b! < 32) ||
    (a === 192 && b === 168) ||
    (a === 100 && b! >= 64 && b! < 128)
  );
}
