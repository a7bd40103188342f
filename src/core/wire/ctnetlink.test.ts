import { deepStrictEqual, strictEqual } from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'vitest';
import { corpus } from '../../../test/corpus/corpus.ts';
import {
  damaged,
  ipv4Address,
  ipv6Address,
  readsOrRefuses,
  u16,
  u32,
  u8,
} from '../../../test/wire-properties.ts';
import {
  CT_DELETE,
  CT_NEW,
  type ConntrackEntry,
  type ConntrackTuple,
  EXP_NEW,
  emitConntrackDelete,
  emitConntrackDump,
  emitExpectationDelete,
  glanceAtConntrack,
  hasStatus,
  parseConntrack,
  parseConntrackStats,
  parseExpectation,
} from './ctnetlink.ts';
import { emitAttributes, parseAttributes, parseMessages } from './netlink.ts';

const names = [
  'conntrack-udp-masquerade',
  'conntrack-udp-zone',
  'conntrack-tcp-pptp',
  'conntrack-gre-pptp',
  'conntrack-esp-zone',
  'conntrack-icmp',
  'conntrack-icmpv6',
] as const;

function payload(name: string, type: number): Uint8Array {
  const [message] = parseMessages(corpus('netlink', name));
  strictEqual(message!.type, type);
  return message!.payload;
}
const entry = (name: (typeof names)[number]): ConntrackEntry => parseConntrack(payload(name, CT_NEW))!;

const none = { sourcePort: null, destinationPort: null, icmp: null, zone: null };
const client = { family: 4, source: '10.1.0.2', destination: '10.2.0.2' };
const server = { family: 4, source: '10.2.0.2', destination: '10.2.0.1' };

describe('conntrack corpus', () => {
  it('reads a masqueraded and answered UDP entry whole', () => {
    const { id, startedUnixMs, ...rest } = entry('conntrack-udp-masquerade');
    strictEqual(new Date(startedUnixMs!).getUTCFullYear() >= 2025, true);
    strictEqual(id > 0, true);
    deepStrictEqual(rest, {
      original: { ...none, ...client, protocol: 17, sourcePort: 500, destinationPort: 500 },
      reply: { ...none, ...server, protocol: 17, sourcePort: 500, destinationPort: 500 },
      zone: 0,
      status: 0x19e,
      timeoutSeconds: 114,
      mark: 42,
      tcpState: null,
      helper: null,
      master: null,
      counters: { original: { packets: 3, bytes: 99 }, reply: { packets: 3, bytes: 99 } },
      stoppedUnixMs: null,
    });
  });

  it('reads the bits of the status', () => {
    const pptp = entry('conntrack-tcp-pptp');
    for (const bit of ['seenReply', 'assured', 'confirmed', 'sourceNat', 'helper'] as const) {
      strictEqual(hasStatus(pptp, bit), true, bit);
    }
    for (const bit of ['expected', 'destinationNat', 'dying', 'offload'] as const) {
      strictEqual(hasStatus(pptp, bit), false, bit);
    }
    strictEqual(hasStatus(entry('conntrack-gre-pptp'), 'expected'), true);
  });

  it('reads helper and state of a control connection, and its GRE with Call IDs and master', () => {
    const control = entry('conntrack-tcp-pptp');
    deepStrictEqual([control.helper, control.tcpState], ['pptp', 3]);
    const gre = entry('conntrack-gre-pptp');
    deepStrictEqual(gre.original, {
      ...none,
      ...client,
      protocol: 47,
      sourcePort: 0x4000,
      destinationPort: 0x7777,
    });
    // The kernel has given the client's Call ID the number of its TCP port.
    deepStrictEqual(gre.reply, {
      ...none,
      ...server,
      protocol: 47,
      sourcePort: 0x7777,
      destinationPort: control.original.sourcePort,
    });
    deepStrictEqual(gre.master, control.original);
  });

  it('reads zones: of one direction, and of both', () => {
    const esp = entry('conntrack-esp-zone');
    deepStrictEqual([esp.zone, esp.original.zone, esp.reply.zone], [0, 7, null]);
    deepStrictEqual([esp.original.sourcePort, esp.original.icmp], [null, null]);
    const udp = entry('conntrack-udp-zone');
    deepStrictEqual([udp.zone, udp.original.zone, udp.reply.zone], [9, null, null]);
  });

  it('reads ICMP of both families', () => {
    deepStrictEqual(entry('conntrack-icmp').original.icmp, { id: 0x77, type: 8, code: 0 });
    const v6 = entry('conntrack-icmpv6').original;
    deepStrictEqual(v6, {
      ...none,
      family: 6,
      source: '2001:db8:1::2',
      destination: '2001:db8:2::2',
      protocol: 58,
      icmp: { id: 0x78, type: 128, code: 0 },
    });
  });

  it('reads an entry that is gone: no timeout, but when it ended', () => {
    const gone = parseConntrack(payload('conntrack-destroy', CT_DELETE))!;
    deepStrictEqual(gone.original, entry('conntrack-udp-masquerade').original);
    strictEqual(hasStatus(gone, 'dying'), true);
    strictEqual(gone.stoppedUnixMs! > gone.startedUnixMs!, true);
  });

  it('reads what a helper waits for', () => {
    const { master, tuple, mask, zone, helper } = parseExpectation(payload('expectation-pptp', EXP_NEW))!;
    deepStrictEqual([master.protocol, master.destinationPort], [6, 1723]);
    deepStrictEqual([tuple.protocol, tuple.source, tuple.sourcePort], [47, '10.2.0.2', 0x7777]);
    deepStrictEqual([mask.source, mask.sourcePort], ['255.255.255.255', 0xffff]);
    deepStrictEqual([zone, helper], [0, 'pptp']);
  });

  it('reads the count and the limit', () => {
    const [message] = parseMessages(corpus('netlink', 'conntrack-stats'));
    deepStrictEqual(parseConntrackStats(message!.payload), { entries: 7, maxEntries: 262144 });
  });
});

