import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { corpus, hex } from '../../../test/corpus/corpus.ts';
import { bytesUpTo, record, throwsWire, u16, u32, wireProperties } from '../../../test/wire-properties.ts';
import { avp, avpNumber, avpU16, avpU32, l2tpAvpTypes, l2tpMessageTypes, type L2tpAvp } from './l2tp-avp.ts';
import {
  emitL2tp,
  emitL2tpIp,
  l2tpMessageType,
  parseL2tp,
  parseL2tpIp,
  type L2tpControl,
  type L2tpData,
  type L2tpIpMessage,
  type L2tpMessage,
  type L2tpV3Control,
} from './l2tp.ts';

const text = (letters: string): Uint8Array => new TextEncoder().encode(letters);

describe('version 2', () => {
  const sccrq: L2tpControl = {
    kind: 'control',
    version: 2,
    tunnelId: 0,
    sessionId: 0,
    ns: 0,
    nr: 0,
    avps: [
      avpU16(l2tpAvpTypes.messageType, l2tpMessageTypes.startControlConnectionRequest),
      avpU16(l2tpAvpTypes.protocolVersion, 0x0100),
      avpU32(l2tpAvpTypes.framingCapabilities, 3),
      { ...avpU32(l2tpAvpTypes.bearerCapabilities, 0), mandatory: false },
      avp(l2tpAvpTypes.hostName, text('laptop')),
      avpU16(l2tpAvpTypes.assignedTunnelId, 0x2b67),
      avpU16(l2tpAvpTypes.receiveWindowSize, 8),
      { ...avp(l2tpAvpTypes.challenge, hex('0011223344556677')), hidden: true },
      { mandatory: false, hidden: false, vendorId: 9, type: 1, value: hex('beef') },
    ],
  };

  it('reads and emits an SCCRQ', () => {
    expect(parseL2tp(corpus('l2tp', 'sccrq'))).toEqual(sccrq);
    expect(emitL2tp(sccrq)).toEqual(corpus('l2tp', 'sccrq'));
    expect(l2tpMessageType(sccrq)).toBe(l2tpMessageTypes.startControlConnectionRequest);
  });

  it('finds numbers by type, but not hidden, absent or of a vendor', () => {
    expect(avpNumber(sccrq.avps, l2tpAvpTypes.assignedTunnelId)).toBe(0x2b67);
    expect(avpNumber(sccrq.avps, l2tpAvpTypes.framingCapabilities)).toBe(3);
    expect(avpNumber(sccrq.avps, l2tpAvpTypes.challenge)).toBeNull();
    expect(avpNumber(sccrq.avps, l2tpAvpTypes.resultCode)).toBeNull();
    expect(avpNumber([avp(9, hex('01'))], 9)).toBeNull();
  });

  it('reads an ICRP and a bare acknowledgment', () => {
    const icrp = parseL2tp(corpus('l2tp', 'icrp')) as L2tpControl;
    expect(icrp).toMatchObject({ tunnelId: 0x2b67, sessionId: 0x0101, ns: 1, nr: 3 });
    expect(avpNumber(icrp.avps, l2tpAvpTypes.assignedSessionId)).toBe(0x4242);
    const zlb = parseL2tp(corpus('l2tp', 'zlb')) as L2tpControl;
    expect(zlb).toMatchObject({ tunnelId: 0x2b67, ns: 2, nr: 4, avps: [] });
    expect(l2tpMessageType(zlb)).toBeNull();
  });

  it('reads data with every optional field and with none', () => {
    const full: L2tpData = {
      kind: 'data',
      version: 2,
      priority: true,
      length: 24,
      tunnelId: 0x0a0b,
      sessionId: 0x0c0d,
      sequence: { ns: 7, nr: 0 },
      offsetBytes: 2,
      payload: hex('ff030021 45000054'),
    };
    const bare = { ...full, priority: false, length: null, sequence: null, offsetBytes: null };
    expect(parseL2tp(corpus('l2tp', 'data-all-fields'))).toEqual(full);
    expect(emitL2tp(full)).toEqual(corpus('l2tp', 'data-all-fields'));
    expect(parseL2tp(corpus('l2tp', 'data-bare'))).toEqual(bare);
  });

  it('leaves what comes after the length off, and the reserved bits of an AVP', () => {
    const data = corpus('l2tp', 'data-all-fields');
    expect(parseL2tp(Uint8Array.of(...data, 0, 0))).toEqual(parseL2tp(data));
    const icrp = corpus('l2tp', 'icrp');
    const reserved = Uint8Array.of(...icrp.subarray(0, 12), icrp[12]! | 0x3c, ...icrp.subarray(13));
    expect(parseL2tp(Uint8Array.of(...reserved, 0, 0))).toEqual(parseL2tp(icrp));
  });

  it('refuses L2F, flags a control message cannot have, and lengths that cannot be', () => {
    throwsWire(() => parseL2tp(hex('0001 0000 0000')), 'unsupported');
    throwsWire(() => parseL2tp(hex('8002 0000 0000 0000 0000')), 'malformed');
    throwsWire(() => parseL2tp(hex('ca02 000c 0000 0000 0000 0000')), 'malformed');
    throwsWire(() => parseL2tp(hex('c802 000b 0000 0000 0000 0000')), 'malformed');
    throwsWire(() => parseL2tp(hex('4002 0007 0001 0001')), 'malformed');
    throwsWire(() => parseL2tp(hex('c802 0012 0000 0000 0000 0000 8005 0000 0000')), 'malformed');
    throwsWire(() => parseL2tp(hex('c802 0012 0000 0000 0000 0000 8009 0000 0000')), 'malformed');
    throwsWire(() => parseL2tp(hex('c802 000e 0000 0000 0000 0000 8006')), 'malformed');
  });
});

