import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'vitest';
import { corpus } from '../../../test/corpus/corpus.ts';
import { bytesUpTo, damaged } from '../../../test/wire-properties.ts';
import { parseIpv4, type Ipv4Address, type Port } from '../address.ts';
import type { ConntrackEntry, ConntrackTuple } from '../wire/ctnetlink.ts';
import { emitEsp, type Spi } from '../wire/esp.ts';
import { emitIpv4Packet, ipProtocols } from '../wire/ipv4.ts';
import { emitIsakmp, exchangeTypes } from '../wire/isakmp.ts';
import { emitPort4500 } from '../wire/port4500.ts';
import { emitTcp } from '../wire/tcp.ts';
import { emitUdp } from '../wire/udp.ts';
import { COPY_KINDS, type CopyKind } from './copy.ts';
import type { EspElement } from './esp-element.ts';
import type { Fact } from './fact.ts';
import { Observer } from './observer.ts';

const [device, other, server, wan] = ['192.168.1.11', '192.168.1.12', '203.0.113.1', '198.51.100.2'].map(
  (text) => parseIpv4(text)!,
) as [Ipv4Address, Ipv4Address, Ipv4Address, Ipv4Address];
const { udp, tcp, esp, gre } = ipProtocols;

function observer(): Observer {
  const made = new Observer();
  const isLan = (address: string): boolean => address.startsWith('192.168.1.');
  made.handle({ kind: 'territory', territory: { wanAddress: wan, isLan } }, 0);
  return made;
}

const copy = (to: Observer, what: CopyKind, packet: Uint8Array, held: number | null = null): Fact[] =>
  to.handle({ kind: 'copy', what, packet, held }, 0);

const ip = (
  protocol: number,
  source: Ipv4Address,
  destination: Ipv4Address,
  payload: Uint8Array,
): Uint8Array => emitIpv4Packet({ protocol, source, destination, payload });

function datagram(
  source: Ipv4Address,
  sourcePort: number,
  destination: Ipv4Address,
  destinationPort: number,
  payload: Uint8Array,
): Uint8Array {
  return ip(
    udp,
    source,
    destination,
    emitUdp({ source, destination }, { sourcePort, destinationPort, payload }),
  );
}

const ike = emitIsakmp({
  header: {
    initiatorSpi: 0xc0ffeen,
    responderSpi: 0n,
    majorVersion: 2,
    minorVersion: 0,
    exchangeType: exchangeTypes.ikeAuth,
    flags: { initiator: true },
    messageId: 1,
  },
  payloads: [],
  encrypted: { payloadType: 46, firstPayload: 35, bytes: new Uint8Array(60) },
});

const tuple = (
  protocol: number,
  source: Ipv4Address,
  sourcePort: number,
  destination: Ipv4Address,
  destinationPort: number,
): ConntrackTuple => ({
  family: 4,
  source,
  destination,
  protocol,
  sourcePort,
  destinationPort,
  icmp: null,
  zone: null,
});

let lastId = 0;
/** A connection of a LAN device that masquerade has given `wanPort`. */
function flow(
  protocol: number,
  client: Ipv4Address,
  clientPort: number,
  serverPort: number,
  wanPort: number,
): ConntrackEntry {
  lastId += 1;
  return {
    original: tuple(protocol, client, clientPort, server, serverPort),
    reply: tuple(protocol, server, serverPort, wan, wanPort),
    zone: 0,
    id: lastId,
    status: 0x19e,
    timeoutSeconds: 300,
    mark: 0,
    tcpState: null,
    helper: null,
    master: null,
    counters: { original: { packets: 3, bytes: 300 }, reply: { packets: 2, bytes: 200 } },
    startedUnixMs: 1_700_000_000_000,
    stoppedUnixMs: null,
  };
}

