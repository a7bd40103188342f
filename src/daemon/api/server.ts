// The HTTP API: the table of routes on a Fastify instance, once for the machine's own socket, which only
// root opens, and once for TCP behind a door that knows who calls. Failures become problem+json (RFC 9457)
// with a stable code.
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { chmodSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { createConnection } from 'node:net';
import { dirname } from 'node:path';
import { quote, type Problem } from '../../core/config/problem.ts';
import { LinuxError } from '../../linux/libc.ts';
import { Failure, reasonOf, type FailureCode } from '../failure.ts';
import type { Log } from '../log.ts';
import { statusOf } from './problem-status.ts';
import { readPart, type Caller, type Route } from './route.ts';

const MOST_BODY_BYTES = 65_536;
const JSON_TYPE = 'application/json; charset=utf-8';

/** What stands between a request and its route. */
export interface Door {
  /** Refuses with a Failure, or tells who calls. `route` is null for what is no route, such as a page. */
  admit(request: FastifyRequest, reply: FastifyReply, route: Route | null): Caller;
}

/** Over the machine's own socket everything may be called. */
const OPEN_DOOR: Door = {
  admit: () => ({ name: 'root', via: 'socket', address: null, id: null, may: 'full' }),
};

export interface ApiOptions {
  readonly routes: readonly Route[];
  readonly log: Log;
  /** Requests wait for this: the ruleset is in force. */
  readonly ready: Promise<void>;
  /** Left out: the machine's own socket. */
  readonly door?: Door;
  /** Answers what is no route of the API, or returns null. */
  readonly elsewhere?: (request: FastifyRequest, reply: FastifyReply) => FastifyReply | null;
  /** Whose X-Forwarded headers are believed; nobody's unless said otherwise. */
  readonly isTrustedProxy?: (address: string) => boolean;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    readonly route?: Route;
  }
}

export function createApi(options: ApiOptions): FastifyInstance {
  const { routes, log, ready, door = OPEN_DOOR, elsewhere = () => null, isTrustedProxy } = options;
  const api = Fastify({
    logger: false,
    bodyLimit: MOST_BODY_BYTES,
    forceCloseConnections: true,
    trustProxy: isTrustedProxy ? (address) => isTrustedProxy(address) : false,
    // A HEAD of a stream would never end.
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 255 },
  });
  // Pages of other sites can send plain text without being asked first.
  api.removeContentTypeParser('text/plain');
  api.setErrorHandler((error, request, reply) => {
    if (error instanceof Failure) return sendFailure(reply, error);
    const status = (error as { statusCode?: number }).statusCode ?? 500;
    if (status < 500) {
      const most = request.routeOptions.bodyLimit ?? MOST_BODY_BYTES;
      return sendProblem(reply, status, 'bad-request', explainRequest(status, error, most));
    }
    log('error', 'a request failed', { reason: reasonOf(error) });
    const code = error instanceof LinuxError ? 'kernel-refused' : 'internal';
    return sendProblem(reply, 500, code, `The request failed: ${reasonOf(error)}. The log says more.`);
  });
  const callers = new WeakMap<FastifyRequest, Caller>();
  api.addHook('onRequest', async (request, reply) => {
    callers.set(request, door.admit(request, reply, request.routeOptions.config.route ?? null));
    await ready;
  });
  api.setNotFoundHandler(
    (request, reply) =>
      elsewhere(request, reply) ??
      sendProblem(reply, 404, 'not-found', `There is no ${quote(`${request.method} ${request.url}`)}.`),
  );
  for (const route of routes) {
    api.route({
      method: route.method,
      url: urlOf(route),
      bodyLimit: route.mostBodyBytes ?? MOST_BODY_BYTES,
      config: { route },
      handler: async (request, reply) => {
        const answered = await route.handle({
          params: readPart('params', route.params, request.params),
          query: readPart('query', route.query, request.query),
          body: readPart('body', route.body, request.body),
          caller: callers.get(request)!,
          request,
          reply,
        });
        if (answered === reply || reply.sent) return reply;
        if (route.answer === 'nothing') return reply.code(204).send();
        if ('text' in route.answer) return reply.type(route.answer.text).send(answered);
        return reply.type(JSON_TYPE).send(JSON.stringify(answered));
      },
    });
  }
  return api;
}

/** Of the route, as the server matches it. */
export function urlOf({ path, isAtRoot }: Pick<Route, 'path' | 'isAtRoot'>): string {
  return isAtRoot ? path : `/api/v1${path}`;
}

/** What a client did wrong that never reached a route. */
function explainRequest(status: number, error: unknown, mostBytes: number): string {
  if (status === 413)
    return `The request is too large; the most is ${mostBytes} bytes. Send only the settings to change.`;
  if (status === 415)
    return 'The request has no JSON body. Send JSON, with the header "content-type: application/json".';
  return `The request cannot be read: ${reasonOf(error)}. Send JSON such as {"pptp":"disabled"}.`;
}

function sendFailure(reply: FastifyReply, failure: Failure): FastifyReply {
  if (failure.retryAfterSeconds !== null) reply.header('retry-after', failure.retryAfterSeconds);
  return sendProblem(reply, statusOf(failure.code), failure.code, failure.message, failure.problems);
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
