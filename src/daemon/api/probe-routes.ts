// `POST /api/v1/probe {"host":"vpn.example.org"}`: the whole report as JSON, or, where the caller accepts
// application/x-ndjson, each result in a line of its own as it comes and the report as the last line.
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { Failure, reasonOf } from '../failure.ts';
import type { Prober } from '../probe.ts';

const NDJSON = 'application/x-ndjson';

const probeSchema = z.strictObject({ host: z.string().min(1).max(255) });

export function addProbeRoutes(api: FastifyInstance, prober: Prober): void {
  api.post('/api/v1/probe', async (request, reply) => {
    const body = probeSchema.safeParse(request.body);
    if (!body.success) {
      throw new Failure(
        'bad-request',
        'Nothing was tried. Send one server and nothing else, such as {"host":"vpn.example.org"}.',
      );
    }
    const aborted = new AbortController();
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished) aborted.abort();
    });
    if (!(request.headers.accept ?? '').includes(NDJSON)) {
      return prober.probe(body.data.host, () => undefined, aborted.signal);
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
      tell({ report: await prober.probe(body.data.host, (result) => tell({ result }), aborted.signal) });
    } catch (error) {
      // Before the first result it is an ordinary failure, with its status.
      if (!begun) throw error;
      tell({ failure: reasonOf(error) });
    }
    reply.raw.end();
  });
}
