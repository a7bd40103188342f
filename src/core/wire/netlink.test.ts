import { deepStrictEqual, strictEqual } from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'vitest';
import { corpus } from '../../../test/corpus/corpus.ts';
import { bytesUpTo, damaged, readsOrRefuses, throwsWire, u16, u32 } from '../../../test/wire-properties.ts';
import {
  type AttributeList,
  NLMSG_DONE,
  NLMSG_ERROR,
  type NetlinkMessage,
  emitAttributes,
  emitHostU32,
  emitMessage,
  parseAttributes,
  parseHostU32,
  parseMessages,
  parseOutcome,
  parseText,
} from './netlink.ts';

const messageOf = (type: fc.Arbitrary<number>): fc.Arbitrary<NetlinkMessage> =>
  fc.record(
    { type, flags: u16, sequence: u32, portId: u32, payload: bytesUpTo(60) },
    { noNullPrototype: true },
  );
const message = messageOf(u16);
const outcome = messageOf(fc.constantFrom(NLMSG_ERROR, NLMSG_DONE));
const join = (parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));
const only = (name: string): NetlinkMessage => parseMessages(corpus('netlink', name))[0]!;

describe('netlink messages', () => {
  it('reads what it emitted, several in a datagram', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 5 }), (messages) => {
        deepStrictEqual(parseMessages(join(messages.map(emitMessage))), messages);
      }),
    );
  });

  it('refuses bytes with a WireError or reads them, and nothing else', () => {
    readsOrRefuses(parseMessages);
    readsOrRefuses(parseMessages, damaged(message.map(emitMessage)));
  });

  it('calls every strict prefix of a message truncated', () => {
    fc.assert(
      fc.property(message, (value) => {
        const bytes = emitMessage(value).subarray(0, 16 + value.payload.length);
        for (let length = 1; length < bytes.length; length += 1) {
          throwsWire(() => parseMessages(bytes.subarray(0, length)), 'truncated');
        }
      }),
      { numRuns: 40 },
    );
  });

  it('refuses a length that would stand still', () => {
    throwsWire(() => parseMessages(new Uint8Array(16)), 'malformed');
  });
});

describe('netlink attributes', () => {
  const attributes = fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 0x3fff }), bytesUpTo(20)), {
    selector: ([type]) => type,
    maxLength: 6,
  });

  it('reads what it emitted, also nested', () => {
    fc.assert(
      fc.property(attributes, attributes, (outer, inner) => {
        const list: AttributeList = [...outer.filter(([type]) => type !== 7), [7, inner]];
        const read = parseAttributes(emitAttributes(list));
        strictEqual(read.size, list.length);
        for (const [type, value] of outer) if (type !== 7) deepStrictEqual(read.get(type), value);
        deepStrictEqual([...parseAttributes(read.get(7)!)], inner);
      }),
    );
  });

  it('refuses bytes with a WireError or reads them, and nothing else', () => {
    readsOrRefuses(parseAttributes);
    readsOrRefuses(parseAttributes, damaged(attributes.map(emitAttributes)));
    readsOrRefuses((bytes) => parseAttributes(bytes, 30));
  });

  it('keeps numbers of 32 bits without a sign', () => {
    fc.assert(fc.property(u32, (value) => strictEqual(parseHostU32(emitHostU32(value)), value)));
  });

  it('reads names in UTF-8, and others byte by byte', () => {
    strictEqual(parseText(new TextEncoder().encode('büro0\0\0\0')), 'büro0');
    strictEqual(parseText(Uint8Array.of(0x65, 0xff, 0)), 'e\xff');
    fc.assert(fc.property(bytesUpTo(16), (bytes) => typeof parseText(bytes) === 'string'));
  });
});

describe('how a request ended', () => {
  it('reads an acknowledgement', () => {
    deepStrictEqual(parseOutcome(only('ack')), { errno: 0, text: null });
  });

  it.each(['error-whole', 'error-capped'])('reads the reason of a refusal: %s', (name) => {
    deepStrictEqual(parseOutcome(only(name)), { errno: 22, text: 'ipv4: Invalid prefix length' });
  });

  it('reads the reason why a dump was refused, which comes as its end', () => {
    const refusal = only('done-refused');
    strictEqual(refusal.type, NLMSG_DONE);
    deepStrictEqual(parseOutcome(refusal), {
      errno: 22,
      text: 'Invalid values in header for FIB dump request',
    });
  });

  it('refuses bytes with a WireError or reads them, and nothing else', () => {
    fc.assert(
      fc.property(outcome, (value) => {
        readsOrRefuses(() => parseOutcome(value), fc.constant(value.payload));
      }),
      { numRuns: 50 },
    );
    readsOrRefuses(
      (bytes) => parseMessages(bytes).map(parseOutcome),
      damaged(
        fc.constantFrom('error-whole', 'error-capped', 'done-refused').map((name) => corpus('netlink', name)),
      ),
    );
  });
});
