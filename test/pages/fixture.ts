// A stand-in for the daemon where the pages are to meet what no lab can show in seconds: ten thousand
// sessions, a thousand changes a second, problems of every kind. It serves the built pages with the
// daemon's own headers. What the pages do with the real daemon is tested in the lab.
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../../dist/ui', import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const CONTENT_SECURITY_POLICY =
  "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

export type Answer = (request: IncomingMessage, reply: ServerResponse, body: string) => unknown;

export class Fixture {
  readonly #server: Server;
  readonly #routes: Readonly<Record<string, Answer>>;

  private constructor(routes: Readonly<Record<string, Answer>>) {
    this.#routes = routes;
    this.#server = createServer((request, reply) => this.#answer(request, reply));
  }

  /** `routes` by "METHOD /path" under /api/v1; an answer that is no `undefined` is sent as JSON. */
  static async start(routes: Readonly<Record<string, Answer>>, port = 0): Promise<Fixture> {
    const fixture = new Fixture(routes);
    await new Promise<void>((resolve) => fixture.#server.listen(port, '127.0.0.1', resolve));
    return fixture;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(request: IncomingMessage, reply: ServerResponse): void {
    const { pathname } = new URL(request.url ?? '/', 'http://fixture');
    reply.setHeader('content-security-policy', CONTENT_SECURITY_POLICY);
    if (!pathname.startsWith('/api/v1/')) return sendFile(pathname, reply);
    const path = pathname.slice('/api/v1'.length);
    const exact = this.#routes[`${request.method} ${path}`];
    const answer = exact ?? this.#routes[`${request.method} ${path.replace(/\/[^/]+$/, '/:id')}`];
    if (!answer) {
      reply.writeHead(404, { 'content-type': 'application/problem+json' });
      reply.end(JSON.stringify({ code: 'not-found', detail: `There is no "${request.method} ${path}".` }));
      return undefined;
    }
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      const sent = answer(request, reply, body);
      if (sent === undefined) return;
      reply.writeHead(200, { 'content-type': 'application/json' });
      reply.end(JSON.stringify(sent));
    });
    return undefined;
  }
}

function sendFile(pathname: string, reply: ServerResponse): void {
  const wanted = join(FOLDER, normalize(pathname === '/manual/' ? '/manual/index.html' : pathname));
  const isFile = wanted.startsWith(FOLDER) && existsSync(wanted) && statSync(wanted).isFile();
  const path = isFile ? wanted : join(FOLDER, 'index.html');
  reply.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' });
  createReadStream(path).pipe(reply);
}
