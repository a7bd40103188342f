// Who comes in over TCP: checked before any route sees the request. The name in the address bar must be one of
// this gateway's (DNS rebinding), what changes something must come from its own page (CSRF), nobody may ask
// without end, and a cookie or a token says who it is.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { quote } from '../../core/config/problem.ts';
import { firstRun, type Accounts } from '../admin/accounts.ts';
import type { Keys } from '../admin/keys.ts';
import { Failure } from '../failure.ts';
import { readLoginCookie } from './cookie.ts';
import { RateLimit } from './rate-limit.ts';
import type { Caller, Route } from './route.ts';
import type { Door } from './server.ts';

/** Nothing inline, nothing from elsewhere, in nobody's frame. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'cache-control': 'no-store',
};

export interface WebDoorOptions {
  readonly accounts: Accounts;
  readonly keys: Keys;
  /** The names of the gateway, in lower case. */
  readonly names: () => readonly string[];
}

export class WebDoor implements Door {
  readonly #options: WebDoorOptions;
  readonly #rates = new RateLimit();
  /** What is being answered to each log-in and token, so that a revoked one hears no more. */
  readonly #open = new Map<string, Set<ServerResponse>>();

  constructor(options: WebDoorOptions) {
    this.#options = options;
  }

  admit(request: FastifyRequest, reply: FastifyReply, route: Route | null): Caller {
    for (const [name, value] of Object.entries(HEADERS)) reply.raw.setHeader(name, value);
    if (request.protocol === 'https') reply.raw.setHeader('cross-origin-opener-policy', 'same-origin');
    this.#rates.count(request.ip);
    this.#checkHost(request);
    const changes = request.method !== 'GET' && request.method !== 'HEAD';
    if (changes) checkOrigin(request);
    const nobody: Caller = { name: 'nobody', via: 'nobody', address: request.ip, id: null, may: 'nothing' };
    if (route === null || route.permission === 'anybody') return nobody;
    const caller = this.#whoIs(request);
    if (caller === null) throw this.#options.accounts.isFirstRun ? firstRun() : notLoggedIn(request);
    if (route.permission === 'socket' || (route.permission === 'full' && caller.may !== 'full'))
      throw forbidden(route, caller);
    // Browsers always say where such a request comes from; programs take a token.
    if (changes && caller.via === 'login' && !comesFromOwnPage(request)) throw wrongOrigin('nothing');
    this.#follow(caller.id!, reply.raw);
    return caller;
  }

  /** Ends what is being sent to a log-in or token that is no more. */
  endOpen(id: string): void {
    for (const response of this.#open.get(id) ?? []) response.destroy();
  }

  #checkHost(request: FastifyRequest): void {
    const name = request.hostname.toLowerCase().replace(/^\[(.*)\]$/, '$1');
    // An address is never a name that somebody else could point here.
    if (isIP(name) !== 0 || this.#options.names().includes(name)) return;
    throw new Failure(
      'wrong-host',
      `${quote(name)} is no name of this gateway. Open it by its address, or add the name to "web.names" in the configuration.`,
    );
  }

  #whoIs(request: FastifyRequest): Caller | null {
    const { keys } = this.#options;
    const address = request.ip;
    const [scheme = '', token = ''] = (request.headers.authorization ?? '').split(' ');
    if (scheme.toLowerCase() === 'bearer') {
      const key = keys.findToken(token.trim());
      return key && { name: `the token "${key.name}"`, via: 'token', address, id: key.id, may: key.scope };
    }
    const secret = readLoginCookie(request);
    const key = secret ? keys.findLogin(secret) : null;
    return key && { name: key.user, via: 'login', address, id: key.id, may: 'full' };
  }

  #follow(id: string, response: ServerResponse): void {
    const open = this.#open.get(id) ?? new Set();
    this.#open.set(id, open.add(response));
    response.once('close', () => {
      open.delete(response);
      if (open.size === 0) this.#open.delete(id);
    });
  }
}

/** A page of another site says its origin; whoever says none is no browser, or an old one. */
function checkOrigin(request: FastifyRequest): void {
  const { origin } = request.headers;
  if (origin !== undefined && !isOwnOrigin(request, origin)) throw wrongOrigin(origin);
  const site = request.headers['sec-fetch-site'];
  if (site === 'cross-site' || site === 'same-site') throw wrongOrigin('another site');
}

function comesFromOwnPage(request: FastifyRequest): boolean {
  return request.headers.origin !== undefined || request.headers['sec-fetch-site'] === 'same-origin';
}

function isOwnOrigin(request: FastifyRequest, origin: string): boolean {
  return origin.toLowerCase() === `${request.protocol}://${request.host}`.toLowerCase();
}

function wrongOrigin(origin: string): Failure {
  return new Failure(
    'wrong-origin',
    `The request names ${quote(origin)} as its origin, and not this gateway's own page, so nothing was changed. Programs send a token instead of a cookie.`,
  );
}

function notLoggedIn(request: FastifyRequest): Failure {
  return new Failure(
    'not-logged-in',
    request.headers.authorization === undefined
      ? 'Nobody is logged in. Log in, or send a token in the header "Authorization: Bearer TOKEN".'
      : 'The token is not known; perhaps it was revoked. "throughway token create NAME" makes one.',
  );
}

function forbidden(route: Route, caller: Caller): Failure {
  return new Failure(
    'forbidden',
    route.permission === 'socket'
      ? "This can be done only at the machine itself, over the daemon's socket."
      : `${caller.name[0]!.toUpperCase()}${caller.name.slice(1)} may only read. Make a token of full scope for this.`,
  );
}