describe('copies of IKE', () => {
  it('names the device of what comes from the LAN', () => {
    const [fact] = copy(observer(), 'lan', datagram(device, 500, server, 500, ike));
    ok(fact?.kind === 'ike');
    deepStrictEqual([fact.from, fact.client, fact.server, fact.port], ['lan', device, server, 500]);
    strictEqual(fact.message.header.exchangeType, exchangeTypes.ikeAuth);
  });

  it('finds the device of what comes from the WAN by the port that masquerade has given it', () => {
    const one = observer();
    one.handle({ kind: 'conntrack', change: 'new', entry: flow(udp, device, 500, 500, 500) }, 0);
    one.handle({ kind: 'conntrack', change: 'new', entry: flow(udp, other, 500, 500, 56) }, 0);
    const clients = [500, 56, 57].map((port) => {
      const [fact] = copy(one, 'wan', datagram(server, 500, wan, port, ike));
      return fact?.kind === 'ike' ? fact.client : 'no IKE';
    });
    deepStrictEqual(clients, [device, other, null]);
    deepStrictEqual(one.locate(datagram(server, 500, wan, 56, ike)), { client: other, port: 500 });
  });

  it('reads port 4500 behind its marker, and leaves ESP and keepalives alone', () => {
    const one = observer();
    const facts = [
      emitPort4500({ kind: 'ike', bytes: ike }),
      emitPort4500({ kind: 'esp', packet: { spi: 5, sequence: 1, rest: new Uint8Array(20) } }),
      emitPort4500({ kind: 'keepalive' }),
    ].map((payload) =>
      copy(one, 'lan', datagram(device, 4500, server, 4500, payload)).map(({ kind }) => kind),
    );
    deepStrictEqual(facts, [['ike'], [], []]);
    strictEqual(one.counts.unreadable, 0);
  });

  it('keeps the header of a copy that was cut', () => {
    const [fact] = copy(
      observer(),
      'ike-held-lan',
      datagram(device, 500, server, 500, ike).subarray(0, 70),
      7,
    );
    ok(fact?.kind === 'ike' && fact.message.encrypted === null && fact.held === 7);
  });
});

describe('copies of ESP', () => {
  const packet = (source: Ipv4Address, destination: Ipv4Address): Uint8Array =>
    ip(esp, source, destination, emitEsp({ spi: 0x1001, sequence: 1, rest: new Uint8Array(40) }));

  it('are told by their kind', () => {
    const one = observer();
    const kinds = (
      [
        ['esp-new', device, server],
        ['esp-held-out', device, server],
        ['esp-unknown', server, wan],
        ['esp-held', server, wan],
        ['esp-trial', server, device],
        ['esp-learned', server, device],
        ['esp-again', server, device],
      ] as const
    ).flatMap(([what, source, destination]) => copy(one, what, packet(source, destination)));
    deepStrictEqual(
      kinds.map((fact) => [
        fact.kind,
        'client' in fact ? fact.client : null,
        'server' in fact ? fact.server : null,
      ]),
      [
        ['esp-sent', device, server],
        ['esp-sent', device, server],
        ['esp-arrived', null, server],
        ['esp-arrived', null, server],
        ['esp-passed', device, server],
        ['esp-learned', device, server],
        ['esp-begun-again', device, server],
      ],
    );
  });

  it('tells once that the kernel has learned a pair', () => {
    const one = observer();
    strictEqual(copy(one, 'esp-learned', packet(server, device)).length, 1);
    strictEqual(copy(one, 'esp-learned', packet(server, device)).length, 0);
  });
});

