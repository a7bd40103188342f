import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { corpus, hex } from '../../../test/corpus/corpus.ts';
import {
  bytesUpTo,
  readsOrRefuses,
  record,
  throwsWire,
  u32,
  u64,
  u8,
  wireProperties,
} from '../../../test/wire-properties.ts';
import {
  emitIsakmp,
  exchangeTypes,
  parseIsakmp,
  parseIsakmpHeader,
  payloadTypesV1,
  payloadTypesV2,
  type IsakmpDraft,
  type IsakmpFlags,
} from './isakmp.ts';

const noFlags: IsakmpFlags = {
  encryption: false,
  commit: false,
  authenticationOnly: false,
  initiator: false,
  higherVersion: false,
  response: false,
};

describe('version 1', () => {
  it('reads the chain of a first main mode message', () => {
    const { header, payloads, encrypted } = parseIsakmp(corpus('isakmp', 'main-mode-1'));
    expect(header).toEqual({
      initiatorSpi: 0xa1b2c3d4e5f60718n,
      responderSpi: 0n,
      nextPayload: payloadTypesV1.securityAssociation,
      majorVersion: 1,
      minorVersion: 0,
      exchangeType: exchangeTypes.mainMode,
      flags: noFlags,
      messageId: 0,
      length: 128,
    });
    const { securityAssociation, vendorId } = payloadTypesV1;
    expect(payloads.map(({ type }) => type)).toEqual([securityAssociation, vendorId, vendorId]);
    expect(payloads[1]!.body).toEqual(hex('4a131c81070358455c5728f20e95452f'));
    expect(encrypted).toBeNull();
  });

  it('keeps the whole chain of a quick mode message as encrypted', () => {
    const { header, payloads, encrypted } = parseIsakmp(corpus('isakmp', 'quick-mode-1'));
    expect(header).toMatchObject({ exchangeType: exchangeTypes.quickMode, messageId: 0x5eed0001 });
    expect(header.flags).toEqual({ ...noFlags, encryption: true });
    expect(payloads).toEqual([]);
    expect(encrypted).toMatchObject({ payloadType: null, firstPayload: payloadTypesV1.hash });
    expect(encrypted!.bytes).toHaveLength(48);
  });
});

describe('version 2', () => {
  it('reads the chain of an IKE_SA_INIT request', () => {
    const { header, payloads } = parseIsakmp(corpus('isakmp', 'ike-sa-init-request'));
    expect(header).toMatchObject({ majorVersion: 2, exchangeType: exchangeTypes.ikeSaInit });
    expect(header.flags).toEqual({ ...noFlags, initiator: true });
    const { securityAssociation, nonce, notify } = payloadTypesV2;
    expect(payloads.map(({ type }) => type)).toEqual([securityAssociation, nonce, notify, notify]);
  });

  it('ends the chain at the encrypted payload', () => {
    const { header, payloads, encrypted } = parseIsakmp(corpus('isakmp', 'ike-auth-response'));
    expect(header).toMatchObject({ exchangeType: exchangeTypes.ikeAuth, messageId: 1 });
    expect(header.flags).toEqual({ ...noFlags, response: true });
    expect(payloads).toEqual([]);
    expect(encrypted).toMatchObject({ payloadType: payloadTypesV2.encrypted, firstPayload: 36 });
  });

  it('ends the chain at an encrypted fragment', () => {
    const { encrypted } = parseIsakmp(corpus('isakmp', 'ike-auth-fragment'));
    expect(encrypted).toMatchObject({ payloadType: payloadTypesV2.encryptedFragment, firstPayload: 0 });
    expect(encrypted!.bytes.subarray(0, 4)).toEqual(Uint8Array.of(0, 2, 0, 3));
  });
});

it('emits what it read', () => {
  const names = ['main-mode-1', 'quick-mode-1', 'informational-v1-no-proposal', 'ike-sa-init-request'];
  for (const name of [...names, 'ike-auth-response', 'ike-auth-fragment']) {
    const bytes = corpus('isakmp', name);
    expect(emitIsakmp(parseIsakmp(bytes))).toEqual(bytes);
  }
});

