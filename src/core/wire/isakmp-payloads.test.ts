import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { corpus, hex } from '../../../test/corpus/corpus.ts';
import {
  bytesUpTo,
  record,
  throwsWire,
  u16,
  u32,
  u8,
  wireProperties,
} from '../../../test/wire-properties.ts';
import {
  emitNotify,
  emitSecurityAssociation,
  notifyTypes,
  parseNotify,
  parseSecurityAssociation,
  securityProtocols,
  vendorIdName,
  vendorIds,
  type IkeNotify,
  type IkeProposal,
} from './isakmp-payloads.ts';
import { parseIsakmp } from './isakmp.ts';

function bodies(name: string): Uint8Array[] {
  return parseIsakmp(corpus('isakmp', name)).payloads.map(({ body }) => body);
}

it('reads the proposal of a main mode message', () => {
  const [body] = bodies('main-mode-1');
  const proposals = parseSecurityAssociation(1, body!);
  expect(proposals).toEqual([
    {
      number: 1,
      protocolId: securityProtocols.ike,
      spi: new Uint8Array(),
      transforms: [
        {
          type: 1,
          id: 1,
          attributes: [
            { type: 1, value: 7 },
            { type: 14, value: 256 },
            { type: 2, value: 4 },
            { type: 4, value: 14 },
            { type: 3, value: 1 },
            { type: 11, value: 1 },
            { type: 12, value: hex('00007080') },
          ],
        },
      ],
    },
  ]);
  expect(emitSecurityAssociation(1, proposals)).toEqual(body);
});

it('reads the proposal of an IKE_SA_INIT request', () => {
  const [body] = bodies('ike-sa-init-request');
  const proposals = parseSecurityAssociation(2, body!);
  expect(proposals).toHaveLength(1);
  expect(proposals[0]!.transforms.map(({ type, id }) => [type, id])).toEqual([
    [1, 12],
    [2, 5],
    [3, 12],
    [4, 14],
  ]);
  expect(proposals[0]!.transforms[0]!.attributes).toEqual([{ type: 14, value: 256 }]);
  expect(emitSecurityAssociation(2, proposals)).toEqual(body);
});

it('reads notifications of both versions', () => {
  expect(parseNotify(1, bodies('informational-v1-no-proposal')[0]!)).toEqual({
    doi: 1,
    protocolId: securityProtocols.ike,
    type: notifyTypes.noProposalChosen,
    spi: new Uint8Array(),
    data: new Uint8Array(),
  });
  const [, , source, destination] = bodies('ike-sa-init-request').map((body) => parseNotify(2, body));
  expect(source).toMatchObject({ doi: null, type: notifyTypes.natDetectionSourceIp });
  expect(destination).toMatchObject({ protocolId: 0, type: notifyTypes.natDetectionDestinationIp });
  expect(source!.data).toHaveLength(20);
});

it('knows vendor IDs by their beginning', () => {
  const [, natTraversal, deadPeerDetection] = bodies('main-mode-1');
  expect(vendorIdName(natTraversal!)).toBe('natTraversal');
  expect(vendorIdName(deadPeerDetection!)).toBe('deadPeerDetection');
  expect(vendorIdName(hex(`${vendorIds.natTraversalDraft03} 00`))).toBe('natTraversalDraft03');
  expect(vendorIdName(hex('4a13'))).toBeNull();
});

it('refuses another DOI and lengths that leave the header out', () => {
  throwsWire(() => parseSecurityAssociation(1, hex('00000002 00000001')), 'unsupported');
  throwsWire(() => parseSecurityAssociation(1, hex('00000001 00000004')), 'unsupported');
  throwsWire(() => parseSecurityAssociation(2, hex('00 00 0003 01 01 00 00')), 'malformed');
});

function proposals(transformId: fc.Arbitrary<number>): fc.Arbitrary<IkeProposal[]> {
  const attribute = record({
    type: fc.nat(0x7fff),
    value: fc.oneof<[fc.Arbitrary<number>, fc.Arbitrary<Uint8Array>]>(u16, bytesUpTo(8)),
  });
  const transform = record({
    type: u8,
    id: transformId,
    attributes: fc.array(attribute, { maxLength: 3 }),
  });
  const proposal = record({
    number: u8,
    protocolId: u8,
    spi: bytesUpTo(8),
    transforms: fc.array(transform, { maxLength: 3 }),
  });
  return fc.array(proposal, { minLength: 1, maxLength: 3 });
}

wireProperties('SA payload of version 1', {
  draft: proposals(u8),
  emit: (draft) => emitSecurityAssociation(1, draft),
  parse: (bytes) => parseSecurityAssociation(1, bytes),
});

wireProperties('SA payload of version 2', {
  draft: proposals(u16),
  emit: (draft) => emitSecurityAssociation(2, draft),
  parse: (bytes) => parseSecurityAssociation(2, bytes),
});

const notify = { protocolId: u8, type: u16, spi: bytesUpTo(8), data: bytesUpTo(30) };

wireProperties<IkeNotify, IkeNotify>('notification of version 1', {
  draft: record({ ...notify, doi: u32 }),
  emit: emitNotify,
  parse: (bytes) => parseNotify(1, bytes),
  openEnd: () => 'data',
});

wireProperties<IkeNotify, IkeNotify>('notification of version 2', {
  draft: record({ ...notify, doi: fc.constant(null) }),
  emit: emitNotify,
  parse: (bytes) => parseNotify(2, bytes),
  openEnd: () => 'data',
});
