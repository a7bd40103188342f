// What `throughway down` does when no daemon runs, and how it waits for the end of one that was told to stop.
import { setTimeout as sleep } from 'node:timers/promises';
import { takeLock } from '../linux/lock.ts';
import { Failure } from './failure.ts';
import { StateDirectory } from './files.ts';
import { removeTable } from './kernel-table.ts';
import { openUsableNft, requireNetAdmin } from './run.ts';
import { restoreSysctls } from './sysctls.ts';

/** Removes our table and restores the settings kept in the state directory. Throws Failure. */
export async function tearDown(stateDir: string): Promise<void> {
  requireNetAdmin();
  const release = await takeLock('throughway');
  if (release === null) {
    throw new Failure(
      'already-running',
      'A Throughway runs in this network namespace, but not at this socket. Name its socket with --socket PATH.',
    );
  }
  const nft = await openUsableNft();
  try {
    await removeTable(nft);
    const state = new StateDirectory(stateDir, () => undefined);
    restoreSysctls(state);
  } finally {
    nft.close();
    release();
  }
}

/** A daemon writes down what it knows before it ends. */
const END_PATIENCE_MS = 10_000;

/** Resolves when the daemon that has answered is gone, or after ten seconds: whoever asked may remove its files. */
export async function waitForEnd(): Promise<void> {
  const deadline = performance.now() + END_PATIENCE_MS;
  while (performance.now() < deadline) {
    const release = await takeLock('throughway');
    if (release !== null) return release();
    await sleep(20);
  }
}
