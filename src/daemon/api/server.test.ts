import type { FastifyInstance } from 'fastify';
import { existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Passthrough } from '../../core/config/schema.ts';
import { Failure } from '../failure.ts';
import { type FakeGateway, ServedApi } from './served-api.ts';
import { createApi, listenOnSocket } from './server.ts';

const ENABLED: Passthrough = { ipsec: 'enabled', pptp: 'enabled', l2tp: 'enabled' };

let served: ServedApi;
let gateway: FakeGateway;
let api: FastifyInstance;
beforeEach(() => {
  served = new ServedApi();
  ({ gateway, socket: api } = served);
});
afterEach(() => served.close());

const put = (payload: unknown, headers = { 'content-type': 'application/json' }) =>
  api.inject({
    method: 'PUT',
    url: '/api/v1/passthrough',
    headers,
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
  });

/** Checks the shape of RFC 9457 and gives what is told. */
function problem(response: { statusCode: number; headers: Record<string, unknown>; body: string }) {
  expect(response.headers['content-type']).toMatch(/^application\/problem\+json(;|$)/);
  const body = JSON.parse(response.body) as Record<string, unknown>;
  expect(Object.keys(body)).toEqual(['title', 'status', 'code', 'detail', 'problems']);
  expect(body['status']).toBe(response.statusCode);
  return body as { code: string; status: number; detail: string; problems: unknown[] };
}

