// The door between bytes and values: the one error that parsers throw, and a reader and writer
// that prove every length before they touch a byte. Network byte order throughout. Knows nothing
// of any protocol; a format's own limits are checked in its own file.

/** What is wrong with a peer's bytes. `unsupported` is well-formed but of a version we do not read. */
export type WireFault = 'truncated' | 'malformed' | 'unsupported';

/** Thrown by `parse…` functions and by nothing else; `at` is the offset of the offending byte. */
export class WireError extends Error {
  readonly fault: WireFault;
  readonly at: number;

  constructor(fault: WireFault, at: number, detail: string) {
    super(`${fault} at byte ${at}: ${detail}`);
    this.name = 'WireError';
    this.fault = fault;
    this.at = at;
  }
}

/**
 * Runs `read` over bytes of which all are there: what it finds truncated becomes malformed, since a
 * length that does not fit is then a lie, and no caller shall wait for more. `from` shifts its offsets.
 */
export function readWhole<T>(read: () => T, from = 0): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof WireError) || error.fault !== 'truncated') throw error;
    throw new WireError('malformed', from + error.at, 'runs past the end of the message');
  }
}

/** Reads forward through `bytes`; every read past the end is a `truncated` WireError. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
  }

  get at(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  #take(length: number): number {
    const at = this.#at;
    if (length < 0 || at + length > this.#bytes.length) {
      throw new WireError('truncated', at, `${length} bytes wanted, ${this.remaining} left`);
    }
    this.#at = at + length;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8));
  }

  /** A view, not a copy. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** All that is left; a view, not a copy. */
  rest(): Uint8Array {
    return this.bytes(this.remaining);
  }

  skip(length: number): void {
    this.#take(length);
  }
}

/** Writes into a buffer of exactly `length` bytes; writing past it is our own mistake. */
export class Writer {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
    this.#view = new DataView(this.bytes.buffer);
  }

  get at(): number {
    return this.#at;
  }

  u8(value: number): this {
    this.#view.setUint8(this.#at, value);
    this.#at += 1;
    return this;
  }

  u16(value: number): this {
    this.#view.setUint16(this.#at, value);
    this.#at += 2;
    return this;
  }

  u32(value: number): this {
    this.#view.setUint32(this.#at, value);
    this.#at += 4;
    return this;
  }

  u64(value: bigint): this {
    this.#view.setBigUint64(this.#at, value);
    this.#at += 8;
    return this;
  }

  put(source: Uint8Array): this {
    this.bytes.set(source, this.#at);
    this.#at += source.length;
    return this;
  }

  /** Overwrites a 16-bit field already passed, such as a checksum or a length. */
  setU16(at: number, value: number): this {
    this.#view.setUint16(at, value);
    return this;
  }
}

/** The Internet checksum (RFC 1071) of `parts` read as one run of bytes; every part but the last is of even length. */
export function internetChecksum(...parts: Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let at = 0; at + 1 < part.length; at += 2) sum += (part[at]! << 8) | part[at + 1]!;
    if (part.length % 2 === 1) sum += part[part.length - 1]! << 8;
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}
