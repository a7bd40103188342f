import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { corpus, hex } from '../../../test/corpus/corpus.ts';
import { bytesUpTo, record, throwsWire, u32, u64, wireProperties } from '../../../test/wire-properties.ts';
import {
  emitOpenvpn,
  emitOpenvpnControlBody,
  emitOpenvpnTcp,
  openvpnOpcodes,
  parseOpenvpn,
  parseOpenvpnControlBody,
  parseOpenvpnTcp,
  type OpenvpnControl,
  type OpenvpnControlBody,
  type OpenvpnPacket,
} from './openvpn.ts';

const clientSession = 0x1122334455667788n;
const serverSession = 0x99aabbccddeeff00n;
const { hardResetClientV2, hardResetServerV2, ackV1, dataV1, dataV2 } = openvpnOpcodes;

describe('the hard resets', () => {
  const request: OpenvpnControlBody = {
    acks: [],
    remoteSessionId: null,
    packetId: 0,
    payload: new Uint8Array(),
  };
  const opening: OpenvpnControl = {
    kind: 'control',
    opcode: hardResetClientV2,
    keyId: 0,
    sessionId: clientSession,
    body: emitOpenvpnControlBody(request),
  };

  it('reads and emits the client over UDP and TCP', () => {
    expect(parseOpenvpn(corpus('openvpn', 'hard-reset-client'))).toEqual(opening);
    expect(parseOpenvpnControlBody(opening.opcode, opening.body)).toEqual(request);
    expect(emitOpenvpn(opening)).toEqual(corpus('openvpn', 'hard-reset-client'));
    expect(parseOpenvpnTcp(corpus('openvpn', 'tcp-hard-reset-client'))).toEqual(opening);
    expect(emitOpenvpnTcp(opening)).toEqual(corpus('openvpn', 'tcp-hard-reset-client'));
  });

  it('reads and emits the server', () => {
    const bytes = corpus('openvpn', 'hard-reset-server');
    const packet = parseOpenvpn(bytes) as OpenvpnControl;
    expect(packet).toMatchObject({ opcode: hardResetServerV2, keyId: 0, sessionId: serverSession });
    const body = parseOpenvpnControlBody(packet.opcode, packet.body);
    expect(body).toEqual({ ...request, acks: [0], remoteSessionId: clientSession });
    expect(emitOpenvpn({ ...packet, body: emitOpenvpnControlBody(body) })).toEqual(bytes);
  });
});

it('reads an ACK, which has no packet id', () => {
  const packet = parseOpenvpn(corpus('openvpn', 'ack')) as OpenvpnControl;
  expect(packet).toMatchObject({ opcode: ackV1, sessionId: clientSession });
  expect(parseOpenvpnControlBody(packet.opcode, packet.body)).toEqual({
    acks: [0],
    remoteSessionId: serverSession,
    packetId: null,
    payload: new Uint8Array(),
  });
});

it('reads data with a peer id', () => {
  const packet = parseOpenvpn(corpus('openvpn', 'data-v2'));
  expect(packet).toMatchObject({ kind: 'data', keyId: 2, peerId: 0x010203 });
  expect(packet.body).toHaveLength(16);
});

it('refuses opcodes it does not know, and TCP packets too short for their ids', () => {
  throwsWire(() => parseOpenvpn(hex('00')), 'unsupported');
  throwsWire(() => parseOpenvpn(hex('60')), 'unsupported');
  throwsWire(() => parseOpenvpnTcp(hex('0000')), 'malformed');
  throwsWire(() => parseOpenvpnTcp(hex('0003 381122')), 'malformed');
});

const keyId = fc.nat(7);
const controls = Object.values<number>(openvpnOpcodes).filter((code) => code !== dataV1 && code !== dataV2);
const packet: fc.Arbitrary<OpenvpnPacket> = fc.oneof(
  record({
    kind: fc.constant('control' as const),
    opcode: fc.constantFrom(...controls),
    keyId,
    sessionId: u64,
    body: bytesUpTo(40),
  }),
  record({
    kind: fc.constant('data' as const),
    keyId,
    peerId: fc.option(fc.nat(0xffffff), { nil: null }),
    body: bytesUpTo(40),
  }),
);

wireProperties('OpenVPN over UDP', {
  draft: packet,
  emit: emitOpenvpn,
  parse: parseOpenvpn,
  openEnd: () => 'body',
});

wireProperties('OpenVPN over TCP', { draft: packet, emit: emitOpenvpnTcp, parse: parseOpenvpnTcp });

const someAcks = fc.array(u32, { minLength: 1, maxLength: 4 });
const acks = fc.oneof(
  record({ acks: fc.constant<number[]>([]), remoteSessionId: fc.constant(null) }),
  record({ acks: someAcks, remoteSessionId: u64 }),
);

wireProperties<OpenvpnControlBody, OpenvpnControlBody>('OpenVPN control body', {
  draft: fc
    .tuple(acks, u32, bytesUpTo(20))
    .map(([head, packetId, payload]) => ({ ...head, packetId, payload })),
  emit: emitOpenvpnControlBody,
  parse: (bytes) => parseOpenvpnControlBody(hardResetClientV2, bytes),
  openEnd: () => 'payload',
});
