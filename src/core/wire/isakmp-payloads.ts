// The bodies of IKE payloads that tell something in the clear: proposals, notifications and vendor
// IDs. Attributes are kept as numbers and bytes; nonces, keys and identities are not read at all.
// RFC 2408 3.3 to 3.6 and 3.14, RFC 2407 4.2 and 4.6 (version 1), RFC 7296 3.3 and 3.10 (version 2).

import { assert } from '../assert.ts';
import { Reader, WireError, Writer } from './bytes.ts';

/** Notification types; up to 16383 errors, then status (RFC 2408 3.14.1, RFC 7296 3.10.1). */
export const notifyTypes = {
  invalidIkeSpi: 4,
  invalidSyntax: 7,
  invalidSpi: 11,
  noProposalChosen: 14,
  invalidKePayload: 17,
  authenticationFailed: 24,
  noAdditionalSas: 35,
  natDetectionSourceIp: 16388,
  natDetectionDestinationIp: 16389,
  cookie: 16390,
  useTransportMode: 16391,
  rekeySa: 16393,
  /** Version 1, RFC 3706 5.3. */
  areYouThere: 36136,
  areYouThereAck: 36137,
} as const;

/** Security protocols of proposals and notifications (RFC 2407 4.4.1, RFC 7296 3.3.1). */
export const securityProtocols = { ike: 1, ah: 2, esp: 3 } as const;

/** Vendor IDs that say how a peer meets a NAT, in hex (RFC 3947 3.1, its drafts, RFC 3706 5.1). */
export const vendorIds = {
  natTraversal: '4a131c81070358455c5728f20e95452f',
  natTraversalDraft02: 'cd60464335df21f87cfdb2fc68b6a448',
  natTraversalDraft02n: '90cb80913ebb696e086381b5ec427b1f',
  natTraversalDraft03: '7d9419a65310ca6f2c179d9215529d56',
  deadPeerDetection: 'afcad71368a1f1c96b8696fc77570100',
} as const;

/** A transform attribute: a number in the short form, bytes in the long form (RFC 2408 3.3). */
export interface IkeAttribute {
  readonly type: number;
  readonly value: number | Uint8Array;
}

/** A transform; `type` is the transform's number in version 1, where the type is not on the wire. */
export interface IkeTransform {
  readonly type: number;
  readonly id: number;
  readonly attributes: readonly IkeAttribute[];
}

/** One proposal; `spi` is empty for an IKE SA's first negotiation. */
export interface IkeProposal {
  readonly number: number;
  readonly protocolId: number;
  readonly spi: Uint8Array;
  readonly transforms: readonly IkeTransform[];
}

/** A notification; `doi` is null in version 2, which has none. */
export interface IkeNotify {
  readonly doi: number | null;
  readonly protocolId: number;
  readonly type: number;
  readonly spi: Uint8Array;
  readonly data: Uint8Array;
}

const IPSEC_DOI = 1;
const IDENTITY_ONLY = 1;
const SHORT_FORM = 0x8000;
const MORE_PROPOSALS = 2;
const MORE_TRANSFORMS = 3;

type Version = 1 | 2;

/** Reads the body of an SA payload. */
export function parseSecurityAssociation(version: Version, body: Uint8Array): IkeProposal[] {
  const reader = new Reader(body);
  if (version === 1) {
    // RFC 2407 4.2: in other situations labels come next, and no peer with those has been met.
    const doi = reader.u32();
    const situation = reader.u32();
    if (doi !== IPSEC_DOI || situation !== IDENTITY_ONLY) {
      throw new WireError('unsupported', 0, `DOI ${doi}, situation ${situation}`);
    }
  }
  const proposals: IkeProposal[] = [];
  let more = true;
  while (more) {
    more = reader.u8() === MORE_PROPOSALS;
    proposals.push(readProposal(version, body, substructure(body, reader)));
  }
  return proposals;
}

/** The bytes that the length just ahead takes in; `reader` goes on behind them. */
function substructure(body: Uint8Array, reader: Reader): Reader {
  reader.skip(1);
  const at = reader.at;
  const length = reader.u16();
  // RFC 2408 3.5 and 3.6, RFC 7296 3.3.1 and 3.3.2: the length counts these four octets.
  if (length < 4) throw new WireError('malformed', at, `substructure length ${length}`);
  const from = reader.at;
  reader.skip(length - 4);
  return new Reader(body.subarray(0, reader.at), from);
}

