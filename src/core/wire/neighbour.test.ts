import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { corpus } from '../../../test/corpus/corpus.ts';
import { damaged, readsOrRefuses, throwsWire } from '../../../test/wire-properties.ts';
import { emitNeighbourDump, parseNeighbour } from './neighbour.ts';
import { parseMessages } from './netlink.ts';

const RTM_NEWNEIGH = 28;

function payload(name: string): Uint8Array {
  const [message] = parseMessages(corpus('netlink', `neighbour-${name}`));
  expect(message!.type).toBe(RTM_NEWNEIGH);
  return message!.payload;
}

describe('neighbours', () => {
  it('have an interface, an address and a hardware address', () => {
    const common = { index: 3, mac: '02:00:00:00:00:0b' };
    expect(parseNeighbour(payload('ipv4'))).toEqual({ ...common, address: '192.168.1.11' });
    expect(parseNeighbour(payload('ipv6'))).toEqual({ ...common, address: '2001:db8:1::11' });
  });

  it('are none as long as nobody has answered', () => {
    expect(parseNeighbour(payload('failed'))).toBeNull();
  });

  it('refuse bytes with a WireError or read them, and nothing else', () => {
    readsOrRefuses(parseNeighbour);
    readsOrRefuses(parseNeighbour, damaged(fc.constantFrom('ipv4', 'ipv6', 'failed').map(payload)));
    for (let length = 0; length < 12; length += 1) {
      throwsWire(() => parseNeighbour(payload('ipv4').subarray(0, length)), 'truncated');
    }
    // All families, all interfaces.
    expect(emitNeighbourDump()).toEqual(new Uint8Array(12));
  });
});
