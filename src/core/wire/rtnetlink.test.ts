import { deepStrictEqual, strictEqual } from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'vitest';
import { corpus } from '../../../test/corpus/corpus.ts';
import { damaged, readsOrRefuses, throwsWire } from '../../../test/wire-properties.ts';
import { parseIpv4 } from '../address.ts';
import { emitAttributes, parseMessages } from './netlink.ts';
import {
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWROUTE,
  emitAddressDump,
  emitLinkDump,
  emitRouteDump,
  emitRouteQuestion,
  parseAddress,
  parseLink,
  parseRoute,
  parseRouteAnswer,
} from './rtnetlink.ts';

function payload(name: string, type: number): Uint8Array {
  const [message] = parseMessages(corpus('netlink', name));
  strictEqual(message!.type, type);
  return message!.payload;
}

const formats = {
  link: { parse: parseLink, type: RTM_NEWLINK, names: ['link-veth', 'link-loopback'] },
  address: {
    parse: parseAddress,
    type: RTM_NEWADDR,
    names: ['address-ipv4-secondary', 'address-ipv4-peer', 'address-ipv6'],
  },
  answer: {
    parse: parseRouteAnswer,
    type: RTM_NEWROUTE,
    names: ['route-default-ipv4', 'route-default-multipath'],
  },
  route: {
    parse: parseRoute,
    type: RTM_NEWROUTE,
    names: ['route-default-ipv4', 'route-default-ipv6', 'route-default-multipath'],
  },
};

describe.each(Object.entries(formats))('rtnetlink %s', (_, { parse, type, names }) => {
  it('refuses bytes with a WireError or reads them, and nothing else', () => {
    readsOrRefuses(parse);
    readsOrRefuses(parse, damaged(fc.constantFrom(...names).map((name) => payload(name, type))));
  });

  it('calls a cut header truncated', () => {
    for (const name of names) {
      for (let length = 1; length < 8; length += 1) {
        throwsWire(() => parse(payload(name, type).subarray(0, length)), 'truncated');
      }
    }
  });
});

describe('rtnetlink corpus', () => {
  it('reads links', () => {
    deepStrictEqual(parseLink(payload('link-veth', RTM_NEWLINK)), {
      family: 0,
      index: 2,
      name: 'lan0',
      up: true,
      running: true,
      loopback: false,
      operationalState: 'up',
      mtuBytes: 1492,
      mac: '02:00:00:00:01:01',
      kind: 'veth',
      masterIndex: null,
      greRemote: null,
    });
    const { name, loopback, operationalState, kind } = parseLink(payload('link-loopback', RTM_NEWLINK));
    deepStrictEqual(
      { name, loopback, operationalState, kind },
      { name: 'lo', loopback: true, operationalState: 'unknown', kind: null },
    );
  });

  it('reads the far end of a GRE tunnel, and that one to anybody has none', () => {
    const text = (word: string): Uint8Array => new TextEncoder().encode(`${word}\0`);
    const link = (kind: string, remote: number[]): Uint8Array => {
      const info = [1, text(kind)] as const;
      const data = [2, [[7, Uint8Array.from(remote)]]] as const;
      const attributes = emitAttributes([
        [3, text('tunnel0')],
        [18, [info, data]],
      ]);
      return Uint8Array.from([...new Uint8Array(16), ...attributes]);
    };
    strictEqual(parseLink(link('gre', [203, 0, 113, 9])).greRemote, '203.0.113.9');
    strictEqual(parseLink(link('gretap', [203, 0, 113, 9])).greRemote, '203.0.113.9');
    strictEqual(parseLink(link('gre', [0, 0, 0, 0])).greRemote, null);
    strictEqual(parseLink(link('vxlan', [203, 0, 113, 9])).greRemote, null);
  });

  it('reads addresses, on a point-to-point link our own', () => {
    const common = { scope: 'global', secondary: false, tentative: false, deprecated: false };
    deepStrictEqual(parseAddress(payload('address-ipv4-secondary', RTM_NEWADDR)), {
      ...common,
      family: 4,
      index: 3,
      address: '10.2.0.3',
      prefixLength: 24,
      secondary: true,
    });
    deepStrictEqual(parseAddress(payload('address-ipv4-peer', RTM_NEWADDR)), {
      ...common,
      family: 4,
      index: 2,
      address: '10.1.0.9',
      prefixLength: 32,
    });
    deepStrictEqual(parseAddress(payload('address-ipv6', RTM_NEWADDR)), {
      ...common,
      family: 6,
      index: 3,
      address: '2001:db8:2::1',
      prefixLength: 64,
    });
  });

  it('reads default routes with all their next hops', () => {
    const common = { prefixLength: 0, destination: null, unicast: true };
    deepStrictEqual(parseRoute(payload('route-default-ipv4', RTM_NEWROUTE)), {
      ...common,
      family: 4,
      table: 254,
      metric: 100,
      hops: [{ gateway: '10.2.0.2', index: 3 }],
    });
    deepStrictEqual(parseRoute(payload('route-default-ipv6', RTM_NEWROUTE)), {
      ...common,
      family: 6,
      table: 254,
      metric: 1024,
      hops: [{ gateway: '2001:db8:2::2', index: 3 }],
    });
    deepStrictEqual(parseRoute(payload('route-default-multipath', RTM_NEWROUTE)), {
      ...common,
      family: 4,
      table: 7,
      metric: 0,
      hops: [
        { gateway: '10.2.0.2', index: 3 },
        { gateway: '2001:db8:2::2', index: 3 },
      ],
    });
  });

  it('leaves other families alone', () => {
    strictEqual(parseAddress(Uint8Array.of(28, 0, 0, 0, 0, 0, 0, 0)), null);
    strictEqual(parseRoute(Uint8Array.of(28, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)), null);
  });
});

