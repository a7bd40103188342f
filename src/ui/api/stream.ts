// A stream of the daemon's events that is opened again for as long as somebody reads it. The browser does so
// by itself after a broken connection, but gives up when it was refused, as a daemon that is just starting or
// a proxy before it may do. Whether the log-in is over is asked then, so that the page says so at once.
import { call } from './client.ts';

const AGAIN_MS = 3000;

export interface Stream {
  close(): void;
}

interface StreamOptions {
  /** Asked for each time the stream is opened. */
  readonly address: () => string;
  readonly heard: Readonly<Record<string, (data: unknown) => void>>;
  readonly onLive?: (isLive: boolean) => void;
}

export function openStream({ address, heard, onLive = () => undefined }: StreamOptions): Stream {
  let source: EventSource;
  let again: ReturnType<typeof setTimeout> | undefined;
  const open = (): void => {
    source = new EventSource(`/api/v1${address()}`);
    source.addEventListener('open', () => onLive(true));
    source.addEventListener('error', () => {
      onLive(false);
      void call('GET', '/login').catch(() => undefined);
      if (source.readyState !== EventSource.CLOSED) return;
      clearTimeout(again);
      again = setTimeout(open, AGAIN_MS);
    });
    for (const [name, listener] of Object.entries(heard))
      source.addEventListener(name, (event) => listener(JSON.parse((event as MessageEvent<string>).data)));
  };
  open();
  return {
    close: () => {
      clearTimeout(again);
      source.close();
    },
  };
}
