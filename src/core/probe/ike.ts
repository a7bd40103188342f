// IKE: first messages of version 2 and of version 1 (Main and Aggressive Mode) with proposals that
// most servers take one of. Reads what is not encrypted: the proposal taken, or the notification.
// No exchange goes beyond its first answer. RFC 7296 1.2, 2.23 and 3; RFC 2409 5; RFC 3947 3.
import { ikeError } from '../alg/session-words.ts';
import {
  exchangeTypes,
  emitIsakmp,
  parseIsakmp,
  payloadTypesV1,
  payloadTypesV2,
  type IsakmpMessage,
  type IsakmpPayload,
} from '../wire/isakmp.ts';
import {
  emitNotify,
  emitSecurityAssociation,
  notifyTypes,
  parseNotify,
  vendorIdName,
  vendorIds,
  type IkeAttribute,
  type IkeTransform,
} from '../wire/isakmp-payloads.ts';
import { emitPort4500, parsePort4500 } from '../wire/port4500.ts';
import { ended, reading, type Attempt, type Probe, type RandomBytes, type Reaction } from './attempt.ts';

/** MODP group 14 (RFC 3526 3); its prime begins with 64 one bits, so any value with a zero bit there is below it. */
const GROUP_14_BYTES = 256;

type Mode = 'v2' | 'main' | 'aggressive';

function ikeProbe(id: string, name: string, mode: Mode, port: 500 | 4500, sourcePort?: number): Probe {
  return {
    id,
    name,
    transport: 'udp',
    port,
    passthrough: 'ipsec',
    ...(sourcePort === undefined ? {} : { sourcePort }),
    begin: (random) => attempt(mode, port, random),
  };
}

export const ikeProbes: readonly Probe[] = [
  ikeProbe('ikev2', 'IKEv2 (IPsec)', 'v2', 500),
  ikeProbe('ikev2-4500', 'IKEv2 with NAT traversal', 'v2', 4500),
  ikeProbe('ikev1', 'IKEv1 Main Mode (IPsec, L2TP/IPsec)', 'main', 500),
  ikeProbe('ikev1-aggressive', 'IKEv1 Aggressive Mode', 'aggressive', 500),
];

/** Asked only where the others got no answer: some servers heed nothing but source port 500. */
export const ikeFromPort500Probe = ikeProbe('ikev2-source-500', 'IKEv2 from source port 500', 'v2', 500, 500);

function attempt(mode: Mode, port: number, random: RandomBytes): Attempt {
  const spi = spiOf(random(8));
  const message = mode === 'v2' ? openV2(spi, random) : openV1(spi, mode, random);
  return {
    opening: port === 4500 ? emitPort4500({ kind: 'ike', bytes: message }) : message,
    hear: (bytes) =>
      reading('IKE', () => {
        const body = port === 4500 ? ikeBehindMarker(bytes) : bytes;
        if (body === null) return null;
        const answer = parseIsakmp(body);
        if (answer.header.initiatorSpi !== spi) return null;
        return answer.header.majorVersion === 2 ? readV2(answer) : readV1(answer, mode);
      }),
  };
}

function ikeBehindMarker(bytes: Uint8Array): Uint8Array | null {
  const content = parsePort4500(bytes);
  return content.kind === 'ike' ? content.bytes : null;
}

function spiOf(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n) | 1n;
}

function keyExchange(random: RandomBytes): Uint8Array {
  const value = random(GROUP_14_BYTES);
  value[0] = value[0]! & 0x7f;
  return value;
}

function payload(type: number, body: Uint8Array): IsakmpPayload {
  return { type, critical: false, body };
}

