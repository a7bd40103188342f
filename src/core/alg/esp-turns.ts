// Whose turn it is to begin something new with a server, and who waits for it with what. The kernel
// keeps the turn (ARCHITECTURE.md, one device at a time) for two seconds; this is our idea of the same,
// and the line of those whose first packets are held. Nothing waits for ever: a full line lets through.
import type { Ipv4Address } from '../address.ts';
import type { Spi } from '../wire/esp.ts';
import type { IkeSeen } from './fact.ts';
import type { Instant } from './machine.ts';

/** As long as the kernel keeps it by itself. */
export const TURN_MS = 2000;
/** It is renewed a while before that. */
export const RENEW_MS = 1200;
/** However slow it is, others wait no longer for one device. */
const MOST_TURN_MS = 3000;
/** Devices in line at one server. */
const MOST_WAITING = 64;
/** Packets of one device that wait: an IKE message in fragments, or the first data. */
const MOST_HELD = 16;

/** A held IKE message, or a held packet of ESP on a new SPI. */
export interface HeldBack {
  readonly held: number;
  readonly what:
    | { readonly kind: 'ike'; readonly seen: IkeSeen }
    | { readonly kind: 'esp'; readonly spi: Spi };
}

interface Waiting {
  readonly client: Ipv4Address;
  readonly items: HeldBack[];
}

export class Turns {
  holder: Ipv4Address | null = null;
  since: Instant = 0;
  renewedAt: Instant = 0;
  readonly #line = new Map<Ipv4Address, Waiting>();

  get waiting(): number {
    return this.#line.size;
  }

  take(client: Ipv4Address, now: Instant): void {
    // It passed while it had the turn, and its copy came late: the turn is another's by now.
    if (this.holder !== null && this.holder !== client && !this.isOver(now)) return;
    if (this.holder !== client) this.since = now;
    this.holder = client;
    this.renewedAt = now;
  }

  /** The kernel has let it lapse, or it has lasted too long. */
  isOver(now: Instant): boolean {
    return this.holder === null || now >= this.renewedAt + TURN_MS || now >= this.since + MOST_TURN_MS;
  }

  /** Adds to what the device waits with. What comes back must be dropped or let through at once. */
  wait(client: Ipv4Address, item: HeldBack): 'waits' | 'repeated' | 'full' {
    const known = this.#line.get(client);
    if (known === undefined) {
      if (this.#line.size >= MOST_WAITING) return 'full';
      this.#line.set(client, { client, items: [item] });
      return 'waits';
    }
    if (known.items.some((one) => isRepeated(one, item))) return 'repeated';
    if (known.items.length >= MOST_HELD) return 'full';
    known.items.push(item);
    return 'waits';
  }

  /** The device that has waited longest, with all it waits with; the former one's turn is over. */
  next(): Waiting | null {
    const first = this.#line.values().next().value;
    if (first === undefined) return null;
    this.#line.delete(first.client);
    this.holder = null;
    return first;
  }
}

/** The same message once more, which is sent on once. The fragments of RFC 7383 2.5 have numbers. */
function isRepeated({ what: a }: HeldBack, { what: b }: HeldBack): boolean {
  if (a.kind !== 'ike' || b.kind !== 'ike') return false;
  const [one, other] = [a.seen.message, b.seen.message];
  return (
    one.header.initiatorSpi === other.header.initiatorSpi &&
    one.header.exchangeType === other.header.exchangeType &&
    one.header.messageId === other.header.messageId &&
    one.header.length === other.header.length &&
    a.seen.from === b.seen.from &&
    one.encrypted?.bytes[1] === other.encrypted?.bytes[1]
  );
}
