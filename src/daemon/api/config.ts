// The shapes of everything about the configuration: checked, planned, applied on probation, its history.
import { z } from 'zod';
import { PROTOCOLS } from '../../core/config/schema.ts';

const time = z.iso.datetime();

/** The most that a change may be on probation: longer, and nobody remembers that it is. */
const MOST_PROBATION_SECONDS = 3600;
/** As document.ts has it. */
const MOST_TEXT = 65_536;

const problemSchema = z
  .object({
    path: z
      .string()
      .meta({ description: 'Which setting, such as "interfaces.lan[1]"; empty for the whole.' }),
    message: z.string(),
    hint: z.string().meta({ description: 'What to do.' }),
    line: z.int().optional().meta({ description: 'In the text, from 1, where it is known.' }),
  })
  .meta({ id: 'Problem' });

const confirmWithin = z.int().min(10).max(MOST_PROBATION_SECONDS);

/** A whole configuration as its text, or settings of which those left out stay as they are. */
const wanted = {
  text: z.string().max(MOST_TEXT).optional().meta({ description: 'A whole configuration file.' }),
  settings: z
    .record(z.string(), z.unknown())
    .optional()
    .meta({ description: 'Some settings; those left out stay, and so do the comments of the file.' }),
};
const isOneOf = (sent: { text?: string | undefined; settings?: unknown }): boolean =>
  (sent.text === undefined) !== (sent.settings === undefined);
const onlyOne = { error: 'either "text" or "settings" is needed, and not both' };

export const wantedConfigSchema = z.strictObject(wanted).refine(isOneOf, onlyOne);
export type WantedConfig = z.output<typeof wantedConfigSchema>;

export const applySchema = z
  .strictObject({
    ...wanted,
    confirm_within_seconds: confirmWithin.nullable().optional().meta({
      description:
        'On probation: reverts by itself unless confirmed in time. Null: at once and for good. Left out: 90 for what can cut the administrator off and comes over TCP, else none.',
    }),
  })
  .refine(isOneOf, onlyOne);

export const checkedSchema = z
  .object({ problems: z.array(problemSchema).readonly() })
  .meta({ id: 'Checked' });
export type Checked = z.output<typeof checkedSchema>;

const settingChangeSchema = z
  .object({
    path: z.string(),
    from: z.unknown().optional(),
    to: z.unknown().optional(),
  })
  .meta({ id: 'SettingChange' });

/** Of a session, what a person needs to recognise it. */
const endingSchema = z
  .object({ id: z.string(), protocol: z.string(), device: z.string(), server: z.string(), since: time })
  .meta({ id: 'Ending', description: 'A session that the change would end.' });

export const endingsSchema = z
  .object({
    sessions: z.array(endingSchema).readonly(),
    connections: z
      .partialRecord(z.enum(PROTOCOLS), z.int())
      .meta({ description: 'Connections in the kernel, by the switch that governs them.' }),
  })
  .meta({ id: 'Endings', description: 'What would end.' });
export type Endings = z.output<typeof endingsSchema>;

export const planSchema = z
  .object({
    problems: z
      .array(problemSchema)
      .readonly()
      .meta({ description: 'When there are any, nothing else is told.' }),
    changes: z.array(settingChangeSchema).readonly(),
    diff: z.string().meta({ description: 'Unified, of the text.' }),
    ruleset_diff: z.string().meta({ description: 'Unified, of the nftables ruleset.' }),
    ends: endingsSchema,
    needs_confirmation: z.boolean().meta({ description: 'Whether it can cut the administrator off.' }),
    warnings: z.array(z.string()).readonly(),
  })
  .meta({ id: 'ConfigPlan' });
export type ConfigPlan = z.output<typeof planSchema>;

export const pendingSchema = z
  .object({ reverts_at: time, who: z.string(), what: z.string() })
  .meta({ id: 'PendingChange', description: 'A change on probation.' });
export type PendingChange = z.output<typeof pendingSchema>;

export const appliedSchema = z
  .object({
    pending: pendingSchema.nullable(),
    changed: z.array(z.string()).readonly().meta({ description: 'The settings that changed.' }),
    ended: z.partialRecord(z.enum(PROTOCOLS), z.int()),
    warnings: z.array(z.string()).readonly().meta({ description: 'What to know of it, a sentence each.' }),
  })
  .meta({ id: 'Applied' });
export type Applied = z.output<typeof appliedSchema>;

export const versionSchema = z
  .object({
    id: z.int(),
    at: time,
    who: z.string(),
    what: z.string().meta({ description: 'The settings that changed.' }),
  })
  .meta({ id: 'Version', description: 'A configuration that was in force, newest first.' });
export type Version = z.output<typeof versionSchema>;

export const versionParamsSchema = z.strictObject({ id: z.coerce.number().int().min(1) });

export const detectedSchema = z
  .object({
    name: z.string(),
    state: z.enum(['up', 'down']),
    addresses: z.array(z.string()).readonly(),
    suggestion: z.enum(['wan', 'lan']).nullable(),
  })
  .meta({ id: 'Detected', description: 'An interface of the machine and what it is probably for.' });
export type Detected = z.output<typeof detectedSchema>;
