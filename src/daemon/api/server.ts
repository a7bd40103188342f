// The HTTP API over the unix socket, which only root can open, so it asks for no log-in. Routes turn
// requests into calls of the gateway; failures become problem+json (RFC 9457) with a stable code.
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { chmodSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { createConnection } from 'node:net';
import { dirname } from 'node:path';
import { settingAt } from '../../core/config/document.ts';
import { problemsOf, quote, type Problem } from '../../core/config/problem.ts';
import { passthroughSchema } from '../../core/config/schema.ts';
import { LinuxError } from '../../linux/libc.ts';
import { Failure, reasonOf, type FailureCode } from '../failure.ts';
import { Doctor } from '../doctor.ts';
import type { Gateway } from '../gateway.ts';
import { createProber } from '../probe.ts';
import type { Log } from '../log.ts';
import { addDoctorRoutes } from './doctor-routes.ts';
import type { Records } from '../records.ts';
import { addProbeRoutes } from './probe-routes.ts';
import { addSessionRoutes } from './sessions-routes.ts';
import type { PassthroughChange } from './types.ts';

const STATUS_OF: Partial<Record<FailureCode, number>> = {
  'bad-request': 400,
  'not-found': 404,
  busy: 409,
  'host-unknown': 422,
  'config-invalid': 409,
  'config-unreadable': 409,
  'config-unwritable': 507,
};

const MOST_BODY_BYTES = 65_536;

export interface ApiOptions {
  readonly gateway: Gateway;
  readonly records: Records;
  readonly log: Log;
  /** Requests wait for this: the ruleset is in force. */
  readonly ready: Promise<void>;
  /** Called after `POST /api/v1/down` has been answered. */
  readonly onDown: () => void;
}

export function createApi({ gateway, records, log, ready, onDown }: ApiOptions): FastifyInstance {
  const api = Fastify({ logger: false, bodyLimit: MOST_BODY_BYTES, forceCloseConnections: true });
  // A setting that is not known is the sender's mistake, never dropped in silence: zod checks bodies.
  api.setErrorHandler((error, _request, reply) => {
    if (error instanceof Failure)
      return sendProblem(reply, STATUS_OF[error.code] ?? 500, error.code, error.message, error.problems);
    const status = (error as { statusCode?: number }).statusCode ?? 500;
    if (status < 500) return sendProblem(reply, status, 'bad-request', explainRequest(status, error));
    log('error', 'a request failed', { reason: reasonOf(error) });
    const code = error instanceof LinuxError ? 'kernel-refused' : 'internal';
    return sendProblem(reply, 500, code, `The request failed: ${reasonOf(error)}. The log says more.`);
  });
  api.setNotFoundHandler((request, reply) =>
    sendProblem(reply, 404, 'not-found', `There is no ${quote(`${request.method} ${request.url}`)}.`),
  );

  api.addHook('onRequest', () => ready);

  api.get('/api/v1/status', () => gateway.status());
  api.get('/api/v1/passthrough', () => gateway.passthrough);
  api.put('/api/v1/passthrough', async (request): Promise<PassthroughChange> => {
    // What is left out stays as it is.
    const wanted = passthroughSchema.safeParse(
      isGroup(request.body) ? { ...gateway.passthrough, ...request.body } : request.body,
    );
    if (!wanted.success) {
      const problems = problemsOf(wanted.error, request.body, (path) => settingAt(['passthrough', ...path]));
      throw new Failure('bad-request', 'The settings are not allowed, so nothing was changed.', problems);
    }
    // Only what was sent: another request may be changing the rest at the same time.
    const sent = Object.keys(request.body as object);
    const change = Object.fromEntries(Object.entries(wanted.data).filter(([key]) => sent.includes(key)));
    const ended = await gateway.setPassthrough(change);
    return { ...gateway.passthrough, ended };
  });
  const doctor = new Doctor(gateway);
  api.addHook('onClose', () => doctor.close());
  addDoctorRoutes(api, doctor);
  addSessionRoutes(api, records);
  addProbeRoutes(
    api,
    createProber(() => gateway.passthrough),
  );
  api.get('/api/v1/ruleset', (_request, reply) =>
    reply.type('text/plain; charset=utf-8').send(gateway.renderRuleset()),
  );
  api.post('/api/v1/reload', async (_request, reply) => {
    await gateway.reload();
    return reply.code(204).send();
  });
  api.post('/api/v1/down', async (_request, reply) => {
    await gateway.down();
    // Also when the client has gone meanwhile: a daemon without its table is of no use.
    if (reply.raw.destroyed) onDown();
    else reply.raw.once('close', onDown);
    return reply.code(204).send();
  });
  return api;
}

/** What a client did wrong that never reached a route. */
function explainRequest(status: number, error: unknown): string {
  if (status === 413)
    return `The request is too large; the most is ${MOST_BODY_BYTES} bytes. Send only the settings to change.`;
  if (status === 415)
    return 'The request has no JSON body. Send JSON, with the header "content-type: application/json".';
  return `The request cannot be read: ${reasonOf(error)}. Send JSON such as {"pptp":"disabled"}.`;
}

function isGroup(body: unknown): body is Record<string, unknown> {
  return typeof body === 'object' && body !== null && !Array.isArray(body);
}

function sendProblem(
  reply: FastifyReply,
  status: number,
  code: FailureCode,
  detail: string,
  problems: readonly Problem[] = [],
): FastifyReply {
  return reply
    .code(status)
    .type('application/problem+json')
    .send(JSON.stringify({ title: code, status, code, detail, problems }));
}

/** Listens where only root may connect. A socket file that nobody answers at is a leftover and goes. */
export async function listenOnSocket(api: FastifyInstance, path: string): Promise<void> {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    if (isSocket(path)) {
      if (await isAnswered(path))
        throw new Failure(
          'already-running',
          `Another Throughway answers at "${path}". Stop it first, or name another socket with --socket PATH.`,
        );
      rmSync(path);
    }
    const before = process.umask(0o177);
    try {
      await api.listen({ path });
    } finally {
      process.umask(before);
    }
    chmodSync(path, 0o600);
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(
      'socket-unusable',
      `The socket "${path}" cannot be opened (${reasonOf(error)}). Its folder must be writable and its path at most 107 bytes long; name another with --socket PATH.`,
    );
  }
}

function isSocket(path: string): boolean {
  try {
    return statSync(path).isSocket();
  } catch {
    return false;
  }
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createConnection(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}
