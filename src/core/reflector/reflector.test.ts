import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WireError } from '../wire/bytes.ts';
import { CROSSINGS, dress, undressDatagram, undressRaw, type Crossing } from './crossings.ts';
import { comesThrough, concludePath, judgeCrossing, type Seen } from './judgement.ts';
import { emitMark, MARK_BYTES, parseMark, type Mark, type Seal } from './mark.ts';

/** No secret at all, and enough to tell one key from another. */
const sealOf =
  (key: number): Seal =>
  (head) =>
    Uint8Array.from({ length: 16 }, (_, index) => (head[index % head.length]! * 31 + key + index) & 0xff);
const seal = sealOf(7);

const datagrams = CROSSINGS.filter(({ carrier }) => carrier === 'udp');
const raw = CROSSINGS.filter(({ carrier }) => carrier === 'esp' || carrier === 'gre');

function inside(crossing: Crossing, payload: Uint8Array): Uint8Array {
  return crossing.carrier === 'udp'
    ? undressDatagram(crossing.port!, payload)
    : undressRaw(crossing.carrier as 'esp' | 'gre', payload).inside;
}

describe('a mark', () => {
  it('is what it was, and of no other key', () => {
    fc.assert(
      fc.property(
        fc.record({
          crossing: fc.nat(255),
          isAnswer: fc.boolean(),
          number: fc.nat(0xffff),
          reply: fc.nat(0xffff_ffff),
        }),
        (mark: Mark) => {
          expect(parseMark(emitMark(mark, seal), seal)).toEqual(mark);
          expect(parseMark(emitMark(mark, sealOf(8)), seal)).toBeNull();
        },
      ),
    );
  });
  it('loses its tag with any octet that is changed', () => {
    const bytes = emitMark({ crossing: 1, isAnswer: false, number: 2, reply: 3 }, seal);
    for (let at = 0; at < MARK_BYTES; at += 1)
      expect(parseMark(bytes.with(at, bytes[at]! ^ 1), seal)).toBeNull();
  });
});

describe('what is sent on a path', () => {
  for (const crossing of [...datagrams, ...raw]) {
    it(`${crossing.id}: is found again, and its answer is no longer`, () => {
      const of = (isAnswer: boolean): Uint8Array => {
        const mark = emitMark({ crossing: CROSSINGS.indexOf(crossing), isAnswer, number: 5, reply: 9 }, seal);
        return dress(crossing, { mark, isAnswer, label: 0x1234, number: 5 });
      };
      const [question, answer] = [of(false), of(true)];
      if (crossing.bytes > 0) expect(question.length).toBe(crossing.bytes);
      expect(answer.length).toBeLessThanOrEqual(question.length);
      expect(parseMark(inside(crossing, question), seal)).toMatchObject({ isAnswer: false, number: 5 });
      expect(parseMark(inside(crossing, answer), seal)).toMatchObject({ isAnswer: true, number: 5 });
    });
  }
  it('any bytes are read or refused with a WireError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        for (const crossing of [...datagrams, ...raw]) {
          try {
            parseMark(inside(crossing, bytes), seal);
          } catch (error) {
            expect(error).toBeInstanceOf(WireError);
          }
        }
      }),
    );
  });
});

describe('what the counts mean', () => {
  const find = (id: string): Crossing => CROSSINGS.find((one) => one.id === id)!;
  const seen = (more: Partial<Seen>): Seen => ({
    sent: 3,
    arrived: 3,
    back: 3,
    from: '198.51.100.2:500',
    sourcePort: 500,
    refusal: null,
    untried: null,
    onlyThere: false,
    ...more,
  });
  const cases: readonly [string, Partial<Seen>, string, string][] = [
    ['ike', {}, 'passes', '3 of 3 went there and back.'],
    ['ike', { from: '198.51.100.2:56' }, 'passes', 'Source port 500 became 56.'],
    ['ike', { back: 2 }, 'losses', '2 answers'],
    ['esp', { arrived: 0, back: 0 }, 'lost there', 'ESP (IP protocol 50)'],
    ['gre', { back: 0 }, 'lost back', 'GRE (IP protocol 47)'],
    ['nat-t', { arrived: 0, back: 0 }, 'lost there', 'UDP 4500'],
    ['ike-fragments', { arrived: 0, back: 0 }, 'lost there', 'drops fragments'],
    ['esp-large', { back: 0 }, 'lost back', 'large packets'],
    ['esp', { back: 0, onlyThere: true }, 'passes', 'from a device'],
    ['esp', { arrived: 0, back: 0, onlyThere: true }, 'lost there', 'ESP'],
    ['tls', { sent: 1, arrived: 0, back: 0, refusal: 'ECONNREFUSED' }, 'refused', 'ECONNREFUSED'],
    ['tls', { sent: 1, arrived: 0, back: 0, refusal: 'ETIMEDOUT' }, 'lost', 'cannot be told'],
    ['tls', { sent: 1, arrived: 1, back: 0 }, 'lost back', 'way back'],
    ['l2tp', { untried: 'UDP 1701 of the far end is in use.' }, 'not tried', 'in use'],
  ];
  for (const [id, more, outcome, words] of cases)
    it(`${id}, ${JSON.stringify(more)}: ${outcome}`, () => {
      const result = judgeCrossing(find(id), seen(more));
      expect(result.outcome).toBe(outcome);
      expect(result.sentence).toContain(words);
    });
  it('is said of the whole in one sentence', () => {
    const good = judgeCrossing(find('ike'), seen({}));
    const bad = judgeCrossing(find('gre'), seen({ back: 0 }));
    const untried = judgeCrossing(find('tls'), seen({ untried: 'In use.' }));
    expect(concludePath([good, untried])).toContain('comes through in both directions');
    expect(concludePath([good, bad])).toContain('PPTP data (GRE) (IP protocol 47): lost back');
    expect([comesThrough([good, untried]), comesThrough([good, bad]), comesThrough([untried])]).toEqual([
      true,
      false,
      false,
    ]);
  });
});
