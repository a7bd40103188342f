// The routes of sessions, devices and events. Events come as a list, or, where the caller accepts
// text/event-stream, one by one as they happen, from the one after `Last-Event-ID` on.
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { EventLog } from '../event-log.ts';
import { Failure } from '../failure.ts';
import type { Records } from '../records.ts';
import { route, type Route } from './route.ts';
import {
  deviceSchema,
  endedSessionSchema,
  eventSchema,
  sessionSchema,
  sessionStorySchema,
} from './session-schema.ts';
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

const idSchema = z.strictObject({ id: z.string().min(1).max(255) });

const deviceChangeSchema = z.strictObject({ given_name: z.string().max(255).nullable() });

export function sessionRoutes({
  sessions,
  devices,
  events,
}: Pick<Records, 'sessions' | 'devices' | 'events'>): Route[] {
  return [
    route({
      method: 'GET',
      path: '/sessions',
      permission: 'read',
      tag: 'Sessions',
      summary: 'The sessions there are, and those that ended where asked for',
      query: sessionQuerySchema,
      answer: z.array(sessionSchema),
      problems: [],
      handle: ({ query }) => sessions.list(query),
    }),
    route({
      method: 'GET',
      path: '/sessions/:id',
      permission: 'read',
      tag: 'Sessions',
      summary: 'Everything known of one session',
      params: idSchema,
      answer: sessionStorySchema,
      problems: ['not-found'],
      handle: ({ params }) => sessions.story(params.id),
    }),
    route({
      method: 'DELETE',
      path: '/sessions/:id',
      permission: 'full',
      tag: 'Sessions',
      summary: 'End a session',
      description: 'The kernel forgets what it holds of it; the device may begin a new one.',
      params: idSchema,
      answer: endedSessionSchema,
      problems: ['not-found', 'kernel-refused'],
      handle: async ({ params }) => {
        const { session, released } = await sessions.end(params.id);
        return { ended: session.id, ...released };
      },
    }),
    route({
      method: 'GET',
      path: '/devices',
      permission: 'read',
      tag: 'Devices',
      summary: 'The devices that used VPNs',
      answer: z.array(deviceSchema),
      problems: [],
      handle: () => devices.list(sessions.countByAddress()),
    }),
    route({
      method: 'PUT',
      path: '/devices/:id',
      permission: 'full',
      tag: 'Devices',
      summary: 'Give a device a name, or with null the name that was found',
      params: idSchema,
      body: deviceChangeSchema,
      answer: deviceSchema,
      problems: ['not-found'],
      handle: ({ params, body }) =>
        devices.setGivenName(params.id, body.given_name, sessions.countByAddress()),
    }),
    route({
      method: 'GET',
      path: '/events',
      permission: 'read',
      tag: 'Events',
      summary: 'What happened, oldest first',
      query: eventQuerySchema,
      answer: z.array(eventSchema),
      streams: {
        [EVENT_STREAM]:
          'Each event as it happens, from the one after the header "Last-Event-ID" or "since" on.',
      },
      problems: ['busy'],
      handle: ({ query: { since, limit }, request, reply }) => {
        if (!(request.headers.accept ?? '').includes(EVENT_STREAM)) return events.after(since, limit);
        const last = Number(request.headers['last-event-id'] ?? Number.NaN);
        // Without a place to go on from, what has happened is not told again.
        const hasPlace = Number.isInteger(last) || 'since' in (request.query as object);
        streamEvents(events, reply, Number.isInteger(last) ? last : hasPlace ? since : null);
        return reply;
      },
    }),
  ];
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
