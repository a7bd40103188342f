import { describe, expect, it } from 'vitest';
import { readsOrRefuses } from '../../../test/wire-properties.ts';
import { emitAttributes } from './netlink.ts';
import {
  emitCounterRequest,
  emitTableRequest,
  parseCounter,
  parseTableName,
  parseTableUserdata,
} from './nftables.ts';

const text = (word: string): Uint8Array => new TextEncoder().encode(`${word}\0`);
const message = (list: Parameters<typeof emitAttributes>[0]): Uint8Array =>
  Uint8Array.from([1, 0, 0, 0, ...emitAttributes(list)]);

describe('nftables messages', () => {
  it('refuse bytes with a WireError or read them, and nothing else', () => {
    for (const parse of [parseTableName, parseTableUserdata, parseCounter]) readsOrRefuses(parse);
  });

  it('name their table', () => {
    expect(parseTableName(emitTableRequest('throughway'))).toBe('throughway');
    expect(parseTableName(emitCounterRequest('throughway'))).toBe('throughway');
    expect(parseTableName(message([]))).toBeNull();
  });

  it('carry a comment', () => {
    expect(
      parseTableUserdata(
        message([
          [1, text('throughway')],
          [6, text('\0\u0008Comment')],
        ]),
      ),
    ).toContain('Comment');
    expect(parseTableUserdata(message([[1, text('throughway')]]))).toBe('');
  });

  it('count packets and bytes in 64 bits', () => {
    const data = [
      [1, Uint8Array.from([0, 0, 0, 1, 0, 0, 0, 2])],
      [2, Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 3])],
    ] as const;
    const counter = message([
      [1, text('throughway')],
      [2, text('wan_new')],
      [4, data],
    ]);
    expect(parseCounter(counter)).toEqual({ name: 'wan_new', packets: 3, bytes: 2 ** 32 + 2 });
    expect(parseCounter(message([[2, text('helper')]]))).toBeNull();
  });
});
