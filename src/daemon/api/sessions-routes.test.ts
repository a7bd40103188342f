import { mkdtempSync, rmSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseSessionInput } from '../../core/alg/session-transcript.ts';
import { openRecords, type Records } from '../records.ts';
import { createApi } from './server.ts';
import { sessionRoutes } from './sessions-routes.ts';
import type { Device, GatewayEvent, Session, SessionStory } from './session.ts';

const CALL =
  'flow change=new id=1 protocol=6 client=192.168.1.11 server=203.0.113.1 clientPort=40000 serverPort=1723 answered=true assured=true timeoutSeconds=7200 out=4/400 in=3/300';
const ESP =
  'pair server=203.0.113.2 spi=0x00002001 client=192.168.1.12 confidence=probable trial=false evidence="Only it negotiates."';

/** A busy machine takes its time. */
const PATIENT = { timeout: 20_000 };

let folder: string;
let records: Records;
let api: ReturnType<typeof createApi>;
let released: string[];

function open(): void {
  records = openRecords({
    folder,
    log: () => undefined,
    trace: null,
    onTrouble: () => undefined,
    lanLinks: () => [],
    release: (session) => {
      released.push(`${session.protocol} ${session.flows.length} ${session.sas.length}`);
      return Promise.resolve({ connections: session.flows.length, associations: session.sas.length });
    },
  });
  api = createApi({ routes: sessionRoutes(records), log: () => undefined, ready: Promise.resolve() });
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sessions-'));
  released = [];
  open();
  for (const line of [CALL, ESP]) records.sessions.hear(parseSessionInput(line));
});
afterEach(async () => {
  await api.close();
  records.close();
  rmSync(folder, { recursive: true, force: true });
});

async function ask<T>(path: string, method: 'GET' | 'DELETE' | 'PUT' = 'GET', payload?: object): Promise<T> {
  const answer = await api.inject({ method, url: `/api/v1${path}`, ...(payload ? { payload } : {}) });
  return answer.json<T>();
}

const ids = (sessions: readonly Session[]): string[] => sessions.map(({ id }) => id);

describe('sessions, live', () => {
  it('come whole, then as they change', async () => {
    const path = join(folder, 'socket');
    await api.listen({ path });
    const stream = await new Promise<IncomingMessage>((resolve) => {
      get({ socketPath: path, path: '/api/v1/sessions', headers: { accept: 'text/event-stream' } }, resolve);
    });
    let text = '';
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const heard = (): unknown[] =>
      [...text.matchAll(/^event: (\w+)\ndata: (.*)$/gm)].map(([, name, data]) => {
        const { sessions, changed, gone } = JSON.parse(data!) as Record<string, Session[]>;
        return [name, ids(sessions ?? changed ?? []), gone ?? []];
      });
    await expect.poll(heard, PATIENT).toEqual([['all', ['1', '2'], []]]);
    await records.sessions.end('1');
    await expect.poll(heard, PATIENT).toContainEqual(['some', [], ['1']]);
    stream.destroy();
    await expect.poll(() => records.feed.followers, PATIENT).toBe(0);
  });

  it('have a history of what they carried', async () => {
    expect(await ask('/traffic?span=day')).toMatchObject({ span: 'day', step_seconds: 300, series: [] });
    expect(await ask('/traffic?span=year')).toMatchObject({ code: 'bad-request' });
  });
});

describe('sessions', () => {
  it('are listed with what is known of them', async () => {
    const [call, esp] = await ask<Session[]>('/sessions');
    expect(call).toMatchObject({
      id: '1',
      device: { id: '192.168.1.11', address: '192.168.1.11', name: null, mac: null },
      protocol: 'pptp',
      guessed: false,
      server: { address: '203.0.113.1', name: null, port: 1723 },
      state: 'up',
      ended_at: null,
      traffic: { out: { packets: 4, bytes: 400 }, in: { packets: 3, bytes: 300 } },
      expires_in_seconds: 7200,
      details: [{ name: 'port of the device', value: '40000' }],
      pairing: null,
      trouble: null,
    });
    expect(esp).toMatchObject({
      protocol: 'ipsec',
      pairing: 'probable',
      details: [{ name: 'SPI towards the device', value: '0x00002001' }],
    });
  });

  it('are many, and all are told', async () => {
    for (let count = 0; count < 900; count += 1) {
      const server = `203.0.${count >> 8}.${count & 255}`;
      records.sessions.hear(
        parseSessionInput(ESP.replace('203.0.113.2', server).replace('168.1.12', '168.1.99')),
      );
    }
    const all = await ask<Session[]>('/sessions');
    expect(new Set(ids(all)).size).toBe(902);
  });

  it('are filtered', async () => {
    expect(ids(await ask('/sessions?protocol=pptp'))).toEqual(['1']);
    expect(ids(await ask('/sessions?device=192.168.1.12'))).toEqual(['2']);
    expect(ids(await ask('/sessions?state=failing'))).toEqual([]);
    expect(await ask('/sessions?protocol=pptpp')).toMatchObject({
      code: 'bad-request',
      problems: [{ path: 'protocol' }],
    });
    expect(await ask('/sessions?wrong=1')).toMatchObject({
      problems: [
        { message: expect.stringContaining('allowed here: device, protocol, state, ended') as string },
      ],
    });
  });

  it('one of them with its pairs and its history', async () => {
    const story = await ask<SessionStory>('/sessions/2');
    expect(story.pairs).toMatchObject([
      { spi: '0x00002001', confidence: 'probable', evidence: 'Only it negotiates.' },
    ]);
    expect(story.history.map(({ what }) => what)).toEqual([
      'It began, with 203.0.113.2.',
      'SPI 0x00002001 of the server is for this device (probable): Only it negotiates.',
      'It is up.',
    ]);
    expect(await ask('/sessions/77')).toMatchObject({ status: 404, code: 'not-found' });
    expect(await ask('/sessions/x')).toMatchObject({
      status: 404,
      detail: expect.stringContaining('"x"') as string,
    });
  });

  it('end on request: the answer says what the kernel forgot, and they stand among the ended ones', async () => {
    expect(await ask('/sessions/1', 'DELETE')).toEqual({ ended: '1', connections: 1, associations: 0 });
    expect(await ask('/sessions/2', 'DELETE')).toEqual({ ended: '2', connections: 0, associations: 1 });
    expect(released).toEqual(['pptp 1 0', 'ipsec 0 1']);
    expect(await ask('/sessions')).toEqual([]);
    const ended = await ask<Session[]>('/sessions?ended=true');
    expect(ended.map(({ id, state }) => [id, state])).toEqual([
      ['2', 'ended'],
      ['1', 'ended'],
    ]);
    expect(await ask('/sessions/1', 'DELETE')).toMatchObject({
      status: 404,
      detail: expect.stringContaining('has ended already') as string,
    });
    const story = await ask<SessionStory>('/sessions/1');
    expect(story.history.at(-1)!.what).toBe('Ended: It was ended on request.');
  });

  it('go on after a restart of the daemon, with ids and beginnings', async () => {
    const before = await ask<Session[]>('/sessions');
    await api.close();
    records.close();
    open();
    records.sessions.hear(parseSessionInput(CALL));
    records.sessions.hear({ kind: 'taken-over' });
    const after = await ask<Session[]>('/sessions?ended=true');
    expect(after.map(({ id, since, state }) => [id, since, state])).toEqual([
      ['1', before[0]!.since, 'up'],
      ['2', before[1]!.since, 'ended'],
    ]);
    expect(after[0]!.traffic).toEqual(before[0]!.traffic);
    // A new one takes none of their numbers.
    records.sessions.hear(parseSessionInput(ESP));
    expect(ids(await ask('/sessions'))).toEqual(['1', '3']);
  });
});

