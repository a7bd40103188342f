// The stand-in's routes: what the API would answer.
import type { ServerResponse } from 'node:http';
import type { Session } from '../../src/daemon/api/session.ts';
import { accountRoutes, type AccountOptions } from './account-fixture.ts';
import { Fixture, type Answer } from './fixture.ts';
import {
  makeDevices,
  makeEvents,
  makeSession,
  makeSessions,
  makeStory,
  makeTraffic,
} from './sessions-fixture.ts';

export interface StandinOptions extends AccountOptions {
  readonly sessions?: number;
  /** Sessions that change in each second. */
  readonly changesPerSecond?: number;
  readonly port?: number;
}

export async function startStandin(options: StandinOptions = {}): Promise<Fixture> {
  const now = Date.now();
  const all = makeSessions(options.sessions ?? 60, now);
  let passthrough = { ipsec: 'enabled', pptp: 'enabled', l2tp: 'enabled' };
  const routes: Record<string, Answer> = {
    'GET /status': () => ({
      version: '0.1.0',
      state: 'attention',
      started_at: new Date(now - 3 * 86_400_000).toISOString(),
      passthrough,
      ike_source_port: 'translate',
      wan: { name: 'wan0', state: 'up', addresses: ['198.51.100.2/24'] },
      lan: [{ name: 'lan0', state: 'up', addresses: ['192.168.1.1/24'] }],
      nft: 'libnftables',
      problems: [
        'The table "inet firewalld" of another program drops ESP to the LAN. Allow it there: firewall-cmd --add-protocol=esp.',
      ],
      drops: [
        {
          name: 'pptp_off',
          sentence: 'PPTP while PPTP Passthrough is disabled',
          packets: 412,
          bytes: 22_000,
        },
        { name: 'esp_unknown', sentence: 'ESP from the WAN for no known device', packets: 18_233, bytes: 1 },
      ],
    }),
    'GET /passthrough': () => passthrough,
    'PUT /passthrough': (_request, _reply, body) => {
      passthrough = { ...passthrough, ...(JSON.parse(body) as typeof passthrough) };
      const [one, other] = all.filter(({ protocol, state }) => protocol === 'pptp' && state === 'up');
      const ended_sessions = [one!, other!].map(({ id, protocol, device, server, since }) => {
        return { id, protocol, device: device.name ?? device.address, server: server.address, since };
      });
      return { ...passthrough, ended: { pptp: 2 }, ended_sessions };
    },
    'GET /sessions': (request, reply) => {
      if (request.headers.accept !== 'text/event-stream') return { sessions: all };
      streamSessions(reply, all, options.changesPerSecond ?? 0);
      return undefined;
    },
    'GET /sessions/:id': (request) => makeStory(all[Number(request.url!.split('/s').at(-1))] ?? all[0]!, now),
    'GET /devices': () => makeDevices(now),
    'GET /events': (request, reply) => {
      if (request.headers.accept !== 'text/event-stream') return makeEvents(400, now);
      reply.writeHead(200, { 'content-type': 'text/event-stream' }).write(':\n\n');
      return undefined;
    },
    ...accountRoutes(now, options),
    'GET /traffic': (request) => makeTraffic(request.url!.includes('day') ? 'day' : 'hour', now),
  };
  return Fixture.start(routes, options.port);
}

function streamSessions(reply: ServerResponse, all: readonly Session[], changesPerSecond: number): void {
  reply.writeHead(200, { 'content-type': 'text/event-stream' });
  const send = (name: string, data: unknown): void => {
    reply.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  };
  // As the daemon does: in pieces, so that no single one keeps the page busy.
  send('all', { sessions: all.slice(0, 500) });
  for (let from = 500; from < all.length; from += 500)
    send('some', { changed: all.slice(from, from + 500), gone: [] });
  if (changesPerSecond === 0) return;
  let next = 0;
  const timer = setInterval(() => {
    const changed = Array.from({ length: changesPerSecond / 4 }, () => {
      next = (next + 7) % all.length;
      return makeSession(next, Date.now());
    });
    send('some', { changed, gone: [] });
  }, 250);
  reply.once('close', () => clearInterval(timer));
}

if (import.meta.main) {
  const fixture = await startStandin({
    port: Number(process.argv[2] ?? 8123),
    sessions: Number(process.argv[3] ?? 60),
    changesPerSecond: Number(process.argv[4] ?? 40),
  });
  process.stdout.write(`${fixture.address}\n`);
}
