import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ipv4Bytes,
  ipv4FromBytes,
  ipv6Bytes,
  ipv6FromBytes,
  isInPrefix,
  parseInterfaceName,
  parseIpv4,
  parseIpv6,
} from './address.ts';

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
/** Texts that are near to addresses and names, and others. */
const anyText = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdefF:.%/*"\\ eth-')) }),
);

describe('IPv4', () => {
  it.each(['0.0.0.0', '192.0.2.1', '255.255.255.255'])('reads "%s"', (text) => {
    expect(parseIpv4(text)).toBe(text);
  });
  it.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '01.2.3.4',
    '1.2.3.+4',
    '1.2.3.4 ',
    '1.2.3.4\n',
    '١.2.3.4',
  ])('refuses "%s"', (text) => expect(parseIpv4(text)).toBeNull());
  it('bytes to text and back are the same', () => {
    fc.assert(
      fc.property(bytesOf(4), (bytes) => {
        const address = ipv4FromBytes(bytes);
        expect(ipv4Bytes(address)).toEqual(bytes);
        expect(parseIpv4(address)).toBe(address);
      }),
    );
  });
});

describe('IPv6', () => {
  it.each([
    // RFC 5952 1, 2 and 4.
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8::1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0000:0:1::1', '2001:db8::1:0:0:1'],
    ['2001:DB8:0:0:1::1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['1:0:0:0:0:0:0:0', '1::'],
    // RFC 4291 2.2: the last four bytes as IPv4.
    ['::ffff:192.0.2.128', '::ffff:c000:280'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['0:0:0:0:0:0:13.1.68.3', '::d01:4403'],
  ])('"%s" is "%s"', (text, canonical) => expect(parseIpv6(text)).toBe(canonical));

  it.each([
    '',
    ':',
    ':::',
    '1',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    '1:2:3:4:5:6:7::8',
    '::12345',
    '::g',
    'fe80::1%eth0',
    '[::1]',
    '::1/64',
    ':1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:',
    '::1.2.3',
    '::1.2.3.256',
    '::01.2.3.4',
    '1.2.3.4',
    '1:2:3:4:5:6:7:1.2.3.4',
  ])('refuses "%s"', (text) => expect(parseIpv6(text)).toBeNull());

  it('bytes to text and back are the same, and the text is canonical', () => {
    const sparse = fc
      .array(fc.oneof(fc.constant(0), fc.nat(255)), { minLength: 16, maxLength: 16 })
      .map((bytes) => Uint8Array.from(bytes));
    fc.assert(
      fc.property(fc.oneof(bytesOf(16), sparse), (bytes) => {
        const address = ipv6FromBytes(bytes);
        expect(ipv6Bytes(address)).toEqual(bytes);
        expect(parseIpv6(address)).toBe(address);
        expect(address).not.toMatch(/(^|:)0[0-9a-f]|[A-Z]/);
        if (/(^|:)0:0(:|$)/.test(address)) expect(address).toContain('::');
      }),
    );
  });
});

describe('names of interfaces', () => {
  it.each([
    'eth0',
    'ppp0',
    'enp1s0f0np0',
    'br-lan',
    'eth0.100',
    'wg_home',
    'a',
    '0',
    'abcdefghijklmno',
    '{};#',
  ])('reads "%s"', (text) => expect(parseInterfaceName(text)).toBe(text));
  it.each([
    '',
    '.',
    '..',
    'abcdefghijklmnop',
    'a b',
    'a/b',
    'eth0:1',
    'eth*',
    '*',
    'a"b',
    'a\\b',
    'a\tb',
    'eth0\n',
    'a\u0000b',
    'a\u001bb',
    'a\u007fb',
    'äth0',
  ])('refuses %j', (text) => expect(parseInterfaceName(text)).toBeNull());
});

it('any text is read or refused, and what is read can stand in an nft string', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      expect([null, text]).toContain(parseIpv4(text));
      const address = parseIpv6(text);
      if (address !== null) expect(parseIpv6(address)).toBe(address);
      const name = parseInterfaceName(text);
      expect([null, text]).toContain(name);
      if (name !== null) expect(name).toMatch(/^[^"\\*\s\p{Cc}]+$/u);
    }),
    { numRuns: 500 },
  );
});

describe('isInPrefix', () => {
  it.each([
    ['192.168.1.77', '192.168.1.1/24', true],
    ['192.168.2.77', '192.168.1.1/24', false],
    ['10.1.255.1', '10.1.128.0/17', true],
    ['10.1.127.1', '10.1.128.0/17', false],
    ['192.168.1.1', '192.168.1.1/32', true],
    ['203.0.113.9', '0.0.0.0/0', true],
    ['2001:db8:1::11', '2001:db8:1::1/64', true],
    ['2001:db8:2::11', '2001:db8:1::1/64', false],
    ['192.168.1.77', '2001:db8:1::1/64', false],
  ])('%s in %s: %s', (address, prefix, isIn) => {
    expect(isInPrefix((parseIpv4(address) ?? parseIpv6(address))!, prefix)).toBe(isIn);
  });
});
