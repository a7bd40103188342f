// Server-sent events on one reply: kept alive, and ended for whoever reads too slowly.
import type { OutgoingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';

export const EVENT_STREAM = 'text/event-stream';
/** Middle boxes close what says nothing for a minute. */
const KEEPALIVE_MS = 15_000;
/** Who reads so slowly that this much waits is gone: as much as all sessions there can be, and some. */
const MOST_WAITING_BYTES = 16 << 20;

export function wantsStream(request: FastifyRequest): boolean {
  return (request.headers.accept ?? '').includes(EVENT_STREAM);
}

/** Calls `begin` with the way to send; what it returns is called when the reader has gone. */
export function streamTo(reply: FastifyReply, begin: (send: (text: string) => void) => () => void): void {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    // What the door has set: the policies that hold for every answer.
    ...(reply.getHeaders() as OutgoingHttpHeaders),
    'content-type': EVENT_STREAM,
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  const send = (text: string): void => {
    if (raw.writableLength > MOST_WAITING_BYTES) raw.destroy();
    else raw.write(text);
  };
  // So that the reader knows at once that it is connected.
  send(':\n\n');
  const end = begin(send);
  const keepalive = setInterval(() => send(':\n\n'), KEEPALIVE_MS).unref();
  raw.once('close', () => {
    clearInterval(keepalive);
    end();
  });
}
