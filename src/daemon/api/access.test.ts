import type { LightMyRequestResponse } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hotp } from '../admin/totp.ts';
import type { Route } from './route.ts';
import { ServedApi, type Sent } from './served-api.ts';
import { urlOf } from './server.ts';

const PASSWORD = 'correct horse battery';

let served: ServedApi;
beforeEach(() => {
  served = new ServedApi();
});
afterEach(() => served.close());

const code = (response: LightMyRequestResponse): string => response.json<{ code: string }>().code;
const requestOf = (route: Route): Sent => ({
  method: route.method,
  url: urlOf(route).replaceAll(/:\w+/g, '1'),
  ...(route.body ? { body: {} } : {}),
});
const ORIGIN = { origin: 'http://192.168.1.1' };

async function makeUser(): Promise<void> {
  await served.accounts.add('admin', PASSWORD);
}

async function logIn(more: object = {}, remoteAddress?: string): Promise<LightMyRequestResponse> {
  const body = { name: 'admin', password: PASSWORD, ...more };
  return served.ask({
    method: 'POST',
    url: '/api/v1/login',
    body,
    headers: ORIGIN,
    ...(remoteAddress ? { remoteAddress } : {}),
  });
}

const cookieOf = (response: LightMyRequestResponse): string =>
  String(response.headers['set-cookie']).split(';')[0]!;

describe('every route, one by one', () => {
  it('without log-in: refused, but for those that anybody may call', async () => {
    await makeUser();
    for (const route of served.routes) {
      const response = await served.ask(requestOf(route));
      const what = `${route.method} ${route.path}`;
      if (route.permission === 'anybody') expect(response.statusCode, what).not.toBe(403);
      else {
        expect(response.statusCode, what).toBe(401);
        expect(code(response), what).toBe('not-logged-in');
      }
    }
    expect(served.gateway.calls).toEqual([]);
    expect(served.routes.filter(({ permission }) => permission === 'anybody').map((one) => one.path)).toEqual(
      ['/login', '/first-run', '/openapi.json', '/reference', '/reference.css'],
    );
  });

  it('with a token that may read: what changes is refused, and what reads is answered', async () => {
    await makeUser();
    const { token } = served.keys.makeToken('reader', 'read');
    for (const route of served.routes) {
      if (route.permission === 'anybody' || route.streams) continue;
      const response = await served.ask({
        ...requestOf(route),
        headers: { authorization: `Bearer ${token}` },
      });
      const what = `${route.method} ${route.path}: ${response.body}`;
      if (route.permission === 'read') expect([200, 204, 400, 404], what).toContain(response.statusCode);
      else expect([response.statusCode, code(response)], what).toEqual([403, 'forbidden']);
    }
    expect(served.gateway.calls.filter((call) => call !== 'status')).toEqual([]);
  });

  it('from the page of another site: refused, with or without a log-in', async () => {
    await makeUser();
    const cookie = cookieOf(await logIn());
    for (const route of served.routes.filter(({ method }) => method !== 'GET')) {
      const foreign: Record<string, string>[] = [
        { origin: 'http://evil.example' },
        { origin: 'null' },
        { origin: 'https://192.168.1.1' },
        { origin: 'http://192.168.1.1:8080' },
        { 'sec-fetch-site': 'cross-site' },
      ];
      for (const headers of foreign) {
        const response = await served.ask({ ...requestOf(route), headers: { cookie, ...headers } });
        expect([response.statusCode, code(response)], route.path).toEqual([403, 'wrong-origin']);
      }
      if (route.permission !== 'full') continue;
      // A browser that says no origin at all is not believed either.
      expect(code(await served.ask({ ...requestOf(route), headers: { cookie } })), route.path).toBe(
        'wrong-origin',
      );
    }
    expect(served.gateway.calls).toEqual([]);
  });

  it('under a name that is not ours: refused, so that no foreign name can be pointed here', async () => {
    await makeUser();
    const { token } = served.keys.makeToken('all', 'full');
    for (const route of served.routes) {
      const headers = { host: 'evil.example', authorization: `Bearer ${token}` };
      const response = await served.ask({ ...requestOf(route), headers });
      expect([response.statusCode, code(response)], route.path).toEqual([421, 'wrong-host']);
    }
    for (const host of ['192.168.1.1', '192.168.1.1:8080', '[fd00::1]', 'gateway.lan', 'GATEWAY.lan:80']) {
      const headers = { host, authorization: `Bearer ${token}` };
      expect((await served.ask({ method: 'GET', url: '/api/v1/status', headers })).statusCode, host).toBe(
        200,
      );
    }
  });

  it('names who may call it, and only the socket may do what is for the machine itself', async () => {
    await makeUser();
    const { token } = served.keys.makeToken('all', 'full');
    for (const route of served.routes.filter(({ permission }) => permission === 'socket')) {
      const response = await served.ask({
        ...requestOf(route),
        headers: { authorization: `Bearer ${token}` },
      });
      expect([response.statusCode, code(response)], route.path).toEqual([403, 'forbidden']);
    }
    expect(served.downs).toBe(0);
  });

  it('every answer carries the strict headers, also a refusal and a page', async () => {
    for (const url of ['/api/v1/status', '/api/v1/reference', '/', '/nowhere.js']) {
      const { headers } = await served.ask({ method: 'GET', url });
      expect(headers['content-security-policy'], url).toContain("script-src 'self'");
      expect(headers['content-security-policy'], url).not.toContain('unsafe');
      expect(headers, url).toMatchObject({
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
      });
    }
    expect((await served.ask({ method: 'GET', url: '/api/v1/status' })).headers['cache-control']).toBe(
      'no-store',
    );
  });
});

