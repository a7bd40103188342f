// How a session's two ends are called where there is room for one word.
import type { Session } from '../../daemon/api/session.ts';

export function deviceLabel({ device }: Pick<Session, 'device'>): string {
  return device.name ?? device.address;
}

export function serverLabel({ server }: Pick<Session, 'server'>): string {
  return server.name ?? server.address;
}
