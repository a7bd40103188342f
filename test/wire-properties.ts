// The properties every wire format is held to, and the arbitrary values they are tried on. A
// format says only what its values are and what a message cut short gives; the claims are here.

import { deepStrictEqual, ok, throws } from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'vitest';
import { ipv4FromBytes, ipv6FromBytes, type Port } from '../src/core/address.ts';
import { WireError, type WireFault } from '../src/core/wire/bytes.ts';

/** One format under test; `Draft` is what `emit` takes, `Value` what `parse` gives. */
export interface WireFormat<Draft, Value> {
  readonly draft: fc.Arbitrary<Draft>;
  readonly emit: (draft: Draft) => Uint8Array;
  readonly parse: (bytes: Uint8Array) => Value;
  /** What reading the emitted `draft` gives, where that is more than the draft itself. */
  readonly expected?: (draft: Draft, bytes: Uint8Array) => Value;
  /**
   * Names the field that may end early in a copy cut by a capture; any other cut is `truncated`.
   * Without it every strict prefix is `truncated`.
   */
  readonly openEnd?: (value: Value) => string | null;
}

/** Declares the tests of one format: refusal, identity and cuts. */
export function wireProperties<Draft, Value>(name: string, format: WireFormat<Draft, Value>): void {
  const { draft, emit, parse } = format;
  describe(`${name}, any value`, () => {
    it('refuses bytes with a WireError or reads them, and nothing else', () => {
      readsOrRefuses(parse, fc.oneof(bytesUpTo(200), damaged(draft.map(emit))));
    });

    it('reads what it emitted', () => {
      fc.assert(
        fc.property(draft, (value) => {
          const bytes = emit(value);
          deepStrictEqual(parse(bytes), format.expected ? format.expected(value, bytes) : value);
        }),
      );
    });

    it('calls every strict prefix truncated, but for an open end', () => {
      fc.assert(
        fc.property(draft, (value) => {
          const bytes = emit(value);
          const whole = parse(bytes);
          const key = format.openEnd?.(whole) ?? null;
          for (let length = 0; length < bytes.length; length += 1) {
            const cut = bytes.subarray(0, length);
            const left = key === null ? -1 : openBytes(whole, key).length - (bytes.length - length);
            if (left < 0) throwsWire(() => parse(cut), 'truncated');
            else deepStrictEqual(parse(cut), { ...whole, [key!]: openBytes(whole, key!).subarray(0, left) });
          }
        }),
        { numRuns: 25 },
      );
    });
  });
}

function openBytes(value: unknown, key: string): Uint8Array {
  const bytes = (value as Record<string, unknown>)[key];
  ok(bytes instanceof Uint8Array, `${key} is not bytes`);
  return bytes;
}

/** Claims that `parse` gives a value or throws a WireError for each of `inputs`. */
export function readsOrRefuses(
  parse: (bytes: Uint8Array) => unknown,
  inputs: fc.Arbitrary<Uint8Array> = bytesUpTo(200),
): void {
  fc.assert(
    fc.property(inputs, (bytes) => {
      try {
        parse(bytes);
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
      }
    }),
    { numRuns: 200 },
  );
}

/** Claims that cutting `stream` at any places leaves what `run` makes of the chunks the same. */
export function sameForAnyChunking(
  stream: fc.Arbitrary<Uint8Array>,
  run: (chunks: Uint8Array[]) => unknown,
): void {
  const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
  fc.assert(
    fc.property(stream, cuts, (bytes, fractions) => {
      const whole = run([bytes]);
      const places = fractions.map((each) => Math.floor(each * bytes.length)).sort((a, b) => a - b);
      deepStrictEqual(run(split(bytes, places)), whole);
      deepStrictEqual(run(Array.from(bytes, (byte) => Uint8Array.of(byte))), whole);
    }),
  );
}

function split(bytes: Uint8Array, places: number[]): Uint8Array[] {
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length));
}

/** Claims that `act` throws a WireError of this fault. */
export function throwsWire(act: () => unknown, fault: WireFault): void {
  throws(act, (error) => {
    if (!(error instanceof WireError)) throw error;
    deepStrictEqual(error.fault, fault, error.message);
    return true;
  });
}

export const u8 = fc.integer({ min: 0, max: 0xff });
export const u16 = fc.integer({ min: 0, max: 0xffff });
export const u32 = fc.integer({ min: 0, max: 0xffffffff });
export const u64 = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
export const port = u16.map((value) => value as Port);
export const ipv4Address = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(ipv4FromBytes);
export const ipv6Address = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(ipv6FromBytes);

/** A plain object with these fields, as `parse` functions build them. */
export function record<T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(fields, { noNullPrototype: true });
}

/** Any bytes, from none to `maxLength`. */
export function bytesUpTo(maxLength: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ maxLength });
}

/** Exactly `length` bytes. */
export function bytesOf(length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length });
}

/** Messages with a few bytes overwritten and the end cut or grown, so that deep code meets bad input. */
export function damaged(messages: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const hit = fc.tuple(fc.double({ min: 0, max: 0.999, noNaN: true }), u8);
  return fc
    .tuple(messages, fc.array(hit, { maxLength: 4 }), bytesUpTo(6), fc.nat(40))
    .map(([message, hits, tail, cut]) => {
      const keep = message.subarray(0, cut < 20 ? message.length : Math.max(0, message.length - cut + 20));
      const bytes = Uint8Array.of(...keep, ...tail);
      for (const [place, byte] of hits) bytes[Math.floor(place * bytes.length)] = byte;
      return bytes;
    });
}
