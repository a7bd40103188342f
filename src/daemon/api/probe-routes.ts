// `POST /probe {"host":"vpn.example.org"}`: the whole report as JSON, or, where the caller accepts
// application/x-ndjson, each result in a line of its own as it comes and the report as the last line.
import { z } from 'zod';
import { reasonOf } from '../failure.ts';
import type { Prober } from '../probe.ts';
import { route, type Route } from './route.ts';

const NDJSON = 'application/x-ndjson';

const probeSchema = z.strictObject({
  host: z
    .string()
    .min(1, { error: 'a server is needed' })
    .max(255, { error: 'the name of a server has 255 characters at the most' })
    .meta({ hint: 'Send one server, such as {"host":"vpn.example.org"}' }),
});

const resultSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    address: z.string(),
    transport: z.enum(['udp', 'tcp', 'tls', 'ip']),
    port: z.int().nullable().meta({ description: 'Null where the protocol has no ports.' }),
    passthrough: z.enum(['ipsec', 'pptp', 'l2tp']).nullable(),
    verdict: z.enum(['answered', 'refused', 'other', 'closed', 'unreachable', 'silent']),
    detail: z.string().meta({ description: 'What was seen.' }),
    meaning: z.string().meta({ description: 'What it means for the devices behind the gateway.' }),
    took_ms: z.number(),
  })
  .meta({ id: 'ProbeResult' });

const reportSchema = z
  .object({
    host: z.string(),
    addresses: z.array(z.string()).readonly(),
    results: z.array(resultSchema).readonly(),
    conclusion: z.string().meta({ description: 'Whether passthrough is needed for this server.' }),
    took_ms: z.number(),
  })
  .meta({ id: 'ProbeReport' });

export function probeRoutes(prober: Prober): Route[] {
  return [
    route({
      method: 'POST',
      path: '/probe',
      permission: 'full',
      tag: 'Diagnosis',
      summary: 'Which VPN protocols a server answers',
      description: 'Sends first messages of each protocol from the gateway; takes some seconds.',
      body: probeSchema,
      answer: reportSchema,
      streams: {
        [NDJSON]: 'A line {"result"} for each protocol as it comes, then {"report"}, or {"failure"}.',
      },
      problems: ['busy', 'host-unknown'],
      handle: async ({ body, request, reply }) => {
        const aborted = new AbortController();
        reply.raw.once('close', () => {
          if (!reply.raw.writableFinished) aborted.abort();
        });
        if (!(request.headers.accept ?? '').includes(NDJSON)) {
          return prober.probe(body.host, () => undefined, aborted.signal);
        }
        let begun = false;
        const tell = (value: unknown): void => {
          if (!begun) {
            reply.hijack();
            reply.raw.writeHead(200, { 'content-type': NDJSON, 'cache-control': 'no-store' });
            begun = true;
          }
          reply.raw.write(`${JSON.stringify(value)}\n`);
        };
        try {
          tell({ report: await prober.probe(body.host, (result) => tell({ result }), aborted.signal) });
        } catch (error) {
          // Before the first result it is an ordinary failure, with its status.
          if (!begun) throw error;
          tell({ failure: reasonOf(error) });
        }
        reply.raw.end();
        return reply;
      },
    }),
  ];
}
