// The routes of sessions, devices and events. Events come as a list, or, where the caller accepts
// text/event-stream, one by one as they happen, from the one after `Last-Event-ID` on; sessions likewise.
import type { FastifyReply } from 'fastify';
import { Readable } from 'node:stream';
import { z } from 'zod';
import type { EventLog } from '../event-log.ts';
import { Failure } from '../failure.ts';
import type { Records } from '../records.ts';
import { EVENT_STREAM, streamTo, wantsStream } from './event-stream.ts';
import { route, type Route } from './route.ts';
import {
  deviceSchema,
  endedSessionSchema,
  eventSchema,
  sessionSchema,
  sessionStorySchema,
  trafficSchema,
} from './session-schema.ts';
import { SESSION_PROTOCOLS, SESSION_STATES, type GatewayEvent } from './session.ts';

/** Each costs a socket; a household has a few pages open. */
const MOST_FOLLOWERS = 64;
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

const trafficQuerySchema = z.strictObject({ span: z.enum(['hour', 'day']).default('hour') });

export type SessionRecords = Pick<Records, 'sessions' | 'devices' | 'events' | 'feed' | 'traffic'>;

export function sessionRoutes({ sessions, devices, events, feed, traffic }: SessionRecords): Route[] {
  return [
    route({
      method: 'GET',
      path: '/sessions',
      permission: 'read',
      tag: 'Sessions',
      summary: 'The sessions there are, and those that ended where asked for',
      query: sessionQuerySchema,
      answer: z.array(sessionSchema),
      streams: {
        [EVENT_STREAM]:
          'An event "all" with the sessions there are, or the first of them, then events "some" with those that are new or changed and the ids of those that are gone, once a second at the most. Of the query nothing is used.',
      },
      problems: ['busy'],
      handle: ({ query, request, reply }) => {
        if (!wantsStream(request))
          return reply.type('application/json; charset=utf-8').send(jsonArray(sessions.each(query)));
        refuseCrowd('sessions', feed.followers);
        streamTo(reply, (send) => feed.follow(send));
        return reply;
      },
    }),
    route({
      method: 'GET',
      path: '/traffic',
      permission: 'read',
      tag: 'Sessions',
      summary: 'What the sessions carried in the last hour or day, by protocol',
      query: trafficQuerySchema,
      answer: trafficSchema,
      problems: [],
      handle: ({ query }) => traffic.history(query.span),
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
        if (!wantsStream(request)) return events.after(since, limit);
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
  refuseCrowd('events', events.followers);
  streamTo(reply, (send) => {
    const tell = (event: GatewayEvent): void => send(`id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`);
    if (since !== null) for (const event of events.after(since, MOST_EVENTS)) tell(event);
    return events.follow(tell);
  });
}

function refuseCrowd(what: string, followers: number): void {
  if (followers < MOST_FOLLOWERS) return;
  throw new Failure(
    'busy',
    `${MOST_FOLLOWERS} others follow the ${what} already, the most there can be. Close one of them, or ask without "Accept: ${EVENT_STREAM}".`,
  );
}

const JSON_PART_LETTERS = 65_536;

/** The text of an array in parts, each made when the one before has been sent. */
function jsonArray(values: Iterable<unknown>): Readable {
  const parts = function* (): Iterable<string> {
    let part = '[';
    let isFirst = true;
    for (const value of values) {
      part += (isFirst ? '' : ',') + JSON.stringify(value);
      isFirst = false;
      if (part.length < JSON_PART_LETTERS) continue;
      yield part;
      part = '';
    }
    yield `${part}]`;
  };
  return Readable.from(parts());
}
