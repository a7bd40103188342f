// Facts of any content for the properties of machines and transcripts: a small household, so that the
// same devices, servers and SPIs meet again and again.
import * as fc from 'fast-check';
import type { Ipv4Address } from '../src/core/address.ts';
import type { Fact, PairingEffect } from '../src/core/alg/fact.ts';
import type { Spi } from '../src/core/wire/esp.ts';
import { exchangeTypes, type IsakmpMessage } from '../src/core/wire/isakmp.ts';
import { port, u16, u32, u8 } from './wire-properties.ts';

const device = fc.integer({ min: 1, max: 5 }).map((last) => `192.168.1.${last}` as Ipv4Address);
const server = fc.integer({ min: 1, max: 2 }).map((last) => `203.0.113.${last}` as Ipv4Address);
const spi = fc
  .oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 0xffff_ffff }))
  .map((n) => n as Spi);
const held = fc.option(fc.integer({ min: 0, max: 1_000_000 }), { nil: null });
const side = fc.constantFrom('lan' as const, 'wan' as const);
const packet = fc.record({
  spi,
  sequence: fc.oneof(fc.integer({ min: 1, max: 4 }), u32),
  rest: fc.integer({ min: 0, max: 64 }).map((length) => new Uint8Array(length)),
});

const flags = fc.record({
  encryption: fc.boolean(),
  commit: fc.boolean(),
  authenticationOnly: fc.boolean(),
  initiator: fc.boolean(),
  higherVersion: fc.boolean(),
  response: fc.boolean(),
});

/** A few IKE SAs and exchanges, so that requests and answers fit together. */
const isakmp: fc.Arbitrary<IsakmpMessage> = fc.record({
  header: fc.record({
    initiatorSpi: fc.bigInt({ min: 1n, max: 6n }),
    responderSpi: fc.bigInt({ min: 0n, max: 3n }),
    nextPayload: u8,
    majorVersion: fc.constantFrom(1 as const, 2 as const),
    minorVersion: fc.integer({ min: 0, max: 15 }),
    exchangeType: fc.oneof(fc.constantFrom(...Object.values(exchangeTypes)), u8),
    flags,
    messageId: fc.oneof(fc.integer({ min: 0, max: 3 }), u32),
    length: fc.integer({ min: 28, max: 2000 }),
  }),
  payloads: fc.array(
    fc.record({ type: u8, critical: fc.boolean(), body: fc.uint8Array({ maxLength: 24 }) }),
    { maxLength: 3 },
  ),
  encrypted: fc.option(
    fc.record({
      payloadType: fc.option(fc.constantFrom(46, 53), { nil: null }),
      firstPayload: u8,
      bytes: fc.integer({ min: 0, max: 400 }).map((length) => new Uint8Array(length)),
    }),
    { nil: null },
  ),
});

const count = fc.nat(1_000_000);
const traffic = fc.option(fc.record({ packets: count, bytes: count }), { nil: null });
const optional = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(values, { nil: null });
const kind = <K extends string>(name: K): fc.Arbitrary<K> => fc.constant(name);
const direction = fc.constantFrom('out' as const, 'in' as const);
const ends = { client: device, server };

/** What the pairing machine listens to. */
export const ipsecFact: fc.Arbitrary<Fact> = fc.oneof(
  fc.record({
    kind: kind('ike'),
    from: side,
    client: optional(device),
    server,
    port: fc.constantFrom(500 as const, 4500 as const),
    message: isakmp,
    held,
  }),
  fc.record({ kind: kind('esp-sent'), ...ends, packet, held }),
  fc.record({ kind: kind('esp-arrived'), server, packet, held }),
  fc.record({ kind: kind('esp-passed'), ...ends, packet }),
  fc.record({ kind: kind('esp-begun-again'), ...ends, spi }),
  fc.record({ kind: kind('esp-learned'), ...ends, spi }),
  fc.record({ kind: kind('esp-counted'), direction, ...ends, spi, packets: count, bytes: count }),
  fc.record({ kind: kind('esp-forgotten'), direction, ...ends, spi }),
);

/** Any fact. */
export const fact: fc.Arbitrary<Fact> = fc.oneof(
  ipsecFact,
  fc.record({
    kind: kind('flow'),
    change: fc.constantFrom('new' as const, 'update' as const, 'end' as const),
    flow: fc.record({
      id: u32,
      protocol: u8,
      ...ends,
      clientPort: optional(u16),
      serverPort: optional(u16),
      wanPort: optional(u16),
      answered: fc.boolean(),
      assured: fc.boolean(),
      tcpState: optional(u8),
      timeoutSeconds: optional(u32),
      startedUnixMs: optional(fc.nat(2_000_000_000_000)),
      out: traffic,
      in: traffic,
    }),
  }),
  fc.record({
    kind: kind('pptp'),
    from: side,
    ...ends,
    clientPort: port,
    message: fc.record({ kind: kind('echo-request'), identifier: u32 }),
  }),
  fc.record({
    kind: kind('l2tp'),
    from: side,
    ...ends,
    clientPort: optional(port),
    serverPort: optional(port),
    message: fc.record({
      kind: kind('control'),
      version: fc.constant(2 as const),
      tunnelId: u16,
      sessionId: u16,
      ns: u16,
      nr: u16,
      avps: fc.constant([]),
    }),
  }),
  fc.record({
    kind: kind('recognised'),
    protocol: fc.constantFrom('openvpn' as const, 'sstp' as const),
    guessed: fc.boolean(),
    transport: fc.constantFrom('udp' as const, 'tcp' as const),
    ...ends,
    clientPort: port,
    serverPort: port,
    serverName: optional(fc.string()),
  }),
  fc.record({
    kind: kind('refused'),
    protocol: fc.constantFrom('ipsec' as const, 'pptp' as const, 'l2tp' as const),
    ...ends,
  }),
  fc.record({ kind: kind('missed'), copies: count }),
);

export const pairingEffect: fc.Arbitrary<PairingEffect> = fc.oneof(
  fc.record({
    kind: kind('pair'),
    server,
    spi,
    client: device,
    confidence: fc.constantFrom('certain' as const, 'probable' as const, 'ambiguous' as const),
    evidence: fc.string(),
    instead: optional(device),
    trial: fc.boolean(),
  }),
  fc.record({ kind: kind('unpair'), server, spi, reason: fc.string() }),
  fc.record({ kind: kind('deliver'), held: count, client: device }),
  fc.record({ kind: kind('release'), held: count }),
  fc.record({ kind: kind('drop-held'), held: count }),
  fc.record({ kind: kind('turn'), server, client: optional(device) }),
  fc.record({
    kind: kind('outbound'),
    ...ends,
    spi,
    as: fc.constantFrom('known' as const, 'watched' as const, 'forgotten' as const),
  }),
  fc.record({ kind: kind('flood'), server, packets: count }),
  fc.record({ kind: kind('collision'), server, spi, client: device, other: optional(device) }),
);
