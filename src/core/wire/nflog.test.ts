import { deepStrictEqual, strictEqual } from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'vitest';
import { corpus } from '../../../test/corpus/corpus.ts';
import {
  bytesOf,
  bytesUpTo,
  damaged,
  readsOrRefuses,
  record,
  throwsWire,
  u16,
  u32,
  u8,
} from '../../../test/wire-properties.ts';
import { parseIpv4Packet } from './ipv4.ts';
import { parseIsakmpHeader } from './isakmp.ts';
import { parseAttributes, parseMessages } from './netlink.ts';
import { emitNflogBind, emitNflogPacket, NFLOG_PACKET, type NflogPacket, parseNflogPacket } from './nflog.ts';
import { parseUdp } from './udp.ts';

const nullable = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary);
const letters = fc.constantFrom(...Array.from('abcdefghijklmnopqrstuvwxyz-:'));
const draft: fc.Arbitrary<NflogPacket> = record<NflogPacket>({
  group: u16,
  etherType: u16,
  hook: u8,
  prefix: fc.array(letters, { maxLength: 20 }).map((all) => all.join('')),
  mark: nullable(u32),
  inIndex: nullable(u32),
  outIndex: nullable(u32),
  hardwareAddress: nullable(bytesOf(6)),
  timestampUnixMs: nullable(fc.integer({ min: 0, max: 4_000_000_000_000 })),
  sequence: nullable(u32),
  payload: bytesUpTo(80),
});

describe('NFLOG packet', () => {
  it('reads what it emitted', () => {
    fc.assert(
      fc.property(draft, (packet) => deepStrictEqual(parseNflogPacket(emitNflogPacket(packet)), packet)),
    );
  });

  it('refuses bytes with a WireError or reads them, and nothing else', () => {
    readsOrRefuses(parseNflogPacket);
    readsOrRefuses(parseNflogPacket, damaged(draft.map(emitNflogPacket)));
  });

  it('calls a cut attribute truncated, and a copy without its header malformed', () => {
    const whole = emitNflogPacket({ ...sample, payload: Uint8Array.of(1, 2, 3) });
    for (const length of [1, 2, 3, 5, 7, 9, whole.length - 2]) {
      throwsWire(() => parseNflogPacket(whole.subarray(0, length)), 'truncated');
    }
    throwsWire(() => parseNflogPacket(whole.subarray(0, 4)), 'malformed');
  });

  it('reads a captured copy of IKE', () => {
    const [message] = parseMessages(corpus('netlink', 'nflog-ike'));
    strictEqual(message!.type, NFLOG_PACKET);
    const { payload, hardwareAddress, ...rest } = parseNflogPacket(message!.payload);
    deepStrictEqual(rest, {
      group: 21_591,
      etherType: 0x0800,
      hook: 0,
      prefix: 'il',
      mark: null,
      inIndex: 1,
      outIndex: null,
      timestampUnixMs: 1_795_469_271_228,
      sequence: 0,
    });
    deepStrictEqual([...hardwareAddress!], [0, 0, 0, 0, 0, 0]);
    const { payload: ike, destinationPort } = parseUdp(parseIpv4Packet(payload).payload);
    strictEqual(destinationPort, 500);
    strictEqual(parseIsakmpHeader(ike).initiatorSpi, 0xc0ff_ee00_0000_0001n);
  });
});

const sample: NflogPacket = {
  group: 1,
  etherType: 0x0800,
  hook: 2,
  prefix: '',
  mark: null,
  inIndex: null,
  outIndex: null,
  hardwareAddress: null,
  timestampUnixMs: null,
  sequence: null,
  payload: new Uint8Array(),
};

describe('NFLOG bind', () => {
  it('asks for a group as the kernel reads it', () => {
    const bytes = emitNflogBind({
      group: 0x5457,
      mostBytes: 9216,
      queueThreshold: 32,
      flushCentiseconds: 1,
      datagramBytes: 49_152,
    });
    deepStrictEqual([...bytes.subarray(0, 4)], [0, 0, 0x54, 0x57]);
    const attributes = parseAttributes(bytes, 4);
    deepStrictEqual(
      [...attributes].map(([type, value]) => [type, ...value]),
      [
        [1, 1],
        [2, 0, 0, 0x24, 0, 2, 0],
        [3, 0, 0, 0xc0, 0],
        [4, 0, 0, 0, 1],
        [5, 0, 0, 0, 32],
        [6, 0, 1],
      ],
    );
  });
});
