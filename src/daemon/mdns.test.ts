import { expect, it } from 'vitest';
import type { Ipv4Address } from '../core/address.ts';
import { emitDns, parseDns } from '../core/wire/dns.ts';
import { corpus } from '../../test/corpus/corpus.ts';
import { readAnswer } from './mdns.ts';

const phone = '192.168.1.11' as Ipv4Address;
const answer = corpus('dns', 'avahi-legacy-answer');

it('a device tells its own name, and nobody else does', () => {
  expect(readAnswer(answer, phone)).toEqual(['Ann-Phone', 'local']);
  expect(readAnswer(answer, '192.168.1.12' as Ipv4Address)).toBeNull();
});

it('questions, refusals and noise are no answers', () => {
  const message = parseDns(answer);
  expect(readAnswer(emitDns({ ...message, flags: 0 }), phone)).toBeNull();
  expect(readAnswer(emitDns({ ...message, flags: message.flags | 3 }), phone)).toBeNull();
  expect(readAnswer(answer.subarray(0, 40), phone)).toBeNull();
});
