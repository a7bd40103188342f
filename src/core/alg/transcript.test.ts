import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fact, pairingEffect } from '../../../test/arbitrary-facts.ts';
import { corpus } from '../../../test/corpus/corpus.ts';
import type { Ipv4Address } from '../address.ts';
import { parseIsakmp } from '../wire/isakmp.ts';
import { maskAddresses, TranscriptError } from './transcript-forms.ts';
import {
  parseFact,
  parsePairingEffect,
  parseTranscript,
  renderFact,
  renderLine,
  renderPairingEffect,
} from './transcript.ts';

const client = '192.168.1.11' as Ipv4Address;
const server = '203.0.113.5' as Ipv4Address;

describe('a line', () => {
  it('reads as it was written', () => {
    const lines = [
      'esp-sent client=192.168.1.11 server=203.0.113.5 packet=0x00001001#1+84 held=7',
      'esp-arrived server=203.0.113.5 packet=0xc0001001#17+84',
      'ike from=lan client=192.168.1.11 server=203.0.113.5 port=500 message=v2.0,ikeAuth,id:1,spis:1122334455667788-99aabbccddeeff00,flags:initiator,next:46,length:348,sealed:46-35-316',
    ];
    for (const line of lines) expect(renderFact(parseFact(line))).toBe(line);
    const effect =
      'pair server=203.0.113.5 spi=0x00002001 client=192.168.1.11 confidence=certain trial=false evidence="the only \\"one\\""';
    expect(renderPairingEffect(parsePairingEffect(effect))).toBe(effect);
  });

  it('keeps what is in the clear of a captured message, and only the length of the rest', () => {
    for (const name of ['main-mode-1', 'quick-mode-1', 'ike-sa-init-request', 'ike-auth-response']) {
      const message = parseIsakmp(corpus('isakmp', name));
      const seen = { kind: 'ike', from: 'lan', client, server, port: 500, message, held: null } as const;
      const again = parseFact(renderFact(seen));
      const { encrypted } = message;
      const dark = encrypted && { ...encrypted, bytes: new Uint8Array(encrypted.bytes.length) };
      expect(again).toEqual({ ...seen, message: { ...message, encrypted: dark } });
    }
  });

  it.each([
    ['esp-sunk client=192.168.1.11', '"esp-sunk" is not one of ike, esp-sent'],
    ['esp-sent client=192.168.1.300', '"192.168.1.300" is not an IPv4 address'],
    ['esp-sent held=x', '"x" is not a whole number'],
    ['esp-sent host=1', '"host" is not a field of "esp-sent": client, server, packet, held'],
    ['esp-sent held=1 held=2', '"held" stands twice'],
    ['esp-sent held', '"held" is not of the form key=value'],
    ['pptp message=echo-request:00', 'is no message'],
  ])('is refused when it cannot be read: %s', (line, why) => {
    expect(() => parseFact(line)).toThrow(TranscriptError);
    expect(() => parseFact(line)).toThrow(why);
  });
});

describe('a transcript', () => {
  it('is its lines, without comments', () => {
    const text = '# two\n\n12.345 >> missed copies=3\n  12.350 << release held=1\n';
    const lines = parseTranscript(text);
    expect(lines).toEqual([
      { at: 12_345, mark: '>>', rest: 'missed copies=3' },
      { at: 12_350, mark: '<<', rest: 'release held=1' },
    ]);
    expect(lines.map(renderLine).join('\n')).toBe('12.345 >> missed copies=3\n12.350 << release held=1');
  });

  it('names the line that cannot be read', () => {
    expect(() => parseTranscript('1.000 >> missed copies=1\n1 > x')).toThrow(
      /^line 2: "1 > x" is not of the form/,
    );
  });
});

describe('masked', () => {
  it('gives each address the same other one everywhere, in sentences too', () => {
    const mask = maskAddresses();
    const sent = parseFact('esp-sent client=192.168.1.11 server=203.0.113.5 packet=0x00000001#1+0');
    expect(renderFact(sent, mask)).toBe('esp-sent client=10.0.0.1 server=198.18.0.1 packet=0x00000001#1+0');
    const pair = parsePairingEffect(
      'pair server=203.0.113.6 spi=0x00000001 client=192.168.1.11 evidence="192.168.1.11 and 192.168.1.12 at 203.0.113.5"',
    );
    expect(renderPairingEffect(pair, mask)).toBe(
      'pair server=198.18.0.2 spi=0x00000001 client=10.0.0.1 evidence="10.0.0.1 and 10.0.0.2 at 198.18.0.1"',
    );
    const named = parseFact('recognised server=2a00::1 serverName="vpn.company.example"');
    expect(renderFact(named, mask)).toBe('recognised server=2001:db8::1 serverName="masked.example"');
  });
});

describe('any event', () => {
  it('reads as it was written', () => {
    fc.assert(
      fc.property(fact, (value) => {
        expect(parseFact(renderFact(value))).toEqual(value);
      }),
    );
    fc.assert(
      fc.property(pairingEffect, (value) => {
        expect(parsePairingEffect(renderPairingEffect(value))).toEqual(value);
      }),
    );
  });

  it('is read or refused, and nothing else', () => {
    fc.assert(
      fc.property(fact, fc.nat(200), fc.string({ maxLength: 3 }), (value, at, noise) => {
        const line = renderFact(value);
        const damaged = line.slice(0, at) + noise + line.slice(at + 1);
        try {
          parseFact(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(TranscriptError);
        }
      }),
    );
  });
});
