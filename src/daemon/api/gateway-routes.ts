// The routes of the gateway itself: its status, the switches, the ruleset, reload and down.
import { z } from 'zod';
import { passthroughSchema, PROTOCOLS } from '../../core/config/schema.ts';
import type { ConfigChanges } from '../admin/config-changes.ts';
import type { Gateway } from '../gateway.ts';
import { endingsSchema } from './config.ts';
import { route, type Route } from './route.ts';

const onOff = z.enum(['enabled', 'disabled']);
const passthroughNow = z.object({ ipsec: onOff, pptp: onOff, l2tp: onOff });

const interfaceStatus = z
  .object({
    name: z.string(),
    state: z.enum(['up', 'down', 'missing']),
    addresses: z
      .array(z.string())
      .readonly()
      .meta({ description: 'With their prefix length, link-local ones left out.' }),
  })
  .meta({ id: 'Interface' });

const statusSchema = z
  .object({
    version: z.string(),
    state: z.enum(['ok', 'attention']).meta({ description: 'attention: there are problems to read.' }),
    started_at: z.iso.datetime(),
    passthrough: passthroughNow,
    ike_source_port: z.enum(['translate', 'preserve']),
    wan: interfaceStatus,
    lan: z.array(interfaceStatus).readonly(),
    nft: z.enum(['libnftables', 'nft']).meta({ description: 'How the daemon speaks to nftables.' }),
    problems: z
      .array(z.string())
      .readonly()
      .meta({ description: 'Whole sentences: what is wrong and what to do.' }),
    drops: z
      .array(z.object({ name: z.string(), sentence: z.string(), packets: z.int(), bytes: z.int() }))
      .readonly(),
    observation: z
      .object({
        copies: z.int().meta({ description: 'Passive copies of packets that were read.' }),
        missed: z.int().meta({ description: 'Copies that were lost; no packet was.' }),
        unreadable: z.int().meta({ description: 'Copies that are not what their ports say.' }),
        facts: z.int(),
        held: z.int().meta({ description: 'Packets that wait for their turn or their pair.' }),
        paired: z.int().meta({ description: 'ESP pairs that were put into the kernel.' }),
      })
      .optional()
      .meta({ description: 'What has been seen of what passes, since the daemon started.' }),
  })
  .meta({ id: 'Status' });

const changedSchema = passthroughNow
  .extend({
    ended: z
      .partialRecord(z.enum(PROTOCOLS), z.int())
      .meta({ description: 'How many connections ended for it.' }),
    ended_sessions: endingsSchema.shape.sessions.meta({ description: 'The sessions that ended for it.' }),
  })
  .meta({ id: 'PassthroughChange' });

/** What is left out stays as it is, so nothing has a default here. */
const changeSchema = z
  .strictObject({
    ipsec: passthroughSchema.shape.ipsec.unwrap().optional(),
    pptp: passthroughSchema.shape.pptp.unwrap().optional(),
    l2tp: passthroughSchema.shape.l2tp.unwrap().optional(),
  })
  .meta({ description: 'What is left out stays as it is.' });

export interface GatewayRoutesOptions {
  readonly gateway: Gateway;
  readonly changes: ConfigChanges;
  /** Called after `POST /down` has been answered. */
  readonly onDown: () => void;
}

export function gatewayRoutes({ gateway, changes, onDown }: GatewayRoutesOptions): Route[] {
  return [
    route({
      method: 'GET',
      path: '/status',
      permission: 'read',
      tag: 'Gateway',
      summary: 'What is in force, what is wrong, what was dropped',
      answer: statusSchema,
      problems: [],
      handle: () => gateway.status(),
    }),
    route({
      method: 'GET',
      path: '/passthrough',
      permission: 'read',
      tag: 'Gateway',
      summary: 'The switches of VPN passthrough',
      answer: passthroughNow,
      problems: [],
      handle: () => gateway.passthrough,
    }),
    route({
      method: 'PUT',
      path: '/passthrough',
      permission: 'full',
      tag: 'Gateway',
      summary: 'Switch protocols, in the file and at once in force',
      description: 'Running connections of a protocol that is turned off end.',
      body: changeSchema,
      answer: changedSchema,
      problems: [
        'change-pending',
        'config-invalid',
        'config-unreadable',
        'config-unwritable',
        'kernel-refused',
      ],
      handle: async ({ body, caller }) => {
        const change = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
        const { ended, sessions } = await changes.setPassthrough(change, caller.name);
        return { ...gateway.passthrough, ended, ended_sessions: sessions };
      },
    }),
    route({
      method: 'GET',
      path: '/ruleset',
      permission: 'read',
      tag: 'Gateway',
      summary: 'The nftables ruleset in force, as text',
      answer: { text: 'text/plain; charset=utf-8' },
      problems: [],
      handle: () => gateway.renderRuleset(),
    }),
    route({
      method: 'POST',
      path: '/reload',
      permission: 'full',
      tag: 'Gateway',
      summary: 'Read the configuration file again',
      answer: 'nothing',
      problems: ['config-invalid', 'config-unreadable', 'kernel-refused'],
      handle: ({ caller }) => changes.reload(caller.name),
    }),
    route({
      method: 'POST',
      path: '/down',
      permission: 'socket',
      tag: 'Gateway',
      summary: 'Remove the ruleset, restore the system settings and stop the daemon',
      answer: 'nothing',
      problems: ['kernel-refused'],
      handle: async ({ reply }) => {
        await gateway.down();
        // Also when the client has gone meanwhile: a daemon without its table is of no use.
        if (reply.raw.destroyed) onDown();
        else reply.raw.once('close', onDown);
      },
    }),
  ];
}
