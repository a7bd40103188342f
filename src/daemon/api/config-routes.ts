// The configuration as a whole: read, checked, planned, applied on probation, its history.
import { z } from 'zod';
import { passthroughSchema, configSchema } from '../../core/config/schema.ts';
import type { ConfigChanges } from '../admin/config-changes.ts';
import type { Gateway } from '../gateway.ts';
import {
  appliedSchema,
  applySchema,
  checkedSchema,
  detectedSchema,
  endingsSchema,
  pendingSchema,
  planSchema,
  versionParamsSchema,
  versionSchema,
  wantedConfigSchema,
  type Detected,
} from './config.ts';
import { route, type Caller, type Route } from './route.ts';

const TAG = 'Configuration';
const YAML = 'text/yaml; charset=utf-8';
const APPLY_PROBLEMS = [
  'change-pending',
  'config-invalid',
  'config-unreadable',
  'config-unwritable',
  'state-unwritable',
  'kernel-refused',
] as const;

export interface ConfigRoutesOptions {
  readonly gateway: Pick<Gateway, 'config' | 'readText'>;
  readonly changes: ConfigChanges;
  readonly detect: () => Detected[];
}

const applying = (caller: Caller, confirmWithin: number | null | undefined) => ({
  who: caller.name,
  confirmWithin,
  overNetwork: caller.via !== 'socket',
});

export function configRoutes({ gateway, changes, detect }: ConfigRoutesOptions): Route[] {
  return [
    route({
      method: 'GET',
      path: '/config',
      permission: 'read',
      tag: TAG,
      summary: 'The configuration in force, with every default',
      answer: configSchema,
      problems: [],
      handle: () => gateway.config,
    }),
    route({
      method: 'GET',
      path: '/config/text',
      permission: 'read',
      tag: TAG,
      summary: 'The file as it is, comments and all',
      answer: { text: YAML },
      problems: ['config-unreadable'],
      handle: () => gateway.readText(),
    }),
    route({
      method: 'PUT',
      path: '/config',
      permission: 'full',
      tag: TAG,
      summary: 'Change some settings; those left out stay, and so do the comments of the file',
      description: 'As "settings" of /config/apply, which says more.',
      body: z.record(z.string(), z.unknown()),
      answer: appliedSchema,
      problems: APPLY_PROBLEMS,
      handle: ({ body, caller }) => changes.apply({ settings: body }, applying(caller, undefined)),
    }),
    route({
      method: 'POST',
      path: '/config/check',
      permission: 'read',
      tag: TAG,
      summary: 'Every problem of a configuration; changes nothing',
      body: wantedConfigSchema,
      answer: checkedSchema,
      problems: [],
      handle: ({ body }) => changes.check(body),
    }),
    route({
      method: 'POST',
      path: '/config/plan',
      permission: 'read',
      tag: TAG,
      summary: 'What a configuration would change and end; changes nothing',
      body: wantedConfigSchema,
      answer: planSchema,
      problems: ['config-invalid', 'config-unreadable'],
      handle: ({ body }) => changes.plan(body),
    }),
    route({
      method: 'POST',
      path: '/config/apply',
      permission: 'full',
      tag: TAG,
      summary: 'Bring a configuration into force',
      description:
        'What can cut the administrator off (interfaces, firewall, web) and comes over TCP is on probation: it reverts by itself after 90 seconds unless confirmed.',
      body: applySchema,
      answer: appliedSchema,
      problems: APPLY_PROBLEMS,
      handle: ({ body: { confirm_within_seconds, ...wanted }, caller }) =>
        changes.apply(wanted, applying(caller, confirm_within_seconds)),
    }),
    route({
      method: 'GET',
      path: '/config/pending',
      permission: 'read',
      tag: TAG,
      summary: 'The change on probation, or null',
      answer: pendingSchema.nullable(),
      problems: [],
      handle: () => changes.pending,
    }),
    route({
      method: 'POST',
      path: '/config/confirm',
      permission: 'full',
      tag: TAG,
      summary: 'Keep the change on probation',
      answer: 'nothing',
      problems: ['nothing-pending'],
      handle: ({ caller }) => changes.confirm(caller.name),
    }),
    route({
      method: 'POST',
      path: '/config/revert',
      permission: 'full',
      tag: TAG,
      summary: 'Take the change on probation back now',
      answer: 'nothing',
      problems: ['nothing-pending', 'config-unwritable', 'kernel-refused'],
      handle: ({ caller }) => changes.revert(caller.name),
    }),
    route({
      method: 'GET',
      path: '/config/history',
      permission: 'read',
      tag: TAG,
      summary: 'The configurations that were in force, newest first',
      answer: z.array(versionSchema),
      problems: [],
      handle: () => changes.history.list(),
    }),
    route({
      method: 'GET',
      path: '/config/history/:id',
      permission: 'read',
      tag: TAG,
      summary: 'The text of one of them',
      params: versionParamsSchema,
      answer: { text: YAML },
      problems: ['not-found'],
      handle: ({ params }) => changes.history.text(params.id),
    }),
    route({
      method: 'GET',
      path: '/config/history/:id/diff',
      permission: 'read',
      tag: TAG,
      summary: 'What it changed, as a unified diff',
      params: versionParamsSchema,
      answer: { text: 'text/plain; charset=utf-8' },
      problems: ['not-found'],
      handle: ({ params }) => changes.history.diff(params.id),
    }),
    route({
      method: 'POST',
      path: '/config/history/:id/restore',
      permission: 'full',
      tag: TAG,
      summary: 'Bring it into force again',
      params: versionParamsSchema,
      answer: appliedSchema,
      problems: ['not-found', ...APPLY_PROBLEMS],
      handle: ({ params, caller }) =>
        changes.apply({ text: changes.history.text(params.id) }, applying(caller, undefined)),
    }),
    route({
      method: 'POST',
      path: '/passthrough/plan',
      permission: 'read',
      tag: 'Gateway',
      summary: 'The sessions that a change of the switches would end; changes nothing',
      body: z.strictObject({
        ipsec: passthroughSchema.shape.ipsec.unwrap().optional(),
        pptp: passthroughSchema.shape.pptp.unwrap().optional(),
        l2tp: passthroughSchema.shape.l2tp.unwrap().optional(),
      }),
      answer: endingsSchema,
      problems: [],
      handle: ({ body }) =>
        changes.endings(Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined))),
    }),
    route({
      method: 'GET',
      path: '/interfaces',
      permission: 'read',
      tag: TAG,
      summary: 'The interfaces of the machine, and what each is probably for',
      answer: z.array(detectedSchema),
      problems: [],
      handle: () => detect(),
    }),
  ];
}
