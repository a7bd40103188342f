// Opens a socket of the kernel's IPsec, so it runs in a network namespace of its own:
// THROUGHWAY_NETNS=1 unshare -Urnm --kill-child vitest run src/linux
import { deepStrictEqual } from 'node:assert/strict';
import { describe, it } from 'vitest';
import { openXfrmMonitor } from './xfrm.ts';

describe.skipIf(!process.env['THROUGHWAY_NETNS'])('openXfrmMonitor', () => {
  it('gives null on a kernel without xfrm, else the security associations of a new namespace: none', async () => {
    const monitor = await openXfrmMonitor({
      onChange: () => {},
      onError: (error) => {
        throw error;
      },
    });
    deepStrictEqual(monitor?.snapshot() ?? [], []);
    monitor?.close();
  });
});
