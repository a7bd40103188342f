import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readProbation } from '../admin/probation.ts';
import { Failure } from '../failure.ts';
import { StateDirectory } from '../files.ts';
import type { Backup } from './backup.ts';
import type { Applied, ConfigPlan, Version } from './config.ts';
import { ServedApi } from './served-api.ts';

let served: ServedApi;
let headers: Record<string, string>;
beforeEach(async () => {
  served = new ServedApi();
  served.changes.start();
  await served.accounts.add('admin', 'correct horse battery');
  headers = { authorization: `Bearer ${served.keys.makeToken('all', 'full').token}` };
});
afterEach(() => served.close());

async function ask<T>(method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown): Promise<T> {
  const response = await served.ask({ method, url: `/api/v1${path}`, body, headers });
  return (
    response.headers['content-type']?.toString().includes('json') ? response.json() : response.body
  ) as T;
}
const LATER = { timeouts: { esp_seconds: 600 } };
const RISKY = { firewall: { wan_ping: false } };

describe('settings', () => {
  it('are changed in the file with its comments, and noted with who did it', async () => {
    const applied = await ask<Applied>('PUT', '/config', LATER);
    expect(applied).toEqual({ pending: null, changed: ['timeouts.esp_seconds'], ended: {}, warnings: [] });
    expect(served.gateway.text).toContain('wan: wan0 # towards the internet');
    expect(served.gateway.config.timeouts.esp_seconds).toBe(600);
    expect(served.gateway.config.timeouts.udp_seconds).toBe(300);
    const [latest, first] = await ask<Version[]>('GET', '/config/history');
    expect(latest).toMatchObject({ who: 'the token "all"', what: 'timeouts.esp_seconds' });
    expect(first).toMatchObject({ who: 'the file', what: 'as it was found' });
    expect(await ask('GET', `/config/history/${latest!.id}/diff`)).toContain('+  esp_seconds: 600');
  });

  it('that are wrong are told by their field, all at once, and change nothing', async () => {
    const { text } = served.gateway;
    const wrong = { timeouts: { esp_seconds: 1, extra: true }, interfaces: { lan: ['wan0'] } };
    const told = await ask<{ code: string; problems: { path: string }[] }>('PUT', '/config', wrong);
    expect(told.code).toBe('bad-request');
    expect(told.problems.map(({ path }) => path)).toEqual([
      'timeouts.esp_seconds',
      'timeouts.extra',
      'interfaces.lan[0]',
    ]);
    expect(served.gateway.text).toBe(text);
    expect(await ask<Version[]>('GET', '/config/history')).toHaveLength(1);
    expect(await ask('POST', '/config/check', { settings: wrong })).toMatchObject({
      problems: told.problems,
    });
    expect(await ask('POST', '/config/check', {})).toMatchObject({ code: 'bad-request' });
    expect(await ask('POST', '/config/check', { text: 'version: 1\n' })).toMatchObject({
      problems: [{ path: 'interfaces' }],
    });
  });

  it('are planned: what would change, in the text and in the ruleset', async () => {
    const plan = await ask<ConfigPlan>('POST', '/config/plan', {
      settings: { passthrough: { pptp: 'disabled' }, ...RISKY },
    });
    expect(plan).toMatchObject({
      problems: [],
      changes: [
        { path: 'passthrough.pptp', from: 'enabled', to: 'disabled' },
        { path: 'firewall.wan_ping', from: true, to: false },
      ],
      needs_confirmation: true,
    });
    expect(plan.diff).toContain('+  pptp: disabled');
    expect(plan.ruleset_diff).toContain('"pptp":"disabled"');
    expect(served.gateway.calls).toEqual([]);
  });
});