it('reads the header of a message cut anywhere behind it', () => {
  const bytes = corpus('isakmp', 'ike-auth-response');
  const { header } = parseIsakmp(bytes);
  expect(parseIsakmpHeader(bytes.subarray(0, 28))).toEqual(header);
  expect(parseIsakmpHeader(bytes.subarray(0, 40))).toEqual(header);
  throwsWire(() => parseIsakmpHeader(bytes.subarray(0, 27)), 'truncated');
  readsOrRefuses(parseIsakmpHeader);
});

it('refuses SPI 0, another version, and lengths that cannot be', () => {
  const spoiled = (at: number, ...bytes: number[]): Uint8Array => {
    const message = corpus('isakmp', 'main-mode-1');
    message.set(bytes, at);
    return message;
  };
  throwsWire(() => parseIsakmp(spoiled(0, 0, 0, 0, 0, 0, 0, 0, 0)), 'malformed');
  throwsWire(() => parseIsakmp(spoiled(17, 0x30)), 'unsupported');
  throwsWire(() => parseIsakmp(spoiled(27, 27)), 'malformed');
  throwsWire(() => parseIsakmp(spoiled(30, 0, 3)), 'malformed');
  throwsWire(() => parseIsakmp(spoiled(30, 1, 0)), 'malformed');
  // The last payload announces one more, and the message is at its end.
  throwsWire(() => parseIsakmp(spoiled(108, 13)), 'malformed');
});

const flags = record<IsakmpFlags>({
  encryption: fc.constant(false),
  commit: fc.boolean(),
  authenticationOnly: fc.boolean(),
  initiator: fc.boolean(),
  higherVersion: fc.boolean(),
  response: fc.boolean(),
});

/** Draft headers of one major version. */
function headerOf<V extends 1 | 2>(majorVersion: V) {
  return {
    initiatorSpi: u64.filter((spi) => spi !== 0n),
    responderSpi: u64,
    majorVersion: fc.constant(majorVersion),
    minorVersion: fc.nat(15),
    exchangeType: u8,
    flags,
    messageId: u32,
  };
}

const { encrypted, encryptedFragment } = payloadTypesV2;
const anyType = fc.integer({ min: 1, max: 255 });
// In version 1 these two are types like any other.
const anyTypeV1 = fc.oneof(anyType, fc.constantFrom<number>(encrypted, encryptedFragment));
const anyTypeV2 = anyType.filter((type) => type !== encrypted && type !== encryptedFragment);

function payloadsOf(type: fc.Arbitrary<number>) {
  return fc.array(record({ type, critical: fc.boolean(), body: bytesUpTo(20) }), { maxLength: 4 });
}

const message: fc.Arbitrary<IsakmpDraft> = fc.oneof(
  record({ header: record(headerOf(1)), payloads: payloadsOf(anyTypeV1), encrypted: fc.constant(null) }),
  record({
    header: record({ ...headerOf(1), flags: flags.map((each) => ({ ...each, encryption: true })) }),
    payloads: fc.constant([]),
    encrypted: record({ payloadType: fc.constant(null), firstPayload: u8, bytes: bytesUpTo(40) }),
  }),
  record({
    header: record(headerOf(2)),
    payloads: payloadsOf(anyTypeV2),
    encrypted: fc.option(
      record({
        payloadType: fc.constantFrom(encrypted, encryptedFragment),
        firstPayload: u8,
        bytes: bytesUpTo(40),
      }),
      { nil: null },
    ),
  }),
);

wireProperties('IKE', {
  draft: message,
  emit: emitIsakmp,
  parse: parseIsakmp,
  expected: (draft, bytes) => ({
    ...draft,
    header: {
      ...draft.header,
      flags: { ...noFlags, ...draft.header.flags },
      nextPayload: bytes[16]!,
      length: bytes.length,
    },
  }),
});