describe('where a packet would go', () => {
  it('is asked by source, destination and interface', () => {
    const question = emitRouteQuestion(parseIpv4('192.0.2.1')!, parseIpv4('203.0.113.9')!, 7);
    strictEqual(
      Buffer.from(question).toString('hex'),
      '02202000000000000000000008000100cb00710908000200c00002010800030007000000',
    );
  });

  it('is told by the only hop, if that is of IPv4', () => {
    const answer = parseRouteAnswer(payload('route-default-ipv4', RTM_NEWROUTE));
    const [hop] = parseRoute(payload('route-default-ipv4', RTM_NEWROUTE))!.hops;
    deepStrictEqual(answer, { index: hop!.index, gateway: hop!.gateway });
    strictEqual(parseRouteAnswer(payload('route-default-ipv6', RTM_NEWROUTE)), null);
    strictEqual(parseRouteAnswer(payload('route-default-multipath', RTM_NEWROUTE)), null);
  });

  it('is not plain on a route with metrics of its own, or one that is not unicast', () => {
    const plain = payload('route-default-ipv4', RTM_NEWROUTE);
    const RTA_METRICS = 8;
    const metrics = emitAttributes([[RTA_METRICS, Uint8Array.of(8, 0, 2, 0, 0x78, 5, 0, 0)]]);
    strictEqual(parseRouteAnswer(Uint8Array.from([...plain, ...metrics])), null);
    const BLACKHOLE = 6;
    strictEqual(parseRouteAnswer(plain.map((byte, at) => (at === 7 ? BLACKHOLE : byte))), null);
  });
});

describe('rtnetlink requests', () => {
  it('have the header that strict checking wants, all zero but for the filters', () => {
    // Interface request: IFLA_EXT_MASK 29 = RTEXT_FILTER_SKIP_STATS.
    deepStrictEqual([...emitLinkDump()], [...Array<number>(16).fill(0), 8, 0, 29, 0, 8, 0, 0, 0]);
    deepStrictEqual([...emitAddressDump()], Array<number>(8).fill(0));
    // rtm_type is at byte 7.
    deepStrictEqual([...emitRouteDump()], [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
  });
});
