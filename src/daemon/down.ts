// What `throughway down` does when no daemon runs.
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
