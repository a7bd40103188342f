import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { corpus, hex } from '../../../test/corpus/corpus.ts';
import { bytesUpTo, record, throwsWire, u16, u32, wireProperties } from '../../../test/wire-properties.ts';
import {
  dnsFlags,
  dnsTypes,
  emitDns,
  parseDns,
  reverseName,
  type DnsMessage,
  type DnsName,
  type DnsQuestion,
  type DnsRecord,
} from './dns.ts';

const phone = ['11', '1', '168', '192', 'in-addr', 'arpa'];

it("reads Avahi's answer, the name compressed", () => {
  const { id, flags, questions, answers } = parseDns(corpus('dns', 'avahi-legacy-answer'));
  expect([id, flags]).toEqual([0x1234, dnsFlags.response | dnsFlags.authoritative]);
  expect(questions).toEqual([{ name: phone, type: dnsTypes.ptr, class: 1, unicast: true }]);
  expect(answers).toEqual([
    {
      name: phone,
      type: dnsTypes.ptr,
      class: 1,
      cacheFlush: false,
      ttlSeconds: 10,
      target: ['Ann-Phone', 'local'],
      data: new Uint8Array(),
    },
  ]);
});

it('writes the question for the name of an address', () => {
  const bytes = corpus('dns', 'reverse-question');
  expect(emitDns(parseDns(bytes))).toEqual(bytes);
  expect(parseDns(bytes).questions[0]!.name).toEqual(reverseName('192.168.1.11'));
});

it('follows pointers to pointers', () => {
  const { answers } = parseDns(corpus('dns', 'chained-pointers'));
  expect(answers.map(({ name }) => name.join('.'))).toEqual(['b.a.ff', 'c.b.a.ff']);
  expect(answers[0]).toMatchObject({ target: null, data: hex('c0000201') });
  expect(answers[1]!.target).toEqual(['d', 'c', 'b', 'a', 'ff']);
});

it('knows the names of IPv6 addresses, and of nothing else', () => {
  expect(reverseName('2001:db8::11')!.join('.')).toBe(
    '1.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa',
  );
  expect(reverseName('phone')).toBeNull();
});

it('ends at names that go round, run away or lie', () => {
  const question = (name: string): Uint8Array => hex(`0000 0000 0001 0000 0000 0000 ${name} 000c 0001`);
  // To itself, forward, and into the header.
  for (const name of ['c00c', '0161 c00c', 'c00e 00', 'c0ff']) {
    throwsWire(() => parseDns(question(name)), 'malformed');
  }
  // Reserved types of labels, and bytes that are not UTF-8.
  for (const name of ['41 61 00', '80 61 00', '01 ff 00']) {
    throwsWire(() => parseDns(question(name)), 'malformed');
  }
  // 128 labels of one byte: 256 with the root.
  throwsWire(() => parseDns(question(`${'0161'.repeat(128)}00`)), 'malformed');
  expect(parseDns(question(`${'0161'.repeat(127)}00`)).questions[0]!.name).toHaveLength(127);
});

it('refuses what follows the last record, and a PTR of another length than its name', () => {
  const answer = corpus('dns', 'avahi-legacy-answer');
  throwsWire(() => parseDns(Uint8Array.of(...answer, 0)), 'malformed');
  const length = answer.length - 18;
  throwsWire(() => parseDns(Uint8Array.of(...answer, 0).fill(18, length, length + 1)), 'malformed');
  throwsWire(() => parseDns(answer.slice(0, -1).fill(16, length, length + 1)), 'malformed');
});

const label = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 12 }),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 4 }),
  )
  .filter((text) => text.isWellFormed() && new TextEncoder().encode(text).length <= 63);
const name: fc.Arbitrary<DnsName> = fc.array(label, { maxLength: 4 });
const word = fc.nat(0x7fff);
const dnsRecord: fc.Arbitrary<DnsRecord> = fc
  .record(
    {
      name,
      type: u16,
      class: word,
      cacheFlush: fc.boolean(),
      ttlSeconds: u32,
      target: name,
      data: bytesUpTo(20),
    },
    { noNullPrototype: true },
  )
  .map((one) => (one.type === dnsTypes.ptr ? { ...one, data: new Uint8Array() } : { ...one, target: null }));
const pointer = dnsRecord.chain((one) =>
  name.map((target) => ({ ...one, type: dnsTypes.ptr, target, data: new Uint8Array() })),
);
const records = fc.array(fc.oneof(dnsRecord, pointer), { maxLength: 3 });

wireProperties('DNS', {
  draft: record<DnsMessage>({
    id: u16,
    flags: u16,
    questions: fc.array(record<DnsQuestion>({ name, type: u16, class: word, unicast: fc.boolean() }), {
      maxLength: 3,
    }),
    answers: records,
    authorities: records,
    additionals: records,
  }),
  emit: emitDns,
  parse: parseDns,
});