describe('what can be asked', () => {
  it('status, switches and ruleset', async () => {
    expect((await api.inject('/api/v1/status')).json()).toMatchObject({ state: 'ok' });
    expect((await api.inject('/api/v1/passthrough')).json()).toEqual(ENABLED);
    const ruleset = await api.inject('/api/v1/ruleset');
    expect(ruleset.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(ruleset.body).toBe('table inet throughway {\n}\n');
  });

  it('a part of the switches; what is left out stays', async () => {
    gateway.text += 'passthrough: { l2tp: disabled }\n';
    const response = await put({ pptp: 'disabled' });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({
      ipsec: 'enabled',
      pptp: 'disabled',
      l2tp: 'disabled',
      ended: { pptp: 2 },
      ended_sessions: [],
    });
    expect(gateway.calls).toEqual(['set {"pptp":"disabled"}']);
    expect((await put({})).statusCode).toBe(200);
  });

  it('reload and down have no answer but that they are done', async () => {
    for (const what of ['reload', 'down']) {
      const response = await api.inject({ method: 'POST', url: `/api/v1/${what}` });
      expect([response.statusCode, response.body]).toEqual([204, '']);
    }
    expect(gateway.calls).toEqual(['reload', 'down']);
  });
});

describe('what is refused, with nothing changed', () => {
  it.each([
    [
      'an unknown switch',
      { ipsek: 'disabled' },
      {
        path: 'ipsek',
        message: '"ipsek" is not a setting; allowed here: ipsec, pptp, l2tp',
        hint: 'Did you mean "ipsec"?',
      },
    ],
    [
      'an unknown value',
      { pptp: 'off' },
      {
        path: 'pptp',
        message: '"off" is not allowed; allowed: "enabled" or "disabled"',
        hint: 'Did you mean "disabled"?',
      },
    ],
    [
      'nothing in a value',
      { l2tp: null },
      {
        path: 'l2tp',
        message: 'the setting is empty; allowed: "enabled" or "disabled"',
        hint: 'Write one of these',
      },
    ],
    [
      'a list',
      ['pptp'],
      {
        path: '',
        message: '"["pptp"]" is not allowed; a group of settings is needed',
        hint: 'Correct the value',
      },
    ],
    [
      'a text',
      '"pptp"',
      {
        path: '',
        message: '"pptp" is not allowed; a group of settings is needed',
        hint: 'Correct the value',
      },
    ],
    [
      'null',
      'null',
      {
        path: '',
        message: 'nothing was given; a group of settings is needed',
        hint: 'Name one of these: ipsec, pptp, l2tp',
      },
    ],
  ])('%s', async (_what, body, expected) => {
    const response = await put(body);
    expect(problem(response)).toMatchObject({
      status: 400,
      code: 'bad-request',
      detail: 'The settings are not allowed, so nothing was changed.',
      problems: [expected],
    });
    expect(gateway.calls).toEqual([]);
  });

  it('every problem at once', async () => {
    expect(problem(await put({ ipsec: 1, pptp: 'x', else: 1 })).problems).toHaveLength(3);
  });

  it.each([
    ['no JSON', '{pptp', undefined, 400, /^The request cannot be read: .* Send JSON such as/],
    ['an empty body', '', undefined, 400, /^The request cannot be read: /],
    ['a prototype', '{"__proto__":{"pptp":"disabled"}}', undefined, 400, /^The request cannot be read: /],
    ['too much', JSON.stringify({ pptp: 'x'.repeat(70_000) }), undefined, 413, /the most is 65536 bytes/],
    [
      'no JSON at all',
      'pptp=disabled',
      { 'content-type': 'text/xml' },
      415,
      /content-type: application\/json/,
    ],
  ])('%s', async (_what, body, headers, status, detail) => {
    const told = problem(await put(body, headers));
    expect(told).toMatchObject({ status, code: 'bad-request', problems: [] });
    expect(told.detail).toMatch(detail);
    expect(gateway.calls).toEqual([]);
  });

  it('what is not there', async () => {
    expect(problem(await api.inject('/api/v2/status'))).toMatchObject({
      status: 404,
      code: 'not-found',
      detail: 'There is no "GET /api/v2/status".',
    });
    expect(problem(await api.inject({ method: 'DELETE', url: '/api/v1/status' })).status).toBe(404);
  });
});

describe('what fails in the gateway', () => {
  it.each([
    ['config-invalid', 409],
    ['config-unreadable', 409],
    ['config-unwritable', 507],
    ['kernel-refused', 500],
  ] as const)('%s is status %i', async (code, status) => {
    gateway.failure = new Failure(code, 'A sentence.', [{ path: 'a', message: 'wrong', hint: 'Correct it' }]);
    const told = problem(await put({ pptp: 'disabled' }));
    expect(told).toMatchObject({ status, code, detail: 'A sentence.' });
    expect(told.problems).toHaveLength(1);
  });

  it('a fault of ours is logged and named as such', async () => {
    gateway.failure = new Error('boom');
    expect(problem(await api.inject('/api/v1/status'))).toMatchObject({ status: 500, code: 'internal' });
    expect(served.logged).toEqual(['error a request failed {"reason":"boom"}']);
  });

  it('a daemon that could not go down stays', async () => {
    gateway.failure = new Failure('kernel-refused', 'No.');
    expect((await api.inject({ method: 'POST', url: '/api/v1/down' })).statusCode).toBe(500);
    expect(served.downs).toBe(0);
  });
});

describe('the socket', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'throughway-'));
    path = join(folder, 'run', 'throughway.sock');
    // The tests' threads may not set it; the mode of the socket is seen to again after it is made.
    vi.spyOn(process, 'umask').mockReturnValue(0o022);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const failure = (work: Promise<unknown>) =>
    work.then(
      () => null,
      (error: unknown) => error as Failure,
    );
  const send = (request: string): Promise<string> =>
    new Promise((resolve) => {
      let answer = '';
      const socket = connect(path, () => socket.write(request));
      socket.on('data', (chunk) => (answer += String(chunk)));
      socket.on('close', () => resolve(answer));
    });

  it('is made with its folder, for its owner only, and the daemon stops after "down"', async () => {
    await listenOnSocket(api, path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const answer = await send('POST /api/v1/down HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 204 /);
    await expect.poll(() => served.downs).toBe(1);
  });

  it('the daemon stops after "down" also when the client did not wait', async () => {
    await listenOnSocket(api, path);
    let release = (): void => undefined;
    gateway.down = () => new Promise((resolve) => (release = resolve));
    const socket = connect(path, () => socket.write('POST /api/v1/down HTTP/1.1\r\nHost: x\r\n\r\n'));
    const closed = new Promise((resolve) =>
      api.server.once('connection', (one) => one.once('close', resolve)),
    );
    await expect.poll(() => String(release)).not.toContain('undefined');
    socket.destroy();
    await closed;
    release();
    await expect.poll(() => served.downs).toBe(1);
  });

  it('takes over what a dead daemon left, but not what a living one has', async () => {
    await listenOnSocket(api, path);
    const second = createApi({ routes: [], log: () => undefined, ready: Promise.resolve() });
    const refused = await failure(listenOnSocket(second, path));
    expect(refused).toMatchObject({ code: 'already-running' });
    expect(refused?.message).toContain(`"${path}"`);
    expect(existsSync(path)).toBe(true);
    await second.close();
  });

  it('does not remove what is no socket, and says what is needed', async () => {
    writeFileSync(join(folder, 'run'), 'mine');
    for (const place of [path, join(folder, 'run'), join(folder, 'x'.repeat(120))]) {
      const refused = await failure(listenOnSocket(api, place));
      expect(refused).toMatchObject({ code: 'socket-unusable' });
      expect(refused?.message).toContain('at most 107 bytes long');
    }
    expect(statSync(join(folder, 'run')).size).toBe(4);
  });

  it('removes a socket that nobody answers at', async () => {
    const dead = createServer();
    path = join(folder, 'dead.sock');
    await new Promise<void>((resolve) => dead.listen(path, resolve));
    renameSync(path, `${path}.kept`);
    await new Promise((resolve) => dead.close(resolve));
    renameSync(`${path}.kept`, path);
    await listenOnSocket(api, path);
    expect(await send('GET /api/v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toContain(
      '"ok"',
    );
  });
});
