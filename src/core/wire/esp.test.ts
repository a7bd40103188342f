import { expect, it } from 'vitest';
import { corpus } from '../../../test/corpus/corpus.ts';
import { bytesUpTo, throwsWire, u32, wireProperties, record } from '../../../test/wire-properties.ts';
import { emitEsp, parseEsp, type Spi } from './esp.ts';

it('reads the two fields in the clear', () => {
  const packet = parseEsp(corpus('esp', 'first-packet'));
  expect(packet).toMatchObject({ spi: 0xc0ffee01, sequence: 1 });
  expect(packet.rest).toHaveLength(32);
});

it('refuses SPI 0', () => {
  throwsWire(() => parseEsp(new Uint8Array(8)), 'malformed');
});

wireProperties('ESP', {
  draft: record({
    spi: u32.filter((spi) => spi !== 0).map((spi) => spi as Spi),
    sequence: u32,
    rest: bytesUpTo(40),
  }),
  emit: emitEsp,
  parse: parseEsp,
  openEnd: () => 'rest',
});
