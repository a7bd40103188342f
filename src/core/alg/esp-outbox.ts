// The effects of one call of the pairing machine, in order, and the packets that wait at its word. Each
// held packet ends in exactly one `release` or `drop-held`; `deliver` may come before that, also twice.
import type { Ipv4Address } from '../address.ts';
import type { Child, Party } from './esp-state.ts';
import type { PairingEffect } from './fact.ts';

/** Of all servers together, up to 64 KB each in the daemon's memory. */
const MOST_HELD = 2048;

export class Outbox {
  #effects: PairingEffect[] = [];
  readonly #held = new Set<number>();

  /** What has come together since the last time. */
  take(): PairingEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  emit(effect: PairingEffect): void {
    this.#effects.push(effect);
  }

  /** Whether there is room for a packet to wait; it counts until it is released or dropped. */
  hold(held: number): boolean {
    if (this.#held.size >= MOST_HELD && !this.#held.has(held)) return false;
    this.#held.add(held);
    return true;
  }

  release(held: number | null): void {
    if (held === null) return;
    this.#held.delete(held);
    this.emit({ kind: 'release', held });
  }

  drop(held: number | null): void {
    if (held === null) return;
    this.#held.delete(held);
    this.emit({ kind: 'drop-held', held });
  }

  deliver(held: number, client: Ipv4Address): void {
    this.emit({ kind: 'deliver', held, client });
  }

  turn({ server, client }: Party): void {
    this.emit({ kind: 'turn', server: server.address, client });
  }

  /** Says where the outbound SPI of a child belongs, if that is new. */
  outbound({ out, party }: Child, as: 'known' | 'watched'): void {
    if (out === null || out.as === as) return;
    out.as = as;
    this.emit({ kind: 'outbound', client: party.client, server: party.server.address, spi: out.spi, as });
  }
}
