// The built pages and the manual: read from their folder once, sent with the right type, compressed, and for ever cacheable
// where the name carries a hash. An address that is no file is a place within the page. Knows no API.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const FOLDER = fileURLToPath(new URL('../../../dist/ui', import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
};

/** As the build names them. */
const HASHED = /^\/assets\/.+-[\w-]{8}\.\w+$/;
const COMPRESSIBLE = /^(text\/|image\/svg|application\/json)/;

interface PageFile {
  readonly type: string;
  readonly tag: string;
  readonly plain: Buffer;
  readonly compressed: Buffer | null;
}

const MISSING =
  '<!doctype html>\n<html lang="en"><title>Throughway</title><p>The pages are not built: run <code>npm run build:ui</code>. The API is at <a href="/api/v1/reference">/api/v1/reference</a>.</p></html>\n';

export class Pages {
  readonly #folder: string;
  readonly #files = new Map<string, PageFile>();
  #listed: readonly string[] = [];

  constructor(folder: string = FOLDER) {
    this.#folder = folder;
  }

  /** Null for what is no page: another method, or something below /api. */
  answer = (request: FastifyRequest, reply: FastifyReply): FastifyReply | null => {
    const path = request.url.split('?')[0]!;
    if ((request.method !== 'GET' && request.method !== 'HEAD') || /^\/(api|metrics)(\/|$)/.test(path))
      return null;
    if (path === '/manual') return reply.redirect('/manual/');
    const file = this.#at(path);
    if (file === null) {
      if (extname(path) !== '' || path.startsWith('/manual/')) return null;
      return reply.code(503).type(TYPES['.html']!).send(MISSING);
    }
    reply
      .type(file.type)
      .header('etag', file.tag)
      .header('vary', 'accept-encoding')
      .header('cache-control', HASHED.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache');
    if (request.headers['if-none-match'] === file.tag) return reply.code(304).send();
    if (file.compressed && /\bgzip\b/.test(request.headers['accept-encoding'] ?? ''))
      return reply.header('content-encoding', 'gzip').send(file.compressed);
    return reply.send(file.plain);
  };

  /** A file that is not there is missing; a place within the page has no ending. */
  #at(path: string): PageFile | null {
    if (path === '/manual/') return this.#file('/manual/index.html');
    const isPlace = extname(path) === '' && !path.startsWith('/manual/');
    return this.#file(path) ?? (isPlace ? this.#file('/index.html') : null);
  }

  #file(path: string): PageFile | null {
    const known = this.#files.get(path);
    if (known) return known;
    // Only what the folder lists can be asked for, so no path leads out of it.
    if (!this.#list().includes(path)) return null;
    const plain = readFileSync(join(this.#folder, path));
    const type = TYPES[extname(path)] ?? 'application/octet-stream';
    const file = {
      type,
      tag: `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`,
      plain,
      compressed: COMPRESSIBLE.test(type) ? gzipSync(plain) : null,
    };
    this.#files.set(path, file);
    return file;
  }

  /** Read once, when there is something. */
  #list(): readonly string[] {
    if (this.#listed.length > 0 || !existsSync(this.#folder)) return this.#listed;
    this.#listed = readdirSync(this.#folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(this.#folder.length));
    return this.#listed;
  }
}
