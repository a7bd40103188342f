// The page and the API over TCP (scenarios W1 to W6): who reaches them from where, changes that cut the
// administrator off, TLS, and what the sockets do when addresses come and go.
import { request as requestPlain } from 'node:http';
import { request as requestTls, type RequestOptions } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { Applied, PendingChange } from '../../src/daemon/api/config.ts';
import type { FirstRun } from '../../src/daemon/api/account.ts';
import { callDaemon } from '../../src/cli/client.ts';
import { scenario, type Scenario } from '../scenario.ts';
import { connectTcp } from '../sockets.ts';
import { address, ADDRESSES, type Host, type Household } from '../topologies/household.ts';
import { claim, claimEqual, Disproved, until } from '../wait.ts';

const PASSWORD = 'correct horse battery';

interface Answered {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingMessage['headers'];
}

interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly body?: unknown;
  readonly cookie?: string;
  readonly to?: string;
  readonly tls?: boolean;
}

/** From a device of the household, as its browser would. */
async function ask(from: Host, asked: Asked): Promise<Answered> {
  const { method = 'GET', path, body, cookie, to = ADDRESSES.gatewayLan, tls = false } = asked;
  const socket = await connectTcp(from, address(to), tls ? 443 : 80);
  return new Promise((resolve, reject) => {
    const origin = `${tls ? 'https' : 'http'}://${to}`;
    const options: RequestOptions = {
      method,
      path,
      headers: {
        host: to,
        origin,
        connection: 'close',
        ...(cookie === undefined ? {} : { cookie }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      timeout: 10_000,
    };
    const onAnswer = (response: IncomingMessage): void => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers }),
      );
    };
    const call = tls
      ? requestTls(
          { ...options, socket, rejectUnauthorized: false, agent: false } as RequestOptions,
          onAnswer,
        )
      : requestPlain({ ...options, createConnection: () => socket }, onAnswer);
    call.on('error', reject);
    call.on('timeout', () => call.destroy(new Disproved(`no answer to ${method} ${path}`)));
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function fromSocket<T>(
  { daemon }: Household,
  method: string,
  path: string,
  body?: unknown,
): Promise<T> {
  const text = await callDaemon(daemon.socket, method, path, body);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

const isServed = (household: Household, url: string): Promise<unknown> =>
  until(`the page at ${url}`, () => household.daemon.log.includes(`the page is served at ${url}`));

/** Makes the first account with the code of the daemon's log, and resolves to the cookie. */
async function firstLogIn(household: Household): Promise<string> {
  const { device } = household;
  await isServed(household, 'http://192.168.1.1/');
  const { code } = await fromSocket<FirstRun>(household, 'GET', '/api/v1/first-run');
  const made = await ask(device, {
    method: 'POST',
    path: '/api/v1/first-run',
    body: { code, name: 'admin', password: PASSWORD },
  });
  claimEqual(made.status, 200, `the answer to the first account: ${made.body}`);
  return String(made.headers['set-cookie']).split(';')[0]!;
}

/** Whether the gateway answers the address within a second; what a firewall drops, does not. */
async function isReachable(from: Host, to: string, port: number): Promise<boolean> {
  const attempt = connectTcp(from, address(to), port).then(
    (socket) => {
      socket.destroy();
      return true;
    },
    () => false,
  );
  return Promise.race([attempt, new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 1000))]);
}