describe('conntrack, any bytes', () => {
  it('are refused with a WireError or read, and nothing else', () => {
    const entries = fc.constantFrom(...names).map((name) => payload(name, CT_NEW));
    readsOrRefuses(parseConntrack, damaged(entries));
    readsOrRefuses(parseConntrack);
    readsOrRefuses(parseExpectation, damaged(fc.constant(payload('expectation-pptp', EXP_NEW))));
    readsOrRefuses(parseConntrackStats);
  });
});

describe('conntrack requests', () => {
  const ports = { sourcePort: u16, destinationPort: u16, icmp: fc.constant(null) };
  const icmp = {
    sourcePort: fc.constant(null),
    destinationPort: fc.constant(null),
    icmp: fc.record({ id: u16, type: u8, code: u8 }, { noNullPrototype: true }),
  };
  const zone = fc.option(fc.integer({ min: 1, max: 0xffff }));
  const tupleOf = (family: 4 | 6): fc.Arbitrary<ConntrackTuple> => {
    const address = family === 4 ? ipv4Address : ipv6Address;
    const common = { family: fc.constant(family), source: address, destination: address, protocol: u8, zone };
    return fc.oneof(
      fc.record({ ...common, ...ports }, { noNullPrototype: true }),
      fc.record({ ...common, ...icmp }, { noNullPrototype: true }),
    );
  };
  const pair = fc.oneof(fc.tuple(tupleOf(4), tupleOf(4)), fc.tuple(tupleOf(6), tupleOf(6)));

  it('to delete name the entry with the tuple, zone and id that were read', () => {
    fc.assert(
      fc.property(pair, u16, u32, ([original, reply], zone, id) => {
        const entry = { original, reply, zone, id } as ConntrackEntry;
        const request = emitConntrackDelete(entry);
        // The kernel's answer has the reply's tuple too, as attribute 2.
        const other = parseAttributes(emitConntrackDelete({ ...entry, original: reply }), 4).get(1)!;
        const read = parseConntrack(Uint8Array.of(...request, ...emitAttributes([[2, other]])))!;
        deepStrictEqual(
          { original: read.original, reply: read.reply, zone: read.zone, id: read.id },
          { original, reply, zone, id },
        );
      }),
    );
  });

  it('to delete an expectation name its tuple and id', () => {
    const expectation = parseExpectation(payload('expectation-pptp', EXP_NEW))!;
    const request = parseAttributes(emitExpectationDelete(expectation), 4);
    deepStrictEqual([...request.keys()], [2, 5]);
  });

  it('to list can be filtered by the kernel', () => {
    deepStrictEqual([...emitConntrackDump()], [0, 0, 0, 0]);
    deepStrictEqual([...emitConntrackDump({ family: 6 })], [10, 0, 0, 0]);
    // A filter needs a family.
    deepStrictEqual([...emitConntrackDump({ protocol: 17 })], [0, 0, 0, 0]);
    const filtered = parseAttributes(emitConntrackDump({ family: 4, protocol: 6, destinationPort: 1723 }), 4);
    deepStrictEqual([...filtered.keys()], [1, 25]);
  });
});

describe('a glance at an entry', () => {
  it('sees what the whole entry says', () => {
    for (const name of names) {
      const whole = entry(name).original;
      const glance = glanceAtConntrack(payload(name, CT_NEW))!;
      strictEqual(glance.protocol, whole.protocol, name);
      strictEqual(glance.destinationPort, whole.destinationPort ?? 0, name);
      const quad = whole.family === 4 ? whole.destination.split('.').map(Number) : [0, 0, 0, 0];
      const number = quad.reduce((sum, part) => sum * 256 + part, 0);
      strictEqual(glance.destinationIpv4, number, name);
    }
  });

  it('never throws', () => {
    fc.assert(
      fc.property(damaged(fc.constantFrom(...names).map((name) => payload(name, CT_NEW))), (bytes) => {
        glanceAtConntrack(bytes);
      }),
    );
  });
});
