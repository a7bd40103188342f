// The shapes of session.ts as schemas, for the description of the API. The routes' types keep both the same.
import { z } from 'zod';
import { SESSION_PROTOCOLS, SESSION_STATES } from './session.ts';

const time = z.iso.datetime();
const confidence = z.enum(['certain', 'probable', 'ambiguous']);
const traffic = z.object({ packets: z.int(), bytes: z.int() });

export const sessionSchema = z
  .object({
    id: z.string().meta({ description: 'The same over restarts of the daemon.' }),
    device: z.object({
      id: z.string(),
      name: z.string().nullable(),
      address: z.string(),
      mac: z.string().nullable(),
    }),
    protocol: z.enum(SESSION_PROTOCOLS),
    guessed: z.boolean().meta({ description: 'The wire does not prove the protocol.' }),
    server: z.object({ address: z.string(), name: z.string().nullable(), port: z.int().nullable() }),
    state: z.enum(SESSION_STATES),
    since: time,
    ended_at: time.nullable(),
    last_packet: z.object({ out: time.nullable(), in: time.nullable() }),
    traffic: z.object({ out: traffic, in: traffic }),
    expires_in_seconds: z
      .number()
      .nullable()
      .meta({ description: 'Until the gateway forgets it, if nothing passes; null where nothing expires.' }),
    details: z
      .array(z.object({ name: z.string(), value: z.string() }))
      .readonly()
      .meta({ description: "What an administrator would compare with the server's log." }),
    pairing: confidence.nullable().meta({ description: 'Of raw ESP; the least certain pair counts.' }),
    trouble: z.string().nullable().meta({ description: 'One sentence when something is wrong.' }),
  })
  .meta({ id: 'Session', description: "One device's VPN connection." });

export const sessionStorySchema = sessionSchema
  .extend({
    pairs: z.array(z.object({ spi: z.string(), confidence, evidence: z.string(), since: time })).readonly(),
    history: z
      .array(z.object({ at: time, what: z.string() }))
      .readonly()
      .meta({ description: 'What happened, oldest first.' }),
  })
  .meta({ id: 'SessionStory', description: 'Everything known of one session.' });

export const endedSessionSchema = z
  .object({
    ended: z.string(),
    connections: z.int().meta({ description: 'Connections that the kernel forgot for it.' }),
    associations: z.int().meta({ description: 'ESP security associations likewise.' }),
  })
  .meta({ id: 'EndedSession' });

export const deviceSchema = z
  .object({
    id: z.string(),
    address: z.string(),
    addresses: z.array(z.string()).readonly(),
    mac: z.string().nullable(),
    maker: z.string().nullable(),
    name: z.string().nullable().meta({ description: 'The given one, else the best of those found.' }),
    given_name: z.string().nullable(),
    name_source: z.enum(['given', 'dhcp', 'dns', 'mdns']).nullable(),
    first_seen: time,
    last_seen: time,
    sessions: z.int(),
    used: z.array(z.object({ protocol: z.enum(SESSION_PROTOCOLS), last: time })).readonly(),
  })
  .meta({ id: 'Device' });

export const eventSchema = z
  .object({
    id: z.int(),
    at: time,
    kind: z.enum(['session', 'switch', 'drop', 'system', 'login', 'config']),
    level: z.enum(['info', 'warn', 'error']),
    what: z.string(),
    session: z.string().nullable(),
    device: z.string().nullable(),
  })
  .meta({ id: 'Event' });

export const trafficSchema = z
  .object({
    span: z.enum(['hour', 'day']),
    step_seconds: z.int(),
    until: time.meta({ description: 'The end of the last step.' }),
    series: z
      .array(
        z.object({
          protocol: z.enum(SESSION_PROTOCOLS),
          out: z.array(z.int()).readonly(),
          in: z.array(z.int()).readonly(),
        }),
      )
      .readonly()
      .meta({ description: 'Bytes in each step, oldest first; every list is equally long.' }),
  })
  .meta({ id: 'TrafficHistory' });