function readProposal(version: Version, body: Uint8Array, reader: Reader): IkeProposal {
  const number = reader.u8();
  const protocolId = reader.u8();
  const spiBytes = reader.u8();
  const count = reader.u8();
  const spi = reader.bytes(spiBytes);
  const transforms = Array.from({ length: count }, () => {
    reader.skip(1);
    return readTransform(version, substructure(body, reader));
  });
  return { number, protocolId, spi, transforms };
}

function readTransform(version: Version, reader: Reader): IkeTransform {
  const type = reader.u8();
  // RFC 2408 3.6 has the id in one octet and two reserved, RFC 7296 3.3.2 the other way round.
  const [first, second] = [reader.u8(), reader.u16()];
  const attributes: IkeAttribute[] = [];
  while (reader.remaining > 0) {
    const format = reader.u16();
    const size = reader.u16();
    const value = (format & SHORT_FORM) === 0 ? reader.bytes(size) : size;
    attributes.push({ type: format & ~SHORT_FORM, value });
  }
  return { type, id: version === 1 ? first : second, attributes };
}

/** The body of an SA payload, in version 1 for the IPsec DOI and identity only. */
export function emitSecurityAssociation(version: Version, proposals: readonly IkeProposal[]): Uint8Array {
  assert(proposals.length > 0, 'an SA payload has a proposal');
  const parts = proposals.map((proposal, index) => {
    const marker = index + 1 < proposals.length ? MORE_PROPOSALS : 0;
    return emitSubstructure(marker, emitProposal(version, proposal));
  });
  if (version === 1) parts.unshift(new Writer(8).u32(IPSEC_DOI).u32(IDENTITY_ONLY).bytes);
  return joined(parts);
}

function emitSubstructure(marker: number, content: Uint8Array): Uint8Array {
  const length = 4 + content.length;
  return new Writer(length).u8(marker).u8(0).u16(length).put(content).bytes;
}

function emitProposal(version: Version, proposal: IkeProposal): Uint8Array {
  const { number, protocolId, spi, transforms } = proposal;
  const parts = transforms.map((transform, index) => {
    const marker = index + 1 < transforms.length ? MORE_TRANSFORMS : 0;
    return emitSubstructure(marker, emitTransform(version, transform));
  });
  const fixed = new Writer(4).u8(number).u8(protocolId).u8(spi.length).u8(transforms.length).bytes;
  return joined([fixed, spi, ...parts]);
}

function emitTransform(version: Version, { type, id, attributes }: IkeTransform): Uint8Array {
  const fixed = new Writer(4).u8(type);
  if (version === 1) fixed.u8(id).u16(0);
  else fixed.u8(0).u16(id);
  const parts = attributes.map((attribute) =>
    typeof attribute.value === 'number'
      ? new Writer(4).u16(SHORT_FORM | attribute.type).u16(attribute.value).bytes
      : new Writer(4 + attribute.value.length)
          .u16(attribute.type)
          .u16(attribute.value.length)
          .put(attribute.value).bytes,
  );
  return joined([fixed.bytes, ...parts]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const writer = new Writer(parts.reduce((sum, part) => sum + part.length, 0));
  for (const part of parts) writer.put(part);
  return writer.bytes;
}

/** Reads the body of a notification. */
export function parseNotify(version: Version, body: Uint8Array): IkeNotify {
  const reader = new Reader(body);
  const doi = version === 1 ? reader.u32() : null;
  const protocolId = reader.u8();
  const spiBytes = reader.u8();
  const type = reader.u16();
  return { doi, protocolId, type, spi: reader.bytes(spiBytes), data: reader.rest() };
}

/** The body of a notification: of version 1 where it has a DOI, else of version 2. */
export function emitNotify({ doi, protocolId, type, spi, data }: IkeNotify): Uint8Array {
  const writer = new Writer((doi === null ? 4 : 8) + spi.length + data.length);
  if (doi !== null) writer.u32(doi);
  return writer.u8(protocolId).u8(spi.length).u16(type).put(spi).put(data).bytes;
}

/** Which of `vendorIds` the body of a vendor ID payload is, or null; longer bodies count by their beginning. */
export function vendorIdName(body: Uint8Array): keyof typeof vendorIds | null {
  const text = Array.from(body, (byte) => byte.toString(16).padStart(2, '0')).join('');
  for (const [name, hex] of Object.entries(vendorIds)) {
    if (text.startsWith(hex)) return name as keyof typeof vendorIds;
  }
  return null;
}
