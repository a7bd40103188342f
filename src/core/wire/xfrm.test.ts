import { deepStrictEqual, strictEqual } from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'vitest';
import { corpus } from '../../../test/corpus/corpus.ts';
import { damaged, readsOrRefuses, throwsWire } from '../../../test/wire-properties.ts';
import { parseMessages } from './netlink.ts';
import { XFRM_MSG_NEWSA, emitSecurityAssociationDump, parseSecurityAssociation } from './xfrm.ts';

const [message] = parseMessages(corpus('netlink', 'xfrm-sa-esp-in-udp'));

describe('xfrm security associations', () => {
  it('reads whose they are', () => {
    strictEqual(message!.type, XFRM_MSG_NEWSA);
    deepStrictEqual(parseSecurityAssociation(message!.payload), {
      family: 4,
      source: '203.0.113.9',
      destination: '198.51.100.1',
      spi: 0xc0ffee01,
      protocol: 50,
      udpEncapsulated: true,
      direction: 'in',
    });
  });

  it('does not know the direction on kernels that do not say', () => {
    const bare = parseSecurityAssociation(message!.payload.subarray(0, 224));
    deepStrictEqual([bare.direction, bare.udpEncapsulated], [null, false]);
  });

  it('reads IPv6', () => {
    const payload = message!.payload.slice();
    payload[212] = 10;
    payload.set([0x20, 0x01, 0x0d, 0xb8, ...Array<number>(11).fill(0), 1], 56);
    strictEqual(parseSecurityAssociation(payload).destination, '2001:db8::1');
  });

  it('refuses bytes with a WireError or reads them, and nothing else', () => {
    readsOrRefuses(parseSecurityAssociation, fc.uint8Array({ minLength: 200, maxLength: 300 }));
    readsOrRefuses(parseSecurityAssociation, damaged(fc.constant(message!.payload)));
    for (let length = 0; length < 224; length += 1) {
      throwsWire(() => parseSecurityAssociation(message!.payload.subarray(0, length)), 'truncated');
    }
  });

  it('asks for all with no payload at all, which the kernel reads as attributes', () => {
    strictEqual(emitSecurityAssociationDump().length, 0);
  });
});
