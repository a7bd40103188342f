// Every request the pages make, one function each, with the API's own types.
import type { Config, Passthrough } from '../../core/config/schema.ts';
import type { Device, GatewayEvent, SessionStory, TrafficHistory } from '../../daemon/api/session.ts';
import type { DoctorReport } from '../../daemon/api/doctor.ts';
import type { ProbeReport } from '../../daemon/api/probe.ts';
import type { PassthroughChange, Status } from '../../daemon/api/types.ts';
import { call } from './client.ts';
import type { Certificate, Login, MadeToken, Token, TotpOffer, User } from '../../daemon/api/account.ts';
import type { Applied, Detected, PendingChange, Version } from '../../daemon/api/config.ts';

const part = encodeURIComponent;

export const getStatus = (): Promise<Status> => call('GET', '/status');

export const getPassthrough = (): Promise<Passthrough> => call('GET', '/passthrough');
/** What is left out stays as it is. */
export const putPassthrough = (change: Partial<Passthrough>): Promise<PassthroughChange> =>
  call('PUT', '/passthrough', change);

export const getSession = (id: string): Promise<SessionStory> => call('GET', `/sessions/${part(id)}`);
export const endSession = (id: string): Promise<void> => call('DELETE', `/sessions/${part(id)}`);
export const getDevices = (): Promise<readonly Device[]> => call('GET', '/devices');
/** `null`: the name that was found is shown again. */
export const nameDevice = (id: string, name: string | null): Promise<Device> =>
  call('PUT', `/devices/${part(id)}`, { given_name: name });
export const getEvents = (): Promise<readonly GatewayEvent[]> => call('GET', '/events?limit=1000');
export const getTraffic = (span: TrafficHistory['span']): Promise<TrafficHistory> =>
  call('GET', `/traffic?span=${span}`);

export const getConfig = (): Promise<Config> => call('GET', '/config');
export const putConfig = (config: unknown): Promise<Applied> => call('PUT', '/config', config);
export const getPending = (): Promise<PendingChange | null> => call('GET', '/config/pending');
export const confirmChange = (): Promise<void> => call('POST', '/config/confirm');
export const revertChange = (): Promise<void> => call('POST', '/config/revert');
export const getVersions = (): Promise<readonly Version[]> => call('GET', '/config/history');
export const getVersionDiff = (id: number): Promise<string> => call('GET', `/config/history/${id}/diff`);
export const restoreVersion = (id: number): Promise<Applied> => call('POST', `/config/history/${id}/restore`);

export const getUsers = (): Promise<readonly User[]> => call('GET', '/users');
export const addUser = (user: { name: string; password: string }): Promise<User> =>
  call('POST', '/users', user);
export const removeUser = (name: string): Promise<void> => call('DELETE', `/users/${part(name)}`);
export const setPassword = (name: string, change: { password: string; current?: string }): Promise<void> =>
  call('PUT', `/users/${part(name)}/password`, change);
export const beginTotp = (name: string): Promise<TotpOffer> => call('POST', `/users/${part(name)}/totp`);
export const confirmTotp = (
  name: string,
  code: string,
): Promise<{ readonly recovery_codes: readonly string[] }> =>
  call('PUT', `/users/${part(name)}/totp`, { code });
export const removeTotp = (name: string, password: string): Promise<void> =>
  call('DELETE', `/users/${part(name)}/totp`, { password });
export const getLogins = (): Promise<readonly Login[]> => call('GET', '/logins');
export const endLogin = (id: string): Promise<void> => call('DELETE', `/logins/${part(id)}`);

export const getTokens = (): Promise<readonly Token[]> => call('GET', '/tokens');
export const addToken = (token: Pick<Token, 'name' | 'scope'>): Promise<MadeToken> =>
  call('POST', '/tokens', token);
export const removeToken = (id: string): Promise<void> => call('DELETE', `/tokens/${part(id)}`);

export const getCertificate = (): Promise<Certificate> => call('GET', '/certificate');
export const putCertificate = (own: { certificate: string; key: string }): Promise<void> =>
  call('PUT', '/certificate', own);
export const renewCertificate = (): Promise<void> => call('POST', '/certificate/renew');

export const getBackup = async (): Promise<string> => JSON.stringify(await call('GET', '/backup'));
/** Rejects with SyntaxError when the text is no JSON. */
export const restoreBackup = async (text: string): Promise<Applied> =>
  call('POST', '/restore', JSON.parse(text));

export const createFirstUser = (first: { code: string; name: string; password: string }): Promise<void> =>
  call('POST', '/first-run', first);
export const getDetected = (): Promise<readonly Detected[]> => call('GET', '/interfaces');
export const finishFirstRun = (sides: { wan: string; lan: readonly string[] }): Promise<void> =>
  call('PUT', '/config', { interfaces: sides });

/** Advice in plain words: a paragraph that is a list has one item a line. */
export interface Topic {
  readonly name: string;
  readonly title: string;
  readonly paragraphs: readonly (string | readonly string[])[];
}

/** Both may take their time: servers that do not answer are waited for. */
const LONG_MS = 120_000;
export const examine = (): Promise<DoctorReport> => call('POST', '/doctor', {}, AbortSignal.timeout(LONG_MS));
export const probe = (host: string): Promise<ProbeReport> =>
  call('POST', '/probe', { host }, AbortSignal.timeout(LONG_MS));
export const getTopics = (): Promise<readonly Topic[]> => call('GET', '/topics');
