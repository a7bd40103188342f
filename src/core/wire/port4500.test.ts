import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { corpus, hex } from '../../../test/corpus/corpus.ts';
import { bytesUpTo, record, throwsWire, u32, wireProperties } from '../../../test/wire-properties.ts';
import type { Spi } from './esp.ts';
import { emitPort4500, parsePort4500, type Port4500Payload } from './port4500.ts';

it('tells IKE, ESP and keepalives apart', () => {
  expect(parsePort4500(corpus('port4500', 'ike'))).toEqual({
    kind: 'ike',
    bytes: hex('a1b2c3d4e5f607180000000000000000'),
  });
  expect(parsePort4500(corpus('port4500', 'esp'))).toEqual({
    kind: 'esp',
    packet: { spi: 0xc0ffee01, sequence: 2, rest: hex('a0a1a2a3') },
  });
  expect(parsePort4500(corpus('port4500', 'keepalive'))).toEqual({ kind: 'keepalive' });
});

it('takes no other single octet for a keepalive', () => {
  throwsWire(() => parsePort4500(hex('00')), 'truncated');
  throwsWire(() => parsePort4500(hex('ffff')), 'truncated');
});

it('reads ESP cut behind its header', () => {
  expect(parsePort4500(corpus('port4500', 'esp').subarray(0, 8))).toMatchObject({
    kind: 'esp',
    packet: { spi: 0xc0ffee01, rest: new Uint8Array() },
  });
});

// An SPI that begins with 0xff has a keepalive for its first octet, and ESP's open end is a level
// deeper, so the general property on cuts is tried on IKE, and identity on all three.
const ike = record<Port4500Payload>({ kind: fc.constant('ike' as const), bytes: bytesUpTo(40) });

wireProperties('IKE on port 4500', {
  draft: ike,
  emit: emitPort4500,
  parse: parsePort4500,
  openEnd: () => 'bytes',
});

it('reads any ESP it emitted', () => {
  const spi = fc.integer({ min: 1, max: 0xffffffff }).map((value) => value as Spi);
  fc.assert(
    fc.property(record({ spi, sequence: u32, rest: bytesUpTo(20) }), (packet) => {
      expect(parsePort4500(emitPort4500({ kind: 'esp', packet }))).toEqual({ kind: 'esp', packet });
    }),
  );
  expect(emitPort4500({ kind: 'keepalive' })).toEqual(hex('ff'));
});
