// The cookie of a log-in. Over TLS it has a name that no plain connection can set or overwrite (RFC 6265bis
// 4.1.3.2), and so the two never mix.
import type { FastifyReply, FastifyRequest } from 'fastify';

const PLAIN = 'throughway';
const SECURE = '__Host-throughway';

const isSecure = (request: FastifyRequest): boolean => request.protocol === 'https';

/** The secret that the request brings, or null. */
export function readLoginCookie(request: FastifyRequest): string | null {
  const wanted = isSecure(request) ? SECURE : PLAIN;
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const at = part.indexOf('=');
    if (part.slice(0, at).trim() === wanted) return part.slice(at + 1).trim();
  }
  return null;
}

/** Null takes it away. It lasts until the browser is closed; the daemon ends it earlier when it is idle. */
export function setLoginCookie(request: FastifyRequest, reply: FastifyReply, secret: string | null): void {
  const name = isSecure(request) ? SECURE : PLAIN;
  const parts = [`${name}=${secret ?? ''}`, 'Path=/', 'HttpOnly', 'SameSite=Strict'];
  if (isSecure(request)) parts.push('Secure');
  if (secret === null) parts.push('Max-Age=0');
  reply.header('set-cookie', parts.join('; '));
}