function concat(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function openV2(initiatorSpi: bigint, random: RandomBytes): Uint8Array {
  // RFC 7296 3.3.2 and its registries: type, id, key length.
  const transform = (type: number, id: number, keyBits?: number): IkeTransform => ({
    type,
    id,
    attributes: keyBits === undefined ? [] : [{ type: 14, value: keyBits }],
  });
  const common = [
    ...[5, 6, 7, 2].map((id) => transform(2, id)), // PRF: SHA-2 256, 384, 512; SHA-1
    ...[14, 19, 20, 31, 15, 16, 5, 2].map((id) => transform(4, id)), // groups
  ];
  const proposals = [
    // AES-CBC and 3DES with an integrity algorithm; AES-GCM and ChaCha20 without one.
    [
      ...[256, 192, 128].map((bits) => transform(1, 12, bits)),
      transform(1, 3),
      ...[12, 13, 14, 2].map((id) => transform(3, id)),
      ...common,
    ],
    [...[256, 128].map((bits) => transform(1, 20, bits)), transform(1, 28), ...common],
  ].map((transforms, index) => ({ number: index + 1, protocolId: 1, spi: new Uint8Array(), transforms }));
  const natDetection = (type: number): IsakmpPayload =>
    payload(
      payloadTypesV2.notify,
      // No hash fits: the server then knows of the NAT, as for any device behind the gateway.
      emitNotify({ doi: null, protocolId: 0, type, spi: new Uint8Array(), data: random(20) }),
    );
  return emitIsakmp({
    header: {
      initiatorSpi,
      responderSpi: 0n,
      majorVersion: 2,
      minorVersion: 0,
      exchangeType: exchangeTypes.ikeSaInit,
      flags: { initiator: true },
      messageId: 0,
    },
    payloads: [
      payload(payloadTypesV2.securityAssociation, emitSecurityAssociation(2, proposals)),
      payload(payloadTypesV2.keyExchange, concat(Uint8Array.of(0, 14, 0, 0), keyExchange(random))),
      payload(payloadTypesV2.nonce, random(32)),
      natDetection(notifyTypes.natDetectionSourceIp),
      natDetection(notifyTypes.natDetectionDestinationIp),
    ],
    encrypted: null,
  });
}

function openV1(initiatorSpi: bigint, mode: 'main' | 'aggressive', random: RandomBytes): Uint8Array {
  // RFC 2409 A: cipher, key bits (0: fixed), hash, group, authentication.
  const attribute = (type: number, value: number): IkeAttribute => ({ type, value });
  const groups = mode === 'main' ? [14, 5, 2] : [14];
  const transforms: IkeTransform[] = [];
  for (const group of groups) {
    for (const [cipher, keyBits] of [
      [7, 256],
      [7, 128],
      [5, 0],
    ] as const) {
      for (const hash of [4, 2]) {
        // Pre-shared key, RSA signatures, and a pre-shared key with XAUTH.
        for (const authentication of [1, 3, 65_001]) {
          transforms.push({
            type: transforms.length + 1,
            id: 1,
            attributes: [
              attribute(1, cipher),
              ...(keyBits === 0 ? [] : [attribute(14, keyBits)]),
              attribute(2, hash),
              attribute(4, group),
              attribute(3, authentication),
              attribute(11, 1),
              attribute(12, 28_800),
            ],
          });
        }
      }
    }
  }
  const proposal = { number: 1, protocolId: 1, spi: new Uint8Array(), transforms };
  const identity = concat(
    Uint8Array.of(11, 0, 0, 0),
    Uint8Array.from('probe', (letter) => letter.charCodeAt(0)),
  );
  const aggressive = [
    payload(payloadTypesV1.keyExchange, mode === 'aggressive' ? keyExchange(random) : new Uint8Array()),
    payload(payloadTypesV1.nonce, random(20)),
    payload(payloadTypesV1.identification, identity),
  ];
  return emitIsakmp({
    header: {
      initiatorSpi,
      responderSpi: 0n,
      majorVersion: 1,
      minorVersion: 0,
      exchangeType: mode === 'main' ? exchangeTypes.mainMode : exchangeTypes.aggressiveMode,
      flags: {},
      messageId: 0,
    },
    payloads: [
      payload(payloadTypesV1.securityAssociation, emitSecurityAssociation(1, [proposal])),
      ...(mode === 'aggressive' ? aggressive : []),
      payload(payloadTypesV1.vendorId, hex(vendorIds.natTraversal)),
      payload(payloadTypesV1.vendorId, hex(vendorIds.deadPeerDetection)),
    ],
    encrypted: null,
  });
}

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function readV2({ header, payloads }: IsakmpMessage): Reaction {
  if (!header.flags.response) return null;
  const notifications = payloads
    .filter((one) => one.type === payloadTypesV2.notify)
    .map((one) => parseNotify(2, one.body).type);
  const refusal = notifications.find((type) => type < 16_384);
  // Another group, or a cookie first: it would go on with the next message.
  if (refusal === notifyTypes.invalidKePayload || notifications.includes(notifyTypes.cookie)) {
    return ended('answered', 'The server speaks IKEv2 and wants to go on.');
  }
  if (refusal !== undefined) {
    return ended('refused', `The server speaks IKEv2 and refused: ${words(refusal)}.`);
  }
  const natTraversal = notifications.includes(notifyTypes.natDetectionSourceIp);
  return ended(
    'answered',
    natTraversal
      ? 'The server speaks IKEv2 and NAT traversal: through a NAT its data goes by UDP 4500.'
      : 'The server speaks IKEv2 without NAT traversal: its data is raw ESP.',
  );
}

function readV1({ payloads }: IsakmpMessage, mode: Mode): Reaction {
  if (mode === 'v2') return ended('refused', 'The server speaks IKEv1 and refused IKEv2.');
  const notification = payloads.find((one) => one.type === payloadTypesV1.notification);
  if (notification) {
    return ended(
      'refused',
      `The server speaks IKEv1 and refused: ${words(parseNotify(1, notification.body).type)}.`,
    );
  }
  if (!payloads.some((one) => one.type === payloadTypesV1.securityAssociation)) return null;
  const natTraversal = payloads.some(
    (one) =>
      one.type === payloadTypesV1.vendorId && (vendorIdName(one.body) ?? '').startsWith('natTraversal'),
  );
  const data = natTraversal
    ? 'with NAT traversal: through a NAT its data goes by UDP 4500'
    : 'without NAT traversal: its data is raw ESP';
  const danger =
    mode === 'aggressive'
      ? ' Aggressive Mode with a shared key lets anybody test passwords at leisure; its owner should turn it off.'
      : '';
  return ended('answered', `The server speaks IKEv1 ${data}.${danger}`);
}

function words(type: number): string {
  const { name, what } = ikeError(type);
  return `${name}, ${what}`;
}
