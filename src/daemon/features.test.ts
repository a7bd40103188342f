import { describe, expect, it } from 'vitest';
import { LinuxError } from '../linux/libc.ts';
import { openNft, type Nft } from '../linux/nft.ts';
import { isNftRecent, missingFeatures, readNftVersion } from './features.ts';

/** An nft whose kernel refuses what matches. */
function nftWithout(refused: RegExp): Nft {
  return {
    way: 'libnftables',
    run: (commands) =>
      refused.test(commands)
        ? Promise.reject(new LinuxError('nft', 'EOPNOTSUPP', commands))
        : Promise.resolve(''),
    close: () => undefined,
  };
}

describe('what a kernel lacks', () => {
  it('is nothing where every trial is taken', async () => {
    expect(await missingFeatures(nftWithout(/never/))).toEqual([]);
  });

  it('is named one by one, with the module that brings it', async () => {
    expect(await missingFeatures(nftWithout(/ct helper/))).toEqual([
      expect.stringContaining('nf_conntrack_pptp'),
    ]);
    expect(await missingFeatures(nftWithout(/masquerade|ct timeout/))).toEqual([
      expect.stringContaining('nft_masq'),
      expect.stringContaining('nfnetlink_cttimeout'),
    ]);
  });

  it('is nf_tables alone where there are no tables at all', async () => {
    expect(await missingFeatures(nftWithout(/./))).toEqual([expect.stringContaining('nf_tables')]);
  });
});

// A kernel and a namespace of the test's own are needed: see scripts/test.ts.
it.skipIf(!process.env['THROUGHWAY_NETNS'])('a kernel that carries the gateway lacks nothing', async () => {
  const nft = openNft();
  expect(await missingFeatures(nft)).toEqual([]);
  nft.close();
});

describe('the version of nft', () => {
  it('is read from its JSON', async () => {
    const nft: Nft = {
      ...nftWithout(/never/),
      run: () => Promise.resolve('{"nftables":[{"metainfo":{"version":"1.0.9"}}]}'),
    };
    expect(await readNftVersion(nft)).toBe('1.0.9');
  });

  it.each([
    ['1.0.6', true],
    ['1.0.10', true],
    ['1.1', true],
    ['2.0.0', true],
    ['1.0.5', false],
    ['1.0', false],
    ['0.9.8', false],
  ])('%s is recent enough: %s', (version, recent) => {
    expect(isNftRecent(version)).toBe(recent);
  });
});
