// Packets that the kernel dropped after it copied them here whole, until the pairing machine says where
// they go. Bounded in number, in bytes and in time: what is not called for is forgotten, as a packet
// that was lost on the way is.
import { BoundedTable } from '../core/alg/bounded-table.ts';
import type { CopyKind } from '../core/alg/copy.ts';
import type { Instant } from '../core/alg/machine.ts';

/** A second of a thousand devices that begin anew; with the longest packets 9 MB. */
const MOST_PACKETS = 1_024;
/** So that the flood of one server leaves room for the others. */
const MOST_OF_SERVER = 128;
/** Longer than any exchange is waited for. */
const PATIENCE_MS = 10_000;

export interface HeldPacket {
  readonly number: number;
  readonly kind: CopyKind;
  /** From the IP header on. */
  readonly bytes: Uint8Array;
  readonly since: Instant;
}

export class HeldPackets {
  readonly #packets = new BoundedTable<HeldPacket>(MOST_PACKETS, MOST_OF_SERVER);
  #next = 1;

  get size(): number {
    return this.#packets.size;
  }

  /** `server` shares the room among servers; gives the number that the packet waits under. */
  hold(kind: CopyKind, server: string, bytes: Uint8Array, now: Instant): number {
    const number = this.#next;
    this.#next += 1;
    // A copy of its own: the bytes are a part of a whole datagram of copies.
    this.#packets.set(String(number), server, { number, kind, bytes: bytes.slice(), since: now });
    return number;
  }

  get(number: number): HeldPacket | null {
    return this.#packets.get(String(number)) ?? null;
  }

  drop(number: number): void {
    this.#packets.delete(String(number));
  }

  /** Forgets what nobody has called for. */
  expire(now: Instant): void {
    const old = [...this.#packets.values()].filter(({ since }) => now - since > PATIENCE_MS);
    for (const { number } of old) this.drop(number);
  }
}
