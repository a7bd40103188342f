// The sessions as they are now, kept by the daemon's event stream while any page shows them. A stream may
// bring a thousand changes a second: they are gathered here and shown four times a second at the most.
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { openStream, type Stream } from './stream.ts';
import type { Session, SessionsAll, SessionsSome } from '../../daemon/api/session.ts';

export interface SessionsNow {
  /** In no order. */
  readonly list: readonly Session[];
  readonly byId: ReadonlyMap<string, Session>;
  /** Whether the stream has brought everything once. */
  readonly isKnown: boolean;
}

export const sessions = signal<SessionsNow>({ list: [], byId: new Map(), isKnown: false });
/** Whether the stream stands. */
export const isLive = signal(false);

const SHOW_EVERY_MS = 250;
/** A page that is left and another that is opened need not open the stream anew. */
const LINGER_MS = 3000;

let stream: Stream | null = null;
let readers = 0;
let gathered = new Map<string, Session>();
let isKnown = false;
let showing: ReturnType<typeof setTimeout> | undefined;
let lingering: ReturnType<typeof setTimeout> | undefined;

/** Keeps the sessions live while the component is shown. */
export function useSessions(): void {
  useEffect(() => {
    readers += 1;
    clearTimeout(lingering);
    if (!stream) open();
    return () => {
      readers -= 1;
      if (readers === 0) lingering = setTimeout(close, LINGER_MS);
    };
  }, []);
}

function open(): void {
  stream = openStream({
    address: () => '/sessions',
    onLive: (now) => {
      isLive.value = now;
    },
    heard: {
      all: (data) => {
        gathered = new Map((data as SessionsAll).sessions.map((one) => [one.id, one]));
        isKnown = true;
        show();
      },
      some: (data) => {
        const { changed, gone } = data as SessionsSome;
        for (const one of changed) gathered.set(one.id, one);
        for (const id of gone) gathered.delete(id);
        showing ??= setTimeout(show, SHOW_EVERY_MS);
      },
    },
  });
}

function show(): void {
  clearTimeout(showing);
  showing = undefined;
  sessions.value = { list: [...gathered.values()], byId: gathered, isKnown };
}

/** Ends the stream and forgets what it brought, as logging out must. */
export function close(): void {
  stream?.close();
  stream = null;
  isLive.value = false;
  gathered = new Map();
  isKnown = false;
  show();
}
