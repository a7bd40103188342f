// Every request the pages make, one function each, with the API's own types.
import type { Passthrough } from '../../core/config/schema.ts';
import type { Device, GatewayEvent, SessionStory, TrafficHistory } from '../../daemon/api/session.ts';
import type { PassthroughChange, Status } from '../../daemon/api/types.ts';
import { call } from './client.ts';

export const getStatus = (): Promise<Status> => call('GET', '/status');

export const getPassthrough = (): Promise<Passthrough> => call('GET', '/passthrough');

/** What is left out stays as it is. */
export const putPassthrough = (change: Partial<Passthrough>): Promise<PassthroughChange> =>
  call('PUT', '/passthrough', change);

export const getSession = (id: string): Promise<SessionStory> =>
  call('GET', `/sessions/${encodeURIComponent(id)}`);

export const endSession = (id: string): Promise<void> =>
  call('DELETE', `/sessions/${encodeURIComponent(id)}`);

export const getDevices = (): Promise<readonly Device[]> => call('GET', '/devices');

export const nameDevice = (id: string, name: string | null): Promise<Device> =>
  call('PUT', `/devices/${encodeURIComponent(id)}`, { name });

export const getEvents = (): Promise<readonly GatewayEvent[]> => call('GET', '/events');

export const getTraffic = (span: TrafficHistory['span']): Promise<TrafficHistory> =>
  call('GET', `/traffic?span=${span}`);
