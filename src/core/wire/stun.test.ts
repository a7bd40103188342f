import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { corpus, hex } from '../../../test/corpus/corpus.ts';
import {
  bytesOf,
  bytesUpTo,
  ipv4Address,
  port,
  record,
  throwsWire,
  u16,
  wireProperties,
} from '../../../test/wire-properties.ts';
import {
  emitStun,
  mappedAddress,
  parseStun,
  stunMappedAddress,
  stunTypes,
  xorMappedAddress,
  type StunMessage,
} from './stun.ts';

it('reads the sample response of RFC 5769', () => {
  const message = parseStun(corpus('stun', 'rfc5769-ipv4-response'));
  expect(message.type).toBe(stunTypes.bindingSuccess);
  expect(message.transactionId).toEqual(hex('b7e7a701bc34d686fa87dfae'));
  expect(message.attributes.map(({ type }) => type)).toEqual([0x8022, 0x0020, 0x0008, 0x8028]);
  expect(message.attributes[0]!.value).toEqual(new TextEncoder().encode('test vector'));
  expect(stunMappedAddress(message)).toEqual({ address: '192.0.2.1', port: 32853 });
});

it('reads the plain attribute, and prefers the XORed one', () => {
  const plain = parseStun(corpus('stun', 'mapped-address'));
  const found = stunMappedAddress(plain)!;
  expect(found).toEqual({ address: '192.0.2.1', port: 32853 });
  expect(mappedAddress(found)).toEqual(plain.attributes[0]);
  const other = { ...found, port: found.port + 1 } as typeof found;
  const both = { ...plain, attributes: [mappedAddress(other), xorMappedAddress(found)] };
  expect(stunMappedAddress(both)).toEqual(found);
});

it('finds no address where there is none of IPv4', () => {
  const request = { type: stunTypes.bindingRequest, transactionId: new Uint8Array(12), attributes: [] };
  expect(stunMappedAddress(request)).toBeNull();
  const ipv6 = { type: 0x0020, value: hex('0002 a147 00112233445566778899aabbccddeeff') };
  expect(stunMappedAddress({ ...request, attributes: [ipv6] })).toBeNull();
});

it('gives back any address it XORed', () => {
  fc.assert(
    fc.property(record({ address: ipv4Address, port }), (address) => {
      const attributes = [xorMappedAddress(address)];
      const message = { type: stunTypes.bindingSuccess, transactionId: new Uint8Array(12), attributes };
      expect(stunMappedAddress(message)).toEqual(address);
    }),
  );
});

it('refuses what cannot be STUN', () => {
  const spoiled = (at: number, byte: number): Uint8Array =>
    corpus('stun', 'mapped-address').fill(byte, at, at + 1);
  throwsWire(() => parseStun(spoiled(0, 0x41)), 'malformed');
  throwsWire(() => parseStun(spoiled(3, 13)), 'malformed');
  throwsWire(() => parseStun(spoiled(3, 8)), 'malformed');
  throwsWire(() => parseStun(spoiled(4, 0x22)), 'malformed');
  throwsWire(() => parseStun(spoiled(23, 9)), 'malformed');
  throwsWire(() => parseStun(Uint8Array.of(...corpus('stun', 'mapped-address'), 0)), 'malformed');
});

wireProperties('STUN', {
  draft: record<StunMessage>({
    type: fc.nat(0x3fff),
    transactionId: bytesOf(12),
    attributes: fc.array(record({ type: u16, value: bytesUpTo(20) }), { maxLength: 4 }),
  }),
  emit: emitStun,
  parse: parseStun,
});
