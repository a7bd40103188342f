// Changes a table of its own, so it runs in a network namespace of its own:
// THROUGHWAY_NETNS=1 unshare -Urnm --kill-child vitest run src/linux
import { deepStrictEqual, rejects, strictEqual } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, it } from 'vitest';
import type { NftElement } from '../core/wire/nft-elements.ts';
import { LinuxError } from './libc.ts';
import { type ElementStep, TableReader } from './nft-table.ts';

const nft = (ruleset: string): void => {
  execFileSync('nft', ['-f', '-'], { input: ruleset });
};
const key = (last: number): Uint8Array => Uint8Array.of(203, 0, 113, 1, 0, 0, 0x20, last);
const step = (what: 'add' | 'delete', last: number, device = 11): ElementStep => ({
  step: what,
  set: 'pairs',
  element: { key: key(last), data: Uint8Array.of(192, 168, 1, device), timeoutMs: 60_000 },
});
const refusedWith = (errno: string) => (error: unknown) =>
  error instanceof LinuxError && error.errno === errno;

describe.skipIf(!process.env['THROUGHWAY_NETNS'])('TableReader', () => {
  let table: TableReader;
  beforeAll(() => {
    nft(`table inet reader_test {
      map pairs { typeof ip saddr . esp spi : ip daddr; size 1000; flags dynamic,timeout; counter; timeout 3600s; }
    }`);
    table = new TableReader('reader_test');
  });
  afterAll(() => {
    table.close();
    nft('delete table inet reader_test');
  });

  const list = async (): Promise<[number, number][]> => {
    const found: [number, number][] = [];
    await table.listElements('pairs', ({ key: one, data }: NftElement) => found.push([one[7]!, data![3]!]));
    return found.sort(([a], [b]) => a - b);
  };

  it('adds and deletes elements in one transaction, or none', async () => {
    await table.change([step('add', 1), step('add', 2)]);
    deepStrictEqual(await list(), [
      [1, 11],
      [2, 11],
    ]);
    await table.change([step('add', 1)]);
    await rejects(table.change([step('add', 3), step('add', 1, 12)]), refusedWith('EEXIST'));
    await rejects(table.change([step('delete', 1), step('delete', 9)]), refusedWith('ENOENT'));
    deepStrictEqual(await list(), [
      [1, 11],
      [2, 11],
    ]);
    await table.change([step('delete', 1), step('add', 1, 12)]);
    deepStrictEqual((await list())[0], [1, 12]);
  });

  it('knows whether an element is there', async () => {
    strictEqual(await table.hasElement('pairs', key(2)), true);
    strictEqual(await table.hasElement('pairs', key(77)), false);
  });

  it('says when the map is full', async () => {
    const many = Array.from({ length: 999 }, (_, index): ElementStep => {
      const one = key(0);
      one.set([1, index >> 8, index & 0xff], 4);
      return {
        step: 'add',
        set: 'pairs',
        element: { key: one, data: Uint8Array.of(1, 2, 3, 4), timeoutMs: null },
      };
    });
    await rejects(table.change(many), refusedWith('ENFILE'));
    strictEqual((await list()).length, 2);
  });

  it('empties sets and maps, or none of them', async () => {
    strictEqual((await list()).length, 2);
    await rejects(table.flush(['pairs', 'missing']), refusedWith('ENOENT'));
    strictEqual((await list()).length, 2);
    await table.flush(['pairs']);
    deepStrictEqual(await list(), []);
    await table.flush([]);
  });
});
