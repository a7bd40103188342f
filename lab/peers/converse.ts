// Traffic on sessions of any protocol that have two ends.
import type { Household } from '../topologies/household.ts';

export interface TwoEnded {
  /** The device sends one packet to the server. */
  up(): void;
  /** The server sends one packet to the device. */
  down(): void;
  /** Resolves when each end has what the other has sent, as it was sent; for sessions that can tell. */
  verify?(): Promise<void>;
}

/** Rounds of one packet each way on each session; resolves when all have arrived. */
export async function converse(
  household: Household,
  sessions: readonly TwoEnded[],
  rounds = 5,
): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    for (const session of sessions) {
      session.up();
      session.down();
    }
  }
  await household.ledger.settle();
  for (const session of sessions) await session.verify?.();
}
