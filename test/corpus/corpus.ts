// Reads the corpus: one message per file, as hex with comments. A file opens with the origin of
// its bytes; from a `#` to the end of a line is comment, all else is hex digits and white space.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The bytes of `<format>/<name>.hex`; a file that does not state its origin first is refused. */
export function corpus(format: string, name: string): Uint8Array {
  const path = join(import.meta.dirname, format, `${name}.hex`);
  const text = readFileSync(path, 'utf8');
  if (!/^# Origin: \S/.test(text)) throw new Error(`${path} does not begin with "# Origin: …"`);
  return hex(text);
}

/** The bytes that `text` spells in hex, with comments and white space left out. */
export function hex(text: string): Uint8Array {
  const digits = text.replaceAll(/#.*/g, '').replaceAll(/\s/g, '');
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new Error(`"${digits}" is not whole bytes of hex`);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