describe('the first account', () => {
  const first = (more: object) =>
    served.ask({
      method: 'POST',
      url: '/api/v1/first-run',
      body: { name: 'admin', password: PASSWORD, ...more },
      headers: ORIGIN,
    });

  it('is made with the one-time code, which is shown at the machine only', async () => {
    expect(code(await served.ask({ method: 'GET', url: '/api/v1/login' }))).toBe('first-run');
    expect(code(await logIn())).toBe('first-run');
    const told = (await served.socket.inject('/api/v1/first-run')).json<{ needed: boolean; code: string }>();
    expect(told).toMatchObject({
      needed: true,
      code: expect.stringMatching(/^[A-Z2-9]{4}-[A-Z2-9]{4}$/) as string,
    });
    const wrong = await first({ code: 'AAAA-AAAA' });
    expect([wrong.statusCode, code(wrong)]).toEqual([401, 'login-failed']);
    expect(wrong.json()).toMatchObject({ problems: [{ path: 'code' }] });
    const right = await first({ code: told.code.toLowerCase().replace('-', ' ') });
    expect(right.json()).toMatchObject({ name: 'admin', via: 'login' });
    const me = await served.ask({
      method: 'GET',
      url: '/api/v1/login',
      headers: { cookie: cookieOf(right) },
    });
    expect(me.json()).toMatchObject({ name: 'admin', may: 'full' });
    expect(code(await first({ code: told.code, name: 'second' }))).toBe('not-first-run');
    expect((await served.socket.inject('/api/v1/first-run')).json()).toMatchObject({
      needed: false,
      code: null,
    });
  });

  it('a guesser is locked out, and a weak password or an odd name is refused by its field', async () => {
    const told = await first({ code: 'x', name: '-', password: 'short' });
    expect(told.json<{ problems: { path: string }[] }>().problems.map(({ path }) => path)).toEqual([
      'name',
      'password',
    ]);
    for (let count = 0; count < 5; count += 1)
      expect(code(await first({ code: 'AAAA-AAAA' }))).toBe('login-failed');
    const locked = await first({ code: served.accounts.firstRunCode! });
    expect([locked.statusCode, code(locked)]).toEqual([429, 'locked-out']);
    expect(Number(locked.headers['retry-after'])).toBeGreaterThan(880);
  });
});

