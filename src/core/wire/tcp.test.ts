import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { corpus, hex } from '../../../test/corpus/corpus.ts';
import {
  bytesUpTo,
  port,
  throwsWire,
  u16,
  u32,
  wireProperties,
  record,
} from '../../../test/wire-properties.ts';
import type { Ipv4Address, Ipv6Address } from '../address.ts';
import { emitTcp, hasValidTcpChecksum, parseTcp } from './tcp.ts';

const client = '192.168.1.10' as Ipv4Address;
const server = '203.0.113.5' as Ipv4Address;
const out = { source: client, destination: server };
const none = {
  cwr: false,
  ece: false,
  urg: false,
  ack: false,
  psh: false,
  rst: false,
  syn: false,
  fin: false,
};

it('reads a SYN with options', () => {
  const bytes = corpus('tcp', 'syn');
  expect(parseTcp(bytes)).toEqual({
    sourcePort: 49152,
    destinationPort: 1723,
    sequence: 0x1000,
    acknowledgment: 0,
    flags: { ...none, syn: true },
    window: 64240,
    checksum: 0xb4b3,
    urgentPointer: 0,
    options: hex('020405b401030307'),
    payload: new Uint8Array(),
  });
  expect(hasValidTcpChecksum(out, bytes)).toBe(true);
  expect(emitTcp(out, parseTcp(bytes))).toEqual(bytes);
});

it('crafts a reset from the few fields it needs', () => {
  const bytes = corpus('tcp', 'reset');
  const { sourcePort, destinationPort, sequence, acknowledgment } = parseTcp(bytes);
  const back = { source: server, destination: client };
  const flags = { rst: true, ack: true };
  expect(emitTcp(back, { sourcePort, destinationPort, sequence, acknowledgment, flags })).toEqual(bytes);
});

it('verifies over IPv6 and notices a changed byte', () => {
  const v6 = { source: '2001:db8::1' as Ipv6Address, destination: '2001:db8::2' as Ipv6Address };
  const bytes = emitTcp(v6, parseTcp(corpus('tcp', 'syn')));
  expect(hasValidTcpChecksum(v6, bytes)).toBe(true);
  bytes[5] = bytes[5]! ^ 1;
  expect(hasValidTcpChecksum(v6, bytes)).toBe(false);
  expect(hasValidTcpChecksum(v6, bytes.subarray(0, 19))).toBe(false);
});

it('refuses a data offset inside the header', () => {
  throwsWire(() => parseTcp(corpus('tcp', 'syn').fill(0x40, 12, 13)), 'malformed');
});

wireProperties('TCP', {
  draft: record({
    sourcePort: port,
    destinationPort: port,
    sequence: u32,
    acknowledgment: u32,
    flags: record({
      cwr: fc.boolean(),
      ece: fc.boolean(),
      urg: fc.boolean(),
      ack: fc.boolean(),
      psh: fc.boolean(),
      rst: fc.boolean(),
      syn: fc.boolean(),
      fin: fc.boolean(),
    }),
    window: u16,
    urgentPointer: u16,
    options: fc.nat(10).chain((words) => fc.uint8Array({ minLength: words * 4, maxLength: words * 4 })),
    payload: bytesUpTo(40),
  }),
  emit: (draft) => emitTcp(out, draft),
  parse: parseTcp,
  expected: (draft, bytes) => ({ ...draft, checksum: (bytes[16]! << 8) | bytes[17]! }),
  openEnd: () => 'payload',
});
