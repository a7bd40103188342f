// The event log: what was before the page was opened, then what comes, newest first. Bounded, so that a
// page left open for a month stays as small as a new one.
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { GatewayEvent } from '../../daemon/api/session.ts';
import { getEvents } from './calls.ts';
import { openStream, type Stream } from './stream.ts';

/** Newest first. */
export const events = signal<readonly GatewayEvent[] | null>(null);
export const eventsError = signal<unknown>(null);

const MOST_KEPT = 5000;
const SHOW_EVERY_MS = 250;

/** Keeps the events live while the component is shown. */
export function useEvents(): void {
  useEffect(() => {
    let stream: Stream | null = null;
    let isOver = false;
    let arrived: GatewayEvent[] = [];
    let showing: ReturnType<typeof setTimeout> | undefined;
    const show = (): void => {
      showing = undefined;
      const newest = events.value?.[0]?.id ?? -1;
      const fresh = arrived.filter(({ id }) => id > newest).toReversed();
      arrived = [];
      if (fresh.length > 0) events.value = [...fresh, ...(events.value ?? [])].slice(0, MOST_KEPT);
    };
    const start = async (): Promise<void> => {
      try {
        events.value = (await getEvents()).toSorted((a, b) => b.id - a.id);
        eventsError.value = null;
      } catch (error) {
        eventsError.value = error;
      }
      if (isOver) return;
      stream = openStream({
        address: () => `/events?since=${events.value?.[0]?.id ?? 0}`,
        heard: {
          message: (data) => {
            arrived.push(data as GatewayEvent);
            showing ??= setTimeout(show, SHOW_EVERY_MS);
          },
        },
      });
    };
    void start();
    return () => {
      isOver = true;
      stream?.close();
      clearTimeout(showing);
    };
  }, []);
}