describe('logging in', () => {
  beforeEach(makeUser);

  it('sets a cookie that no script reads and no other site sends', async () => {
    const { headers } = await logIn();
    expect(headers['set-cookie']).toMatch(/^throughway=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  });

  it('five failures lock the address and the account for fifteen minutes', async () => {
    for (let count = 0; count < 5; count += 1) {
      const failed = await logIn({ password: 'wrong' });
      expect([failed.statusCode, code(failed)]).toEqual([401, 'login-failed']);
    }
    expect(code(await logIn())).toBe('locked-out');
    // The account from elsewhere, and another account from here.
    expect(code(await logIn({}, '192.168.1.99'))).toBe('locked-out');
    expect(code(await logIn({ name: 'other' }))).toBe('locked-out');
    expect(code(await logIn({ name: 'other' }, '192.168.1.98'))).toBe('login-failed');
    served.later = 14 * 60_000;
    expect(code(await logIn())).toBe('locked-out');
    served.later = 15 * 60_000 + 1000;
    expect((await logIn()).statusCode).toBe(200);
    expect(served.accounts.failures).toBe(6);
  });

  it('a new password from the shell opens what was locked, for the account and for who had failed at it', async () => {
    for (let count = 0; count < 5; count += 1) await logIn({ password: 'wrong' });
    for (let count = 0; count < 5; count += 1)
      await logIn({ name: 'other', password: 'wrong' }, '192.168.1.98');
    expect(code(await logIn())).toBe('locked-out');
    const changed = await served.socket.inject({
      method: 'PUT',
      url: '/api/v1/users/admin/password',
      payload: { password: 'quite another one', remove_totp: true },
    });
    expect(changed.statusCode).toBe(204);
    expect((await logIn({ password: 'quite another one' })).statusCode).toBe(200);
    expect(code(await logIn({ name: 'other' }, '192.168.1.98'))).toBe('locked-out');
  });

  it('a password that is refused is not repeated in the answer', async () => {
    for (const password of ['secret', 'secret'.repeat(100), 'secret\u0000']) {
      const { body, statusCode } = await served.socket.inject({
        method: 'POST',
        url: '/api/v1/users',
        payload: { name: 'anna', password },
      });
      expect(statusCode).toBe(400);
      expect(body).toContain('a password has 10 to 256 characters');
      expect(body).not.toContain('secret');
    }
    expect((await logIn({ password: 'secret'.repeat(100) })).body).not.toContain('secret');
  });

  it('many attempts at once gain nothing', async () => {
    const attempts = Array.from({ length: 12 }, () => logIn({ password: 'wrong' }));
    const codes = (await Promise.all(attempts)).map(code);
    expect(codes.filter((one) => one === 'login-failed')).toHaveLength(5);
    expect(codes.filter((one) => one === 'locked-out')).toHaveLength(7);
  });

  it('ends by itself when idle, when revoked, and with a new password', async () => {
    const ask = async (cookie: string): Promise<number> =>
      (await served.ask({ method: 'GET', url: '/api/v1/login', headers: { cookie } })).statusCode;
    const [one, other] = [cookieOf(await logIn()), cookieOf(await logIn())];
    expect([await ask(one), await ask(other)]).toEqual([200, 200]);
    const logins = (
      await served.ask({ method: 'GET', url: '/api/v1/logins', headers: { cookie: one } })
    ).json<{ id: string; current: boolean }[]>();
    expect(logins.filter(({ current }) => current)).toHaveLength(1);
    const { id } = logins.find(({ current }) => !current)!;
    const ended = await served.ask({
      method: 'DELETE',
      url: `/api/v1/logins/${id}`,
      headers: { cookie: one, ...ORIGIN },
    });
    expect(ended.statusCode).toBe(204);
    expect([await ask(one), await ask(other)]).toEqual([200, 401]);
    const third = cookieOf(await logIn());
    const change = (current: string) =>
      served.ask({
        method: 'PUT',
        url: '/api/v1/users/admin/password',
        body: { password: 'another long one', current },
        headers: { cookie: one, ...ORIGIN },
      });
    expect((await change('wrong')).json()).toMatchObject({
      code: 'bad-request',
      problems: [{ path: 'current' }],
    });
    expect((await change(PASSWORD)).statusCode).toBe(204);
    expect([await ask(one), await ask(third)]).toEqual([200, 401]);
    served.later = 3_600_000 + 60_000;
    expect(await ask(one)).toBe(401);
  });

  it('the cookie ends with the log-out', async () => {
    const cookie = cookieOf(await logIn());
    const out = await served.ask({ method: 'DELETE', url: '/api/v1/login', headers: { cookie, ...ORIGIN } });
    expect(out.headers['set-cookie']).toContain('Max-Age=0');
    expect((await served.ask({ method: 'GET', url: '/api/v1/login', headers: { cookie } })).statusCode).toBe(
      401,
    );
  });
});

describe('the second factor', () => {
  let cookie: string;
  beforeEach(async () => {
    await makeUser();
    cookie = cookieOf(await logIn());
  });
  const own = (method: 'POST' | 'PUT' | 'DELETE', body?: unknown) =>
    served.ask({ method, url: '/api/v1/users/admin/totp', body, headers: { cookie, ...ORIGIN } });
  const now = (): number => Math.floor((Date.now() + served.later) / 30_000);
  const codeAt = (secret: string, step: number): string => hotp(Buffer.from(base32(secret)), step);

  it('is proved, then asked for; a code counts once, a recovery code too; tokens go on without', async () => {
    const { token } = served.keys.makeToken('metrics', 'read');
    const { secret, uri } = (await own('POST')).json<{ secret: string; uri: string }>();
    expect(uri).toBe(`otpauth://totp/Throughway%20test:admin?secret=${secret}&issuer=Throughway%20test`);
    expect((await own('PUT', { code: '000' })).json()).toMatchObject({ problems: [{ path: 'code' }] });
    expect((await logIn()).statusCode).toBe(200);
    const proved = (await own('PUT', { code: codeAt(secret, now()) })).json<{ recovery_codes: string[] }>();
    expect(proved.recovery_codes).toHaveLength(10);
    expect(code(await logIn())).toBe('totp-required');
    // The code that proved it was used already.
    expect(code(await logIn({ code: codeAt(secret, now()) }))).toBe('login-failed');
    served.later = 30_000;
    const next = codeAt(secret, now());
    expect((await logIn({ code: next })).statusCode).toBe(200);
    expect(code(await logIn({ code: next }))).toBe('login-failed');
    const recovery = proved.recovery_codes[0]!.toLowerCase();
    expect((await logIn({ code: recovery })).statusCode).toBe(200);
    expect(code(await logIn({ code: recovery }))).toBe('login-failed');
    const headers = { authorization: `Bearer ${token}` };
    expect((await served.ask({ method: 'GET', url: '/api/v1/status', headers })).statusCode).toBe(200);
    expect((await own('DELETE', { password: 'wrong' })).json()).toMatchObject({
      problems: [{ path: 'password' }],
    });
    expect((await own('DELETE', { password: PASSWORD })).statusCode).toBe(204);
    expect((await logIn()).statusCode).toBe(200);
  });

  it('guessing codes locks out like guessing passwords', async () => {
    const { secret } = (await own('POST')).json<{ secret: string }>();
    await own('PUT', { code: codeAt(secret, now()) });
    for (let count = 0; count < 5; count += 1) {
      expect(code(await logIn())).toBe('totp-required');
      expect(code(await logIn({ code: '123456' }))).toBe('login-failed');
    }
    expect(code(await logIn({ code: '123456' }))).toBe('locked-out');
  });

  it("of somebody else's account is not ours to change", async () => {
    await served.accounts.add('berta', PASSWORD);
    const headers = { cookie, ...ORIGIN };
    const response = await served.ask({ method: 'POST', url: '/api/v1/users/berta/totp', headers });
    expect(code(response)).toBe('forbidden');
  });
});

describe('accounts and tokens', () => {
  it('the last account stays; what is taken is refused by its field', async () => {
    await makeUser();
    const { token } = served.keys.makeToken('all', 'full');
    const headers = { authorization: `Bearer ${token}` };
    const last = await served.ask({ method: 'DELETE', url: '/api/v1/users/admin', headers });
    expect([last.statusCode, code(last)]).toEqual([409, 'last-user']);
    const taken = { name: 'ADMIN', password: PASSWORD };
    const again = await served.ask({ method: 'POST', url: '/api/v1/users', body: taken, headers });
    expect(again.json()).toMatchObject({ code: 'exists', problems: [{ path: 'name' }] });
    const body = { name: 'all', scope: 'read' };
    const twice = await served.ask({ method: 'POST', url: '/api/v1/tokens', body, headers });
    expect(twice.json()).toMatchObject({ code: 'exists', problems: [{ path: 'name' }] });
  });

  it('a revoked token is nobody, and its secret is kept nowhere', async () => {
    await makeUser();
    const { id, token } = served.keys.makeToken('all', 'full');
    const headers = { authorization: `Bearer ${token}` };
    const listed = await served.ask({ method: 'GET', url: '/api/v1/tokens', headers });
    expect(listed.body).not.toContain(token.slice(3));
    served.keys.revokeToken(id);
    expect((await served.ask({ method: 'GET', url: '/api/v1/status', headers })).statusCode).toBe(401);
  });
});

/** RFC 4648 6, for the test's own authenticator. */
function base32(text: string): number[] {
  const bits = text
    .split('')
    .map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'))
    .join('');
  return (bits.match(/.{8}/g) ?? []).map((octet) => Number.parseInt(octet, 2));
}
