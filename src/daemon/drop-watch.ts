// Tells in the events when the gateway begins to drop for a reason that a person can do something
// about. The noise of the internet at the door is counted in `status` and told to nobody; ESP on made-up
// SPIs is told by flood-watch.ts.
import type { DropName } from '../core/policy/counters.ts';
import { telling, type EventLog } from './event-log.ts';
import type { DropStatus } from './status.ts';

const LOOK_EVERY_MS = 30_000;
/** A reason that lasts is said again after this. */
const SAY_AGAIN_MS = 3_600_000;

const WORTH_TELLING: ReadonlySet<string> = new Set<DropName>([
  'esp_same_spi',
  'ah_refused',
  'own_gre',
  'ipsec_disabled',
  'pptp_disabled',
  'l2tp_disabled',
]);

/** Looks at the drops now and then until the returned function is called. */
export function watchDrops(read: () => Promise<readonly DropStatus[]>, events: EventLog): () => void {
  const before = new Map<string, number>();
  const said = new Map<string, number>();
  const look = async (isFirst: boolean): Promise<void> => {
    let drops: readonly DropStatus[];
    try {
      drops = await read();
    } catch {
      // The table is being put back; the next look sees it.
      return;
    }
    const now = performance.now();
    for (const { name, sentence, packets } of drops) {
      const grown = packets - (before.get(name) ?? 0);
      before.set(name, packets);
      const last = said.get(name);
      if (isFirst || grown <= 0 || !WORTH_TELLING.has(name)) continue;
      if (last !== undefined && now - last < SAY_AGAIN_MS) continue;
      said.set(name, now);
      const what = `${grown} packet${grown === 1 ? '' : 's'}: ${sentence}`;
      events.tell(telling('drop', 'warn', what));
    }
  };
  void look(true);
  const timer = setInterval(() => void look(false), LOOK_EVERY_MS).unref();
  return () => clearInterval(timer);
}