describe('elements of ESP', () => {
  const element = (client: Ipv4Address, spi: number, packets: number): EspElement => ({
    direction: 'in',
    client,
    server,
    spi: spi as Spi,
    counter: { packets, bytes: packets * 100 },
  });

  it('tells what was learned, what has grown and what is gone', () => {
    const one = observer();
    const list = (...elements: EspElement[]): string[] =>
      one
        .handle({ kind: 'elements', direction: 'in', elements }, 0)
        .map(
          (fact) =>
            `${fact.kind} ${'spi' in fact ? fact.spi : ''}${'packets' in fact ? ` ${fact.packets}` : ''}`,
        );
    one.handle({ kind: 'paired', element: { ...element(device, 1, 0), counter: null } }, 0);
    deepStrictEqual(list(element(device, 1, 5), element(other, 2, 0)), ['esp-counted 1 5', 'esp-learned 2']);
    deepStrictEqual(list(element(device, 1, 5), element(other, 2, 3)), ['esp-counted 2 3']);
    deepStrictEqual(list(element(device, 1, 6)), ['esp-counted 1 6', 'esp-forgotten 2']);
    one.handle({ kind: 'unpaired', element: element(device, 1, 6) }, 0);
    deepStrictEqual(list(), []);
  });
});

describe('conntrack', () => {
  it('tells connections of VPN protocols with their figures, and what ended unannounced', () => {
    const one = observer();
    const web = flow(tcp, device, 4000, 443, 4000);
    const natT = flow(udp, device, 4500, 4500, 4500);
    deepStrictEqual(one.handle({ kind: 'conntrack', change: 'new', entry: web }, 0), []);
    const [begun] = one.handle({ kind: 'conntrack', change: 'new', entry: natT }, 0);
    ok(begun?.kind === 'flow' && begun.change === 'new');
    deepStrictEqual(begun.flow.out, { packets: 3, bytes: 300 });
    // An event without figures keeps those that are known.
    const [later] = one.handle(
      { kind: 'conntrack', change: 'update', entry: { ...natT, counters: null } },
      0,
    );
    ok(later?.kind === 'flow' && later.change === 'update' && later.flow.in?.packets === 2);
    one.handle({ kind: 'conntrack-list', at: 'begin' }, 0);
    const call = flow(gre, device, 7, 9, 8);
    one.handle({ kind: 'conntrack', change: 'update', entry: call }, 0);
    const ended = one.handle({ kind: 'conntrack-list', at: 'end' }, 0);
    deepStrictEqual(
      ended.map((fact) => fact.kind === 'flow' && [fact.change, fact.flow.serverPort]),
      [['end', 4500]],
    );
    strictEqual(one.flowCount, 1);
  });

  it('is not misled by the late end of a former entry', () => {
    const one = observer();
    const former = flow(udp, device, 500, 500, 500);
    const now = { ...flow(udp, device, 500, 500, 500) };
    one.handle({ kind: 'conntrack', change: 'new', entry: former }, 0);
    const changes = one.handle({ kind: 'conntrack', change: 'new', entry: now }, 0);
    deepStrictEqual(
      changes.map((fact) => fact.kind === 'flow' && fact.change),
      ['end', 'new'],
    );
    deepStrictEqual(one.handle({ kind: 'conntrack', change: 'end', entry: former }, 0), []);
    strictEqual(one.flowCount, 1);
  });

  it('sees the flow that an L2TP server began from another port as the device sees it', () => {
    const entry: ConntrackEntry = {
      ...flow(udp, device, 1701, 1701, 1701),
      original: tuple(udp, server, 6000, wan, 1701),
      reply: tuple(udp, device, 1701, server, 6000),
    };
    const [fact] = observer().handle({ kind: 'conntrack', change: 'new', entry }, 0);
    ok(fact?.kind === 'flow');
    const { client, clientPort, serverPort, wanPort, out } = fact.flow;
    deepStrictEqual([client, clientPort, serverPort, wanPort, out?.packets], [device, 1701, 6000, 1701, 2]);
  });
});

