// What happened, as sentences: kept in the journal and told at once to those who follow. A device that
// makes a new session every moment fills neither: beyond a bound for each minute only one event says
// that more were left out.
import type { Protocol } from '../core/config/schema.ts';
import type { GatewayEvent } from './api/session.ts';
import type { EventDraft, Journal, KeptEvent } from './journal.ts';

/** Of one device; a household has a handful. */
const MOST_A_MINUTE = 60;
const MINUTE_MS = 60_000;
const WRITE_AFTER_MS = 200;

export type Telling = Omit<EventDraft, 'at'>;

/** An event that is about no session and no device. */
export function telling(kind: Telling['kind'], level: Telling['level'], what: string): Telling {
  return { kind, level, what, session: null, device: null };
}

export function describeSwitch(protocol: Protocol, value: 'enabled' | 'disabled', ended: number): Telling {
  const title = { ipsec: 'IPSec', pptp: 'PPTP', l2tp: 'L2TP' }[protocol];
  const rest =
    value === 'disabled' && ended > 0 ? ` ${ended} running connection${ended === 1 ? '' : 's'} ended.` : '';
  return telling('switch', 'info', `${title} Passthrough was ${value}.${rest}`);
}

export class EventLog {
  readonly #journal: Journal;
  readonly #followers = new Set<(event: GatewayEvent) => void>();
  #minute = 0;
  readonly #told = new Map<string, number>();
  #writeTimer: NodeJS.Timeout | null = null;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  tell(event: Telling): void {
    const at = Date.now();
    const minute = Math.floor(at / MINUTE_MS);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#told.clear();
    }
    const device = event.device ?? '';
    const told = (this.#told.get(device) ?? 0) + 1;
    this.#told.set(device, told);
    if (told > MOST_A_MINUTE + 1) return;
    const isOneTooMany = told > MOST_A_MINUTE;
    const kept = this.#journal.addEvent(
      isOneTooMany ? { ...event, at, level: 'warn', session: null, what: LEFT_OUT } : { ...event, at },
    );
    this.#writeSoon();
    const shaped = describeEvent(kept);
    for (const follower of this.#followers) follower(shaped);
  }

  #writeSoon(): void {
    if (this.#writeTimer) return;
    this.#writeTimer = setTimeout(() => {
      this.#writeTimer = null;
      this.#journal.flush();
    }, WRITE_AFTER_MS).unref();
  }

  /** Those after the event of number `since`, oldest first, the latest `limit` of them. */
  after(since: number, limit: number): GatewayEvent[] {
    return this.#journal.events(since, limit).map(describeEvent);
  }

  /** Calls for each new event until the returned function is called. */
  follow(follower: (event: GatewayEvent) => void): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  get followers(): number {
    return this.#followers.size;
  }
}

const LEFT_OUT = 'Very much happens on this device; further events of this minute are left out.';

function describeEvent({ id, at, kind, level, what, session, device }: KeptEvent): GatewayEvent {
  return { id, at: new Date(at).toISOString(), kind, level, what, session, device };
}
