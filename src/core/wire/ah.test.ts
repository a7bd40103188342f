import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { corpus, hex } from '../../../test/corpus/corpus.ts';
import { bytesUpTo, throwsWire, u32, u8, wireProperties, record } from '../../../test/wire-properties.ts';
import { emitAh, parseAh } from './ah.ts';
import { parseEsp, type Spi } from './esp.ts';
import { ipProtocols } from './ipv4.ts';

it('reads the header and finds what it protects', () => {
  const bytes = corpus('ah', 'over-esp');
  const packet = parseAh(bytes);
  expect(packet).toMatchObject({
    nextHeader: ipProtocols.esp,
    spi: 0x0badcafe,
    sequence: 7,
    integrityValue: hex('101112131415161718191a1b'),
  });
  expect(parseEsp(packet.payload).spi).toBe(0xc0ffee01);
  expect(emitAh(packet)).toEqual(bytes);
});

it('refuses a header shorter than its fields, and SPI 0', () => {
  throwsWire(() => parseAh(corpus('ah', 'over-esp').fill(0, 1, 2)), 'malformed');
  throwsWire(() => parseAh(corpus('ah', 'over-esp').fill(0, 4, 8)), 'malformed');
});

wireProperties('AH', {
  draft: record({
    nextHeader: u8,
    spi: u32.filter((spi) => spi !== 0).map((spi) => spi as Spi),
    sequence: u32,
    integrityValue: fc.nat(8).chain((words) => fc.uint8Array({ minLength: words * 4, maxLength: words * 4 })),
    payload: bytesUpTo(40),
  }),
  emit: emitAh,
  parse: parseAh,
  openEnd: () => 'payload',
});