export const webScenarios: readonly Scenario[] = [
  scenario(
    'W1',
    'the page is there for the LAN and not for the WAN; the first account is made with the code of the log',
    async (household) => {
      const { device, server, wan, daemon } = household;
      await isServed(household, 'http://192.168.1.1/');
      await isServed(household, 'https://192.168.1.1/');
      claimEqual((await ask(device, { path: '/api/v1/status' })).status, 401, 'the status without a log-in');
      const { code } = await fromSocket<FirstRun>(household, 'GET', '/api/v1/first-run');
      claim(daemon.log.includes(`"code":"${code}"`), 'the log has the code');
      const cookie = await firstLogIn(household);
      const status = await ask(device, { path: '/api/v1/status', cookie });
      claimEqual(status.status, 200, `the status with the log-in: ${status.body}`);
      // Not by the WAN's address, and not by the LAN's address for a neighbour that routes to it.
      household.isp.ip(`route add 192.168.1.0/24 via ${wan}`);
      for (const to of [wan, ADDRESSES.gatewayLan])
        for (const port of [80, 443])
          claimEqual(await isReachable(server, to, port), false, `${to}:${port} from the WAN`);
      household.isp.ip('route delete 192.168.1.0/24');
      claimEqual((await daemon.status()).problems, [], 'problems');
      claim(await isReachable(device, ADDRESSES.gatewayLan, 80), 'the LAN still reaches it');
    },
  ),

  scenario(
    'W2',
    'a change that cuts the administrator off comes back by itself, and so it does when the daemon dies meanwhile',
    async (household) => {
      const { device, daemon } = household;
      const cookie = await firstLogIn(household);
      const before = daemon.readConfig();
      const cut = await ask(device, {
        method: 'POST',
        path: '/api/v1/config/apply',
        cookie,
        body: { settings: { web: { listen: [], tls_listen: [] } }, confirm_within_seconds: 10 },
      });
      claim((JSON.parse(cut.body) as Applied).pending !== null, `it is on probation: ${cut.body}`);
      await until('the page to be gone', async () => !(await isReachable(device, ADDRESSES.gatewayLan, 80)));
      await daemon.signal('SIGKILL');
      await daemon.start();
      const pending = await fromSocket<PendingChange | null>(household, 'GET', '/api/v1/config/pending');
      claim(
        pending !== null && pending.who === 'admin',
        `it is still on probation: ${JSON.stringify(pending)}`,
      );
      await until('the page to be back', () => isReachable(device, ADDRESSES.gatewayLan, 80), 20_000);
      claimEqual(daemon.readConfig(), before, 'the file');
      claimEqual(
        (await ask(device, { path: '/api/v1/status', cookie })).status,
        200,
        'the log-in still counts',
      );
    },
  ),

  scenario(
    'W3',
    'a daemon that is dead when the time is over begins with the former configuration',
    async (household) => {
      const { daemon } = household;
      const before = daemon.readConfig();
      await fromSocket(household, 'POST', '/api/v1/config/apply', {
        settings: { firewall: { wan_ping: false } },
        confirm_within_seconds: 10,
      });
      claim(daemon.readConfig() !== before, 'the change is in the file');
      await daemon.signal('SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 10_500));
      await daemon.start();
      claimEqual(daemon.readConfig(), before, 'the file after the start');
      claim(daemon.log.includes('was not confirmed in time'), 'the log says so');
      claimEqual(await fromSocket(household, 'GET', '/api/v1/config/pending'), null, 'what is on probation');
    },
  ),

  scenario(
    'W4',
    'the command line: apply, confirm, revert, history, accounts and tokens',
    async (household) => {
      const { daemon, device } = household;
      const run = async (...typed: string[]): Promise<string> => {
        const { status, stdout, stderr } = await daemon.command(...typed);
        claimEqual([typed.join(' '), status, stderr], [typed.join(' '), 0, ''], 'the outcome');
        return stdout;
      };
      const file = `${daemon.folder}/new.yaml`;
      const { writeFileSync } = await import('node:fs');
      writeFileSync(file, `${daemon.readConfig()}firewall: { wan_ping: false }\n`);
      claim((await run('config', 'diff', file)).includes('+firewall: { wan_ping: false }'), 'the diff');
      claim(
        (await run('apply', file, '--confirm-within', '60s')).includes('On probation until'),
        'probation',
      );
      await run('revert');
      claim(!daemon.readConfig().includes('wan_ping'), 'the former file is back');
      await run('apply', file, '--confirm-within', '60s');
      await run('confirm');
      claimEqual((await run('config', 'get', 'firewall.wan_ping')).trim(), 'false', 'the setting');
      await run('config', 'set', 'web.idle_minutes', '30');
      claim((await run('config', 'history')).includes('web.idle_minutes'), 'the history');
      writeFileSync(`${daemon.folder}/password`, `${PASSWORD}\n`);
      await run('user', 'add', 'anna', '--password-file', `${daemon.folder}/password`);
      claim((await run('user', 'list')).startsWith('anna '), 'the account is listed');
      await isServed(household, 'http://192.168.1.1/');
      const logIn = async (password: string): Promise<number> => {
        const body = { name: 'anna', password };
        return (await ask(device, { method: 'POST', path: '/api/v1/login', body })).status;
      };
      for (let attempt = 1; attempt <= 5; attempt += 1)
        claimEqual(await logIn('a wrong password'), 401, 'a wrong password');
      claimEqual(await logIn(PASSWORD), 429, 'the right password after five wrong ones');
      writeFileSync(`${daemon.folder}/password`, 'quite another password\n');
      await run('user', 'reset-password', 'anna', '--password-file', `${daemon.folder}/password`);
      claimEqual(await logIn(PASSWORD), 401, 'the former password');
      claimEqual(await logIn('quite another password'), 200, 'the new password');
      const token = (await run('token', 'create', 'reader')).trim();
      const socket = await connectTcp(device, ADDRESSES.gatewayLan, 80);
      const answer = new Promise<string>((resolve) => socket.once('data', (chunk) => resolve(String(chunk))));
      socket.write(
        `GET /api/v1/config HTTP/1.1\r\nHost: 192.168.1.1\r\nAuthorization: Bearer ${token}\r\n\r\n`,
      );
      claim((await answer).startsWith('HTTP/1.1 200 '), 'the token is let in');
      socket.destroy();
      await run('token', 'revoke', 'reader');
      const backup = `${daemon.folder}/backup.json`;
      await run('backup', backup);
      await run('user', 'add', 'berta', '--password-file', `${daemon.folder}/password`);
      await run('restore', backup);
      claimEqual(
        (await run('user', 'list')).trim().split('\n').length,
        1,
        'accounts after the backup came back',
      );
    },
  ),

  scenario(
    'W5',
    'the page follows the addresses of the LAN; TLS with a certificate of its own making',
    async (household) => {
      const { device, gateway, daemon } = household;
      const cookie = await firstLogIn(household);
      gateway.ip('address add 192.168.1.254/24 dev lan0');
      await isServed(household, 'http://192.168.1.254/');
      const there = await ask(device, { path: '/api/v1/status', cookie, to: '192.168.1.254' });
      claimEqual(there.status, 200, 'the status at the new address');
      gateway.ip('address delete 192.168.1.254/24 dev lan0');
      await until('it to be given up', () =>
        daemon.log.includes('the page is no longer served at http://192.168.1.254/'),
      );
      await isServed(household, 'https://192.168.1.1/');
      const secure = await ask(device, { path: '/api/v1/status', tls: true });
      claimEqual(secure.status, 401, 'the status over TLS without its own log-in');
      const login = { name: 'admin', password: PASSWORD };
      const made = await ask(device, { method: 'POST', path: '/api/v1/login', body: login, tls: true });
      claim(
        String(made.headers['set-cookie']).startsWith('__Host-throughway=') &&
          String(made.headers['set-cookie']).endsWith('; Secure'),
        `the cookie over TLS: ${String(made.headers['set-cookie'])}`,
      );
    },
  ),

  scenario(
    'W6',
    'what is opened to the WAN on purpose is reached from there, and said to be; a taken port is told and tried again',
    async (household) => {
      const { daemon, server, wan, device } = household;
      await isServed(household, 'http://192.168.1.1/');
      await fromSocket(household, 'POST', '/api/v1/config/apply', {
        settings: { web: { listen: ['0.0.0.0:8080'] }, firewall: { wan_services: ['tcp/8080'] } },
      });
      await isServed(household, 'http://0.0.0.0:8080/');
      await until('it to be said', async () =>
        (await daemon.status()).problems.some((one) =>
          one.includes('reached from the internet at port 8080'),
        ),
      );
      claim(await isReachable(server, wan, 8080), 'it is reached from the WAN');
      await fromSocket(household, 'PUT', '/api/v1/config', {
        firewall: { wan_services: [] },
        web: { listen: ['192.168.1.77:80'] },
      });
      await until('the missing address to be told', async () =>
        (await daemon.status()).problems.some((one) =>
          one.includes('cannot be served at http://192.168.1.77/'),
        ),
      );
      claimEqual(await isReachable(server, wan, 8080), false, 'what is closed again from the WAN');
      household.gateway.ip('address add 192.168.1.77/24 dev lan0');
      await until('the page there', () => isReachable(device, '192.168.1.77', 80));
      await until('the problem to be gone', async () => (await daemon.status()).problems.length === 0);
    },
  ),
];
