import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { corpus, hex } from '../../../test/corpus/corpus.ts';
import { bytesOf, bytesUpTo, throwsWire, wireProperties } from '../../../test/wire-properties.ts';
import { emitPptp, parsePptp, PPTP_OK, type PptpMessage } from './pptp.ts';

const messages: PptpMessage[] = [
  {
    kind: 'start-request',
    protocolVersion: 0x0100,
    framingCapabilities: 1,
    bearerCapabilities: 1,
    maximumChannels: 0,
    firmwareRevision: 0,
    hostName: 'local',
    vendorName: 'cananian',
  },
  {
    kind: 'start-reply',
    protocolVersion: 0x0100,
    resultCode: PPTP_OK,
    errorCode: 0,
    framingCapabilities: 3,
    bearerCapabilities: 3,
    maximumChannels: 1,
    firmwareRevision: 0x1200,
    hostName: 'vpn',
    vendorName: 'linux',
  },
  { kind: 'stop-request', reason: 3 },
  { kind: 'stop-reply', resultCode: 1, errorCode: 0 },
  { kind: 'echo-request', identifier: 0xdeadbeef },
  { kind: 'echo-reply', identifier: 0xdeadbeef, resultCode: 1, errorCode: 0 },
  {
    kind: 'outgoing-call-request',
    callId: 0xc001,
    callSerialNumber: 7,
    minimumBps: 300,
    maximumBps: 100_000_000,
    bearerType: 3,
    framingType: 3,
    receiveWindowSize: 64,
    processingDelay: 0,
    phoneNumberLength: 3,
    phoneNumber: '112',
    subaddress: '',
  },
  {
    kind: 'outgoing-call-reply',
    callId: 0x0180,
    peerCallId: 0xc001,
    resultCode: 1,
    errorCode: 0,
    causeCode: 0,
    connectSpeedBps: 64_000,
    receiveWindowSize: 64,
    processingDelay: 2,
    physicalChannelId: 9,
  },
  {
    kind: 'incoming-call-request',
    callId: 0x21,
    callSerialNumber: 0x0102,
    bearerType: 2,
    physicalChannelId: 5,
    dialedNumberLength: 4,
    dialingNumberLength: 5,
    dialedNumber: '5551',
    dialingNumber: '44123',
    subaddress: 'x1',
  },
  {
    kind: 'incoming-call-reply',
    callId: 0x22,
    peerCallId: 0x21,
    resultCode: 2,
    errorCode: 4,
    receiveWindowSize: 16,
    transmitDelay: 1,
  },
  {
    kind: 'incoming-call-connected',
    peerCallId: 0x22,
    connectSpeedBps: 128_000,
    receiveWindowSize: 16,
    transmitDelay: 1,
    framingType: 2,
  },
  { kind: 'call-clear-request', callId: 0xc001 },
  {
    kind: 'call-disconnect-notify',
    callId: 0x0180,
    resultCode: 4,
    errorCode: 0,
    causeCode: 16,
    callStatistics: 'in 10 out 12',
  },
  {
    kind: 'wan-error-notify',
    peerCallId: 0xc001,
    crcErrors: 1,
    framingErrors: 2,
    hardwareOverruns: 3,
    bufferOverruns: 4,
    timeoutErrors: 5,
    alignmentErrors: 6,
  },
  { kind: 'set-link-info', peerCallId: 0x0180, sendAccm: 0xffffffff, receiveAccm: 0x000a0000 },
];

it.each(messages)('reads and emits the corpus message $kind', (message) => {
  const bytes = corpus('pptp', message.kind);
  expect(parsePptp(bytes)).toEqual(message);
  expect(emitPptp(message)).toEqual(bytes);
});

it('keeps an unknown message type as a number', () => {
  expect(parsePptp(hex('000e 0001 1a2b3c4d 0063 0000 beef'))).toEqual({
    kind: 'unknown',
    type: 99,
    body: hex('beef'),
  });
});

it('reads a text that fills its field', () => {
  const message = { ...messages[0]!, hostName: 'x'.repeat(64) } as PptpMessage;
  expect(parsePptp(emitPptp(message))).toEqual(message);
});

it('leaves octets beyond the fields alone', () => {
  expect(parsePptp(hex('0012 0001 1a2b3c4d 0005 0000 00000007 eeee'))).toEqual({
    kind: 'echo-request',
    identifier: 7,
  });
});

it('refuses a wrong cookie, management messages and lengths that cannot be', () => {
  throwsWire(() => parsePptp(hex('0010 0001 1a2b3c4e 0005 0000 00000007')), 'malformed');
  throwsWire(() => parsePptp(hex('0010 0002 1a2b3c4d 0005 0000 00000007')), 'unsupported');
  throwsWire(() => parsePptp(hex('000b 0001 1a2b3c4d 0005 00')), 'malformed');
  throwsWire(() => parsePptp(hex('0201 0001 1a2b3c4d 0005 0000')), 'malformed');
  throwsWire(() => parsePptp(hex('000e 0001 1a2b3c4d 0005 0000 0000')), 'malformed');
});

// Any value of a kind is what some bytes of its length read as, which spares a second table here.
const known: fc.Arbitrary<PptpMessage> = fc.constantFrom(...messages).chain(({ kind }) => {
  const frame = corpus('pptp', kind);
  return bytesOf(frame.length - 12).map((body) =>
    parsePptp(Uint8Array.of(...frame.subarray(0, 12), ...body)),
  );
});
const unknown: fc.Arbitrary<PptpMessage> = fc
  .tuple(fc.integer({ min: 16, max: 0xffff }), bytesUpTo(20))
  .map(([type, body]) => ({ kind: 'unknown', type, body }));

wireProperties('PPTP', {
  draft: fc.oneof({ weight: 15, arbitrary: known }, unknown),
  emit: emitPptp,
  parse: parsePptp,
});
