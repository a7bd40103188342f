import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { corpus, hex } from '../../../test/corpus/corpus.ts';
import {
  bytesUpTo,
  ipv6Address,
  record,
  throwsWire,
  u8,
  wireProperties,
} from '../../../test/wire-properties.ts';
import { parseEsp } from './esp.ts';
import { ipProtocols } from './ipv4.ts';
import { emitIpv6Packet, ipv6Extensions, parseIpv6Packet } from './ipv6.ts';

it('walks over options to the upper protocol', () => {
  const packet = parseIpv6Packet(corpus('ipv6', 'esp-after-options'));
  expect(packet).toMatchObject({
    trafficClass: 0xb8,
    flowLabel: 0x12345,
    payloadLength: 40,
    nextHeader: ipv6Extensions.hopByHop,
    hopLimit: 63,
    source: '2001:db8::10',
    destination: '2001:db8:1::5',
    fragment: null,
    protocol: ipProtocols.esp,
  });
  expect(parseEsp(packet.payload)).toEqual({ spi: 0xc0ffee01, sequence: 1, rest: hex('a0a1a2a3a4a5a6a7') });
});

it('reads what a first fragment begins with', () => {
  expect(parseIpv6Packet(corpus('ipv6', 'first-fragment'))).toMatchObject({
    fragment: { offset: 0, moreFragments: true, identification: 0xdeadbeef },
    protocol: ipProtocols.udp,
    payload: hex('1194119407080000'),
  });
});

it('takes nothing in a later fragment for an extension header', () => {
  const packet = parseIpv6Packet(corpus('ipv6', 'last-fragment'));
  expect(packet).toMatchObject({
    fragment: { offset: 1232, moreFragments: false },
    protocol: ipv6Extensions.destinationOptions,
  });
  expect(packet.payload).toHaveLength(16);
});

it('refuses other versions, jumbograms, and extension headers cut short', () => {
  const bytes = corpus('ipv6', 'esp-after-options');
  throwsWire(() => parseIpv6Packet(bytes.subarray(0, 60)), 'truncated');
  throwsWire(() => parseIpv6Packet(bytes.fill(0, 4, 6)), 'unsupported');
  throwsWire(() => parseIpv6Packet(bytes.fill(0x45, 0, 1)), 'unsupported');
});

const extensions: readonly number[] = Object.values(ipv6Extensions);

wireProperties('IPv6', {
  draft: record({
    trafficClass: u8,
    flowLabel: fc.nat(0xfffff),
    hopLimit: u8,
    source: ipv6Address,
    destination: ipv6Address,
    protocol: u8.filter((protocol) => !extensions.includes(protocol)),
    payload: bytesUpTo(40),
  }),
  emit: emitIpv6Packet,
  parse: parseIpv6Packet,
  expected: (draft) => ({
    ...draft,
    payloadLength: draft.payload.length,
    nextHeader: draft.protocol,
    fragment: null,
  }),
  openEnd: () => 'payload',
});