describe('devices', () => {
  it('are those with sessions, and keep the name a person gave them', async () => {
    expect(await ask<Device[]>('/devices')).toMatchObject([
      { id: '192.168.1.11', name: null, sessions: 1, used: [{ protocol: 'pptp' }] },
      { id: '192.168.1.12', name: null, sessions: 1, used: [{ protocol: 'ipsec' }] },
    ]);
    const named = await ask<Device>('/devices/192.168.1.11', 'PUT', {
      given_name: 'Ann’s phone'.replace('’', "'"),
    });
    expect(named).toMatchObject({ name: "Ann's phone", given_name: "Ann's phone", name_source: 'given' });
    expect(ids(await ask("/sessions?device=ann's%20phone"))).toEqual(['1']);
    await api.close();
    records.close();
    open();
    expect(await ask<Device[]>('/devices')).toMatchObject([{ name: "Ann's phone" }, { name: null }]);
    expect(await ask('/devices/192.168.1.11', 'PUT', { given_name: null })).toMatchObject({ name: null });
  });

  it('are not renamed to what cannot be', async () => {
    for (const given_name of ['', ' '.repeat(3), '\u001b[2J', 'x'.repeat(200), 7]) {
      expect(await ask('/devices/192.168.1.11', 'PUT', { given_name })).toMatchObject({
        code: 'bad-request',
      });
    }
    expect(await ask('/devices/10.0.0.1', 'PUT', { given_name: 'x' })).toMatchObject({ code: 'not-found' });
  });
});

describe('events', () => {
  it('are listed from any number on', async () => {
    const all = await ask<GatewayEvent[]>('/events');
    expect(all.map(({ what }) => what)).toEqual([
      '192.168.1.11, PPTP with 203.0.113.1: it began.',
      '192.168.1.11, PPTP with 203.0.113.1: it is up.',
      '192.168.1.12, IPsec with 203.0.113.2: it began.',
      '192.168.1.12, IPsec with 203.0.113.2: it is up.',
    ]);
    expect(await ask(`/events?since=${all[2]!.id}`)).toEqual([all[3]]);
    expect(await ask('/events?limit=1')).toEqual([all[3]]);
  });

  it('are followed as they happen, and from the last one that was heard of', async () => {
    const path = join(folder, 'socket');
    await api.listen({ path });
    const follow = (headers: Record<string, string>): Promise<IncomingMessage> =>
      new Promise((resolve) => {
        get(
          { socketPath: path, path: '/api/v1/events', headers: { accept: 'text/event-stream', ...headers } },
          resolve,
        );
      });
    const [fresh, again] = [await follow({}), await follow({ 'last-event-id': '3' })];
    const heard = [fresh, again].map((response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      return () =>
        [...text.matchAll(/^data: (.*)$/gm)].map((found) => (JSON.parse(found[1]!) as GatewayEvent).id);
    });
    records.events.tell({ kind: 'system', level: 'info', what: 'now', session: null, device: null });
    await expect.poll(() => heard.map((ids) => ids()), PATIENT).toEqual([[5], [4, 5]]);
    expect(records.events.followers).toBe(2);
    fresh.destroy();
    again.destroy();
    await expect.poll(() => records.events.followers, PATIENT).toBe(0);
  });

  it('of one device are bounded for each minute, and that is said', () => {
    for (let count = 0; count < 500; count += 1) {
      records.events.tell({ kind: 'session', level: 'info', what: `${count}`, session: null, device: 'x' });
    }
    const told = records.events.after(0, 1_000).filter(({ device }) => device === 'x');
    expect(told.length).toBeLessThan(130);
    expect(told.at(-1)!.what).toContain('left out');
  });
});
