import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'vitest';
import {
  bytesUpTo,
  damaged,
  ipv4Address,
  port,
  readsOrRefuses,
  throwsWire,
} from '../../../test/wire-properties.ts';
import type { Ipv4Address } from '../address.ts';
import { forwardIpv4, fragmentIpv4 } from './forwarded.ts';
import { emitIpv4Packet, ipProtocols, parseIpv4Packet } from './ipv4.ts';
import { emitUdp, hasValidUdpChecksum, parseUdp } from './udp.ts';

const [server, wan, device] = ['203.0.113.1', '198.51.100.2', '192.168.1.11'] as Ipv4Address[];
const datagram = (payload: Uint8Array): Uint8Array => {
  const ends = { source: server!, destination: wan! };
  const udp = emitUdp(ends, { sourcePort: 500, destinationPort: 56, payload });
  return emitIpv4Packet({ ...ends, protocol: ipProtocols.udp, payload: udp });
};

describe('forwardIpv4', () => {
  it('changes address, port and time to live, and keeps the UDP checksum right', () => {
    fc.assert(
      fc.property(bytesUpTo(60), ipv4Address, port, (payload, destination, destinationPort) => {
        const sent = forwardIpv4(datagram(payload), { destination, destinationPort });
        const packet = parseIpv4Packet(sent);
        strictEqual(packet.ttl, 63);
        strictEqual(packet.destination, destination);
        ok(hasValidUdpChecksum(packet, packet.payload));
        const udp = parseUdp(packet.payload);
        strictEqual(udp.destinationPort, destinationPort);
        deepStrictEqual(udp.payload, payload);
      }),
    );
  });

  it('refuses what is cut, and what has come to the end of its time', () => {
    const whole = datagram(new Uint8Array(40));
    throwsWire(() => forwardIpv4(whole.subarray(0, 50), {}), 'truncated');
    const last = emitIpv4Packet({ ...parseIpv4Packet(whole), ttl: 1 });
    throwsWire(() => forwardIpv4(last, { destination: device! }), 'malformed');
    readsOrRefuses((bytes) => forwardIpv4(bytes, { destination: device! }));
    readsOrRefuses((bytes) => forwardIpv4(bytes, { source: wan! }), damaged(bytesUpTo(60).map(datagram)));
  });
});

describe('fragmentIpv4', () => {
  it('cuts a packet that can be put together again', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4000 }), fc.integer({ min: 68, max: 1500 }), (payload, mtu) => {
        const fragments = fragmentIpv4(
          emitIpv4Packet({ protocol: 50, source: server!, destination: device!, payload }),
          mtu,
        )!;
        const whole = new Uint8Array(payload.length);
        for (const [index, fragment] of fragments.entries()) {
          ok(fragment.length <= mtu);
          const packet = parseIpv4Packet(fragment);
          strictEqual(packet.moreFragments, index < fragments.length - 1);
          whole.set(packet.payload, packet.fragmentOffset);
        }
        deepStrictEqual(whole, payload);
      }),
    );
  });

  it('cuts nothing that must stay whole', () => {
    const payload = new Uint8Array(2000);
    const draft = { protocol: 50, source: server!, destination: device!, payload, dontFragment: true };
    strictEqual(fragmentIpv4(emitIpv4Packet(draft), 1280), null);
  });
});