describe('PPTP', () => {
  const request = corpus('pptp', 'outgoing-call-request');
  const ends = { source: device, destination: server };
  const segment = (sequence: number, payload: Uint8Array, syn = false): Uint8Array =>
    ip(
      tcp,
      device,
      server,
      emitTcp(ends, {
        sourcePort: 1025 as Port,
        destinationPort: 1723 as Port,
        sequence,
        payload,
        flags: syn ? { syn } : { ack: true },
      }),
    );

  it('puts messages together from segments that are cut, doubled and out of order', () => {
    const two = Uint8Array.of(...request, ...request);
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: two.length - 1 }), { maxLength: 3 }),
        fc.array(fc.nat(3), { maxLength: 4 }),
        (places, swaps) => {
          const cuts = [0, ...places.sort((a, b) => a - b), two.length];
          const parts = cuts
            .slice(1)
            .map((to, index) => segment(0xfffffff0 + cuts[index]!, two.subarray(cuts[index], to)));
          for (const swap of swaps) {
            const [moved] = parts.splice(swap % parts.length, 1);
            parts.push(moved!);
          }
          const one = observer();
          copy(one, 'lan', segment(0xffffffef, new Uint8Array(), true));
          const facts = [...parts, parts[0]!].flatMap((part) => copy(one, 'lan', part));
          deepStrictEqual(
            facts.map((fact) => fact.kind === 'pptp' && fact.message.kind),
            ['outgoing-call-request', 'outgoing-call-request'],
          );
        },
      ),
    );
  });

  it('goes on behind a gap', () => {
    const one = observer();
    strictEqual(copy(one, 'lan', segment(1, request)).length, 1);
    const after = 1 + request.length + 500;
    const facts = Array.from({ length: 8 }, (_, index) => segment(after + index * request.length, request));
    ok(facts.flatMap((part) => copy(one, 'lan', part)).length >= 4);
  });
});

describe('what shows itself', () => {
  it('is told once, and its connection matters from then on', () => {
    const one = observer();
    const packet = datagram(device, 40_000, server, 51_820, corpus('wireguard', 'initiation'));
    strictEqual(copy(one, 'lan', packet)[0]?.kind, 'recognised');
    deepStrictEqual(copy(one, 'lan', packet), []);
    const entry = flow(udp, device, 40_000, 51_820, 40_000);
    const glance = { protocol: udp, destinationPort: 51_820, destinationIpv4: 0 };
    ok(one.wants(glance));
    strictEqual(one.handle({ kind: 'conntrack', change: 'update', entry }, 0).length, 1);
    strictEqual(one.handle({ kind: 'conntrack', change: 'end', entry }, 0).length, 1);
    ok(!one.wants(glance));
  });

  it('matters too when an earlier run recognised it', () => {
    const one = observer();
    const entry = flow(udp, device, 40_000, 51_820, 40_000);
    deepStrictEqual(one.handle({ kind: 'conntrack', change: 'new', entry }, 0), []);
    const ends = { protocol: udp, client: device, clientPort: 40_000, server, serverPort: 51_820 };
    deepStrictEqual(one.handle({ kind: 'remembered', flow: ends }, 0), []);
    strictEqual(one.handle({ kind: 'conntrack', change: 'new', entry }, 0).length, 1);
  });

  it('is told when a switch has refused it', () => {
    const [fact] = copy(observer(), 'refused', datagram(device, 500, server, 4500, ike));
    deepStrictEqual(fact, { kind: 'refused', protocol: 'ipsec', client: device, server });
  });
});

describe('any bytes in any copy', () => {
  it('end in facts or in a count', () => {
    const good = fc.constantFrom(
      datagram(device, 500, server, 500, ike),
      datagram(device, 1701, server, 1701, corpus('l2tp', 'sccrq')),
      ip(esp, device, server, emitEsp({ spi: 9, sequence: 1, rest: new Uint8Array(9) })),
    );
    const one = observer();
    fc.assert(
      fc.property(fc.constantFrom(...COPY_KINDS), fc.oneof(bytesUpTo(120), damaged(good)), (what, bytes) => {
        copy(one, what, bytes);
      }),
      { numRuns: 500 },
    );
  });
});
