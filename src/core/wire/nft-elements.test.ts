import { deepStrictEqual, strictEqual } from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'vitest';
import { corpus } from '../../../test/corpus/corpus.ts';
import { bytesOf, damaged, readsOrRefuses, record, throwsWire } from '../../../test/wire-properties.ts';
import { emitWholeSet, emitElements, type NftElementDraft, parseElements } from './nft-elements.ts';
import { parseMessages, parseText } from './netlink.ts';

const draft = record<NftElementDraft>({
  key: bytesOf(8),
  data: fc.option(bytesOf(4)),
  timeoutMs: fc.option(fc.integer({ min: 0, max: 4_000_000_000 })),
});
const drafts = fc.array(draft, { maxLength: 6 });
const emit = (elements: readonly NftElementDraft[]): Uint8Array =>
  emitElements('throughway', 'esp_in', elements);

describe('nft elements', () => {
  it('reads what it emitted', () => {
    fc.assert(
      fc.property(drafts, (elements) => {
        deepStrictEqual(
          parseElements(emit(elements)),
          elements.map((element) => ({ ...element, expiresInMs: null, counter: null })),
        );
      }),
    );
  });

  it('refuses bytes with a WireError or reads them, and nothing else', () => {
    readsOrRefuses(parseElements);
    readsOrRefuses(parseElements, damaged(drafts.map(emit)));
  });

  it('calls a cut message truncated', () => {
    const whole = emit([{ key: Uint8Array.of(1, 2, 3, 4), data: null, timeoutMs: null }]);
    for (const length of [0, 3, 5, whole.length - 1])
      throwsWire(() => parseElements(whole.subarray(0, length)), 'truncated');
  });

  it('reads a captured list with counters and timeouts', () => {
    const [message] = parseMessages(corpus('netlink', 'nft-elements-esp-in'));
    const elements = parseElements(message!.payload);
    strictEqual(elements.length, 2);
    const [first] = elements;
    deepStrictEqual([...first!.key], [203, 0, 113, 1, 0, 0, 0x20, 1]);
    deepStrictEqual([...first!.data!], [192, 168, 1, 11]);
    strictEqual(first!.timeoutMs, 4_800_000);
    strictEqual(first!.expiresInMs! > 0 && first!.expiresInMs! <= 4_800_000, true);
    deepStrictEqual(first!.counter, { packets: 0, bytes: 0 });
  });

  it('names the set that is asked for', () => {
    const asked = emitWholeSet('throughway', 'esp_in');
    strictEqual(asked[0], 1);
    strictEqual(parseText(asked.subarray(8)), 'throughway');
  });
});