describe('a change that can cut the administrator off', () => {
  it('comes back by itself unless it is confirmed; meanwhile nothing else changes', async () => {
    const { text } = served.gateway;
    const { pending } = await ask<Applied>('PUT', '/config', RISKY);
    const left = Date.parse(pending!.reverts_at) - Date.now();
    expect(left).toBeGreaterThan(80_000);
    expect(left).toBeLessThanOrEqual(91_000);
    expect(served.gateway.config.firewall.wan_ping).toBe(false);
    expect(await ask('GET', '/config/pending')).toMatchObject({ what: 'firewall.wan_ping' });
    expect(await ask('PUT', '/config', LATER)).toMatchObject({ code: 'change-pending' });
    expect(await ask('PUT', '/passthrough', { pptp: 'disabled' })).toMatchObject({ code: 'change-pending' });
    await ask('POST', '/config/revert');
    expect(served.gateway.text).toBe(text);
    expect(await ask('GET', '/config/pending')).toBeNull();
    expect(await ask('POST', '/config/confirm')).toMatchObject({ code: 'nothing-pending' });
  });

  it('stays when it is confirmed', async () => {
    await ask('PUT', '/config', RISKY);
    await ask('POST', '/config/confirm');
    expect(await ask('GET', '/config/pending')).toBeNull();
    expect(served.gateway.config.firewall.wan_ping).toBe(false);
    expect(await ask('POST', '/config/revert')).toMatchObject({ code: 'nothing-pending' });
  });

  it('is on probation for as long as was asked, and over the socket only then', async () => {
    const apply = (body: object) =>
      served.socket.inject({ method: 'POST', url: '/api/v1/config/apply', payload: body });
    expect((await apply({ settings: RISKY })).json<Applied>().pending).toBeNull();
    const back = { settings: { firewall: { wan_ping: true } }, confirm_within_seconds: 10 };
    expect((await apply(back)).json<Applied>().pending).not.toBeNull();
    expect((await apply({ ...back, confirm_within_seconds: 5 })).json()).toMatchObject({
      problems: [{ path: 'confirm_within_seconds' }],
    });
  });

  it('that the kernel refuses leaves nothing behind', async () => {
    const { text } = served.gateway;
    served.gateway.failure = new Failure('kernel-refused', 'No.');
    expect(await ask('PUT', '/config', RISKY)).toMatchObject({ code: 'kernel-refused' });
    served.gateway.failure = null;
    expect(served.gateway.text).toBe(text);
    expect(await ask('GET', '/config/pending')).toBeNull();
    expect(readProbation(new StateDirectory(served.folder, () => undefined))).toBeNull();
  });
});

describe('a backup', () => {
  it('brings configuration, accounts and tokens back', async () => {
    const backup = await ask<Backup>('GET', '/backup');
    expect(backup).toMatchObject({
      format: 'throughway-backup',
      users: [{ name: 'admin' }],
      tokens: [{ name: 'all' }],
    });
    await ask('PUT', '/config', LATER);
    await served.accounts.add('berta', 'correct horse battery');
    served.keys.makeToken('late', 'full');
    expect(await ask('POST', '/restore', backup)).toMatchObject({
      pending: null,
      changed: ['timeouts.esp_seconds'],
    });
    expect(served.gateway.config.timeouts.esp_seconds).toBe(3600);
    expect(served.accounts.list().map(({ name }) => name)).toEqual(['admin']);
    expect((await ask<{ name: string }[]>('GET', '/tokens')).map(({ name }) => name)).toEqual(['all']);
    expect(
      await served.accounts.verify({ name: 'admin', password: 'correct horse battery' }, 'x'),
    ).toMatchObject({
      name: 'admin',
    });
  });

  it('that is not right changes nothing', async () => {
    const backup = await ask<Backup>('GET', '/backup');
    const { text } = served.gateway;
    const broken: unknown[] = [
      { ...backup, config: 'version: 1\n' },
      { ...backup, users: [{ ...backup.users[0]!, password: 'plain' }] },
      { ...backup, users: [backup.users[0]!, { ...backup.users[0]!, name: 'ADMIN' }] },
      { ...backup, certificate: { certificate: 'x', key: 'y' } },
      { ...backup, version: 2 },
      { ...backup, extra: 1 },
      'text',
    ];
    for (const one of broken)
      expect(await ask('POST', '/restore', one)).toMatchObject({ code: 'bad-request' });
    expect(served.gateway.text).toBe(text);
    expect(await ask<Backup>('GET', '/backup')).toMatchObject({ users: backup.users, tokens: backup.tokens });
  });
});
