// The routes of sessions, devices and events. Events come as a list, or, where the caller accepts
// text/event-stream, one by one as they happen, from the one after `Last-Event-ID` on.
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { problemsOf } from '../../core/config/problem.ts';
import type { EventLog } from '../event-log.ts';
import { Failure } from '../failure.ts';
import type { Records } from '../records.ts';
import { SESSION_PROTOCOLS, SESSION_STATES, type GatewayEvent } from './session.ts';

const EVENT_STREAM = 'text/event-stream';
/** Each costs a socket; a household has a few pages open. */
const MOST_FOLLOWERS = 64;
/** Middle boxes close what says nothing for a minute. */
const KEEPALIVE_MS = 15_000;
/** Who reads so slowly that this much waits is gone. */
const MOST_WAITING_BYTES = 1 << 20;
const MOST_EVENTS = 1_000;

const flag = z.enum(['true', 'false', '']).transform((text) => text !== 'false');

const sessionQuerySchema = z.strictObject({
  device: z.string().min(1).max(255).optional(),
  protocol: z.enum(SESSION_PROTOCOLS).optional(),
  state: z.enum(SESSION_STATES).optional(),
  ended: flag.optional(),
});

const eventQuerySchema = z.strictObject({
  since: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(MOST_EVENTS).default(200),
});

const deviceChangeSchema = z.strictObject({ given_name: z.string().max(255).nullable() });

export function addSessionRoutes(
  api: FastifyInstance,
  { sessions, devices, events }: Pick<Records, 'sessions' | 'devices' | 'events'>,
): void {
  api.get('/api/v1/sessions', (request) => sessions.list(read(sessionQuerySchema, request.query)));
  api.get<{ Params: { id: string } }>('/api/v1/sessions/:id', (request) => sessions.story(request.params.id));
  api.delete<{ Params: { id: string } }>('/api/v1/sessions/:id', async (request) => {
    const { session, released } = await sessions.end(request.params.id);
    return { ended: session.id, ...released };
  });

  api.get('/api/v1/devices', () => devices.list(sessions.countByAddress()));
  api.put<{ Params: { id: string } }>('/api/v1/devices/:id', (request) => {
    const { given_name } = read(deviceChangeSchema, request.body);
    return devices.setGivenName(request.params.id, given_name, sessions.countByAddress());
  });

  api.get('/api/v1/events', (request, reply) => {
    const { since, limit } = read(eventQuerySchema, request.query);
    if (!(request.headers.accept ?? '').includes(EVENT_STREAM)) return events.after(since, limit);
    const last = Number(request.headers['last-event-id'] ?? Number.NaN);
    // Without a place to go on from, what has happened is not told again.
    const hasPlace = Number.isInteger(last) || 'since' in (request.query as object);
    streamEvents(events, reply, Number.isInteger(last) ? last : hasPlace ? since : null);
  });
}

/** Throws Failure with every problem. */
function read<T extends z.ZodObject>(schema: T, given: unknown): z.output<T> {
  const result = schema.safeParse(given ?? {});
  if (result.success) return result.data;
  const problems = problemsOf(result.error, given, () => ({ settings: Object.keys(schema.shape) }));
  throw new Failure('bad-request', 'What was asked for cannot be read, so nothing was done.', problems);
}

function streamEvents(events: EventLog, reply: FastifyReply, since: number | null): void {
  if (events.followers >= MOST_FOLLOWERS) {
    throw new Failure(
      'busy',
      `${MOST_FOLLOWERS} others follow the events already, the most there can be. Close one of them, or ask without "Accept: ${EVENT_STREAM}".`,
    );
  }
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    'content-type': EVENT_STREAM,
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  const send = (text: string): void => {
    if (raw.writableLength > MOST_WAITING_BYTES) raw.destroy();
    else raw.write(text);
  };
  const tell = (event: GatewayEvent): void => send(`id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`);
  send(': events of the gateway\n\n');
  if (since !== null) for (const event of events.after(since, MOST_EVENTS)) tell(event);
  const unfollow = events.follow(tell);
  const keepalive = setInterval(() => send(':\n\n'), KEEPALIVE_MS).unref();
  raw.once('close', () => {
    clearInterval(keepalive);
    unfollow();
  });
}