describe('version 3', () => {
  const hello: L2tpV3Control = {
    kind: 'control',
    version: 3,
    controlConnectionId: 0x11223344,
    ns: 0,
    nr: 0,
    avps: [
      avpU16(l2tpAvpTypes.messageType, l2tpMessageTypes.hello),
      avpU32(l2tpAvpTypes.assignedControlConnectionId, 0x55667788),
    ],
  };
  const data = {
    kind: 'data',
    version: 3,
    sessionId: 0xbeef,
    payload: hex('0102030405060708 ffffffffffff'),
  } as const;

  it('reads and emits control and data over UDP', () => {
    expect(parseL2tp(corpus('l2tp', 'v3-udp-control'))).toEqual(hello);
    expect(emitL2tp(hello)).toEqual(corpus('l2tp', 'v3-udp-control'));
    expect(parseL2tp(corpus('l2tp', 'v3-udp-data'))).toEqual(data);
    expect(emitL2tp(data)).toEqual(corpus('l2tp', 'v3-udp-data'));
  });

  it('reads and emits control and data over IP', () => {
    expect(parseL2tpIp(corpus('l2tp', 'v3-ip-control'))).toEqual(hello);
    expect(emitL2tpIp(hello)).toEqual(corpus('l2tp', 'v3-ip-control'));
    expect(parseL2tpIp(corpus('l2tp', 'v3-ip-data'))).toEqual(data);
    expect(emitL2tpIp(data)).toEqual(corpus('l2tp', 'v3-ip-data'));
  });

  it('refuses data of session 0, and version 2 on IP', () => {
    throwsWire(() => parseL2tp(hex('0003 0000 00000000')), 'malformed');
    throwsWire(() => parseL2tpIp(hex('00000000 c802 000c 0000 0000 0000 0000')), 'unsupported');
    throwsWire(() => parseL2tpIp(hex('00000000 c801 000c 0000 0000 0000 0000')), 'unsupported');
  });
});

const avps = fc.array(
  record<L2tpAvp>({
    mandatory: fc.boolean(),
    hidden: fc.boolean(),
    vendorId: u16,
    type: u16,
    value: bytesUpTo(12),
  }),
  { maxLength: 4 },
);

const control = record<L2tpControl>({
  kind: fc.constant('control'),
  version: fc.constant(2),
  tunnelId: u16,
  sessionId: u16,
  ns: u16,
  nr: u16,
  avps,
});

const data = fc
  .record({
    hasLength: fc.boolean(),
    priority: fc.boolean(),
    tunnelId: u16,
    sessionId: u16,
    sequence: fc.option(record({ ns: u16, nr: u16 }), { nil: null }),
    offsetBytes: fc.option(fc.nat(9), { nil: null }),
    payload: bytesUpTo(40),
  })
  .map(({ hasLength, ...fields }): L2tpData => {
    const draft: L2tpData = { kind: 'data', version: 2, ...fields, length: hasLength ? 0 : null };
    return hasLength ? { ...draft, length: emitL2tp(draft).length } : draft;
  });

const overIp: fc.Arbitrary<L2tpIpMessage> = fc.oneof(
  record<L2tpIpMessage>({
    kind: fc.constant('control' as const),
    version: fc.constant(3 as const),
    controlConnectionId: u32,
    ns: u16,
    nr: u16,
    avps,
  }),
  record<L2tpIpMessage>({
    kind: fc.constant('data' as const),
    version: fc.constant(3 as const),
    sessionId: u32.filter((id) => id !== 0),
    payload: bytesUpTo(40),
  }),
);

const openEnd = ({ kind }: L2tpMessage): string | null => (kind === 'data' ? 'payload' : null);

wireProperties<L2tpMessage, L2tpMessage>('L2TP over UDP', {
  draft: fc.oneof<fc.Arbitrary<L2tpMessage>[]>(control, data, overIp),
  emit: emitL2tp,
  parse: parseL2tp,
  openEnd,
});

wireProperties('L2TP over IP', { draft: overIp, emit: emitL2tpIp, parse: parseL2tpIp, openEnd });
