import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Ipv4Address } from '../address.ts';
import { corpus, hex } from '../../../test/corpus/corpus.ts';
import { ipv4Address, record, throwsWire, u16, wireProperties } from '../../../test/wire-properties.ts';
import { arpOperations, emitArp, parseArp } from './arp.ts';

it('reads who answers for an address', () => {
  const bytes = corpus('arp', 'reply');
  expect(parseArp(bytes)).toEqual({
    operation: arpOperations.reply,
    senderMac: hex('0a1b2c3d4e5f'),
    sender: '192.168.1.11' as Ipv4Address,
    targetMac: hex('020000000001'),
    target: '192.168.1.1' as Ipv4Address,
  });
  expect(emitArp(parseArp(bytes))).toEqual(bytes.subarray(0, 28));
});

it('refuses other hardware and other protocols', () => {
  throwsWire(() => parseArp(corpus('arp', 'reply').fill(6, 1, 2)), 'unsupported');
  throwsWire(() => parseArp(corpus('arp', 'reply').fill(0x86, 2, 3)), 'unsupported');
});

const mac = fc.uint8Array({ minLength: 6, maxLength: 6 });

wireProperties('ARP', {
  draft: record({ operation: u16, senderMac: mac, sender: ipv4Address, targetMac: mac, target: ipv4Address }),
  emit: emitArp,
  parse: parseArp,
});
