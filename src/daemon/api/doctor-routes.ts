// `POST /doctor`: looks at the gateway and what is around it, now. Changes nothing.
// `GET /topics`: the advice in plain words, for the page.
import { z } from 'zod';
import { TOPICS } from '../../core/advice/topics.ts';
import { CAUSES } from '../../core/doctor/finding.ts';
import type { Doctor } from '../doctor.ts';
import { route, type Route } from './route.ts';

const reportSchema = z
  .object({
    state: z.enum(['well', 'warning', 'fault']),
    findings: z
      .array(
        z.object({
          cause: z.enum(CAUSES),
          level: z.enum(['fault', 'warning']),
          what: z.string(),
          evidence: z.string(),
          remedy: z.string(),
          session: z.string().nullable(),
          device: z.string().nullable(),
          manual: z.string().meta({ description: "Where the manual goes on, on the gateway's own page." }),
        }),
      )
      .readonly()
      .meta({ description: 'Most likely culprit first.' }),
    took_ms: z.number(),
  })
  .meta({ id: 'DoctorReport' });

const subjectSchema = z.strictObject({
  session: z.string().max(32).optional().meta({ description: 'Only this session.' }),
  device: z.string().max(255).optional().meta({ description: 'Only this device: its id, address or name.' }),
});

const topicSchema = z
  .object({
    name: z.string(),
    title: z.string(),
    paragraphs: z
      .array(z.union([z.string(), z.array(z.string()).readonly()]))
      .readonly()
      .meta({ description: 'A paragraph that is a list has one item a line.' }),
  })
  .meta({ id: 'Topic' });

export function doctorRoutes(doctor: Doctor): Route[] {
  return [
    route({
      method: 'POST',
      path: '/doctor',
      permission: 'read',
      tag: 'Diagnosis',
      summary: 'Examine the gateway and what is around it',
      description:
        'Takes less than five seconds. Sends a few ARP questions, and probes to the servers of failing connections.',
      body: subjectSchema,
      answer: reportSchema,
      problems: ['not-found'],
      handle: ({ body }) => doctor.examine(body),
    }),
    route({
      method: 'GET',
      path: '/topics',
      permission: 'read',
      tag: 'Diagnosis',
      summary: 'Advice in plain words, by topic',
      answer: z.array(topicSchema).readonly(),
      problems: [],
      handle: () => TOPICS,
    }),
  ];
}
