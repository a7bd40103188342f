// What the pages know of protocols: their names as people write them, and the switch that governs each.
import { PROTOCOL_NAMES } from '../../core/alg/protocol-names.ts';
import type { Protocol } from '../../core/config/schema.ts';
import type { SessionProtocol, SessionState } from '../../daemon/api/session.ts';

export const SWITCHES = ['ipsec', 'pptp', 'l2tp'] as const satisfies readonly Protocol[];

/** As the switches are called on routers' pages; the same in every language. */
export const SWITCH_NAMES: Readonly<Record<Protocol, string>> = {
  ipsec: 'IPSec Passthrough',
  pptp: 'PPTP Passthrough',
  l2tp: 'L2TP Passthrough',
};

export { PROTOCOL_NAMES };
export const PROTOCOL_LIST = Object.keys(PROTOCOL_NAMES) as SessionProtocol[];

const GOVERNED: Partial<Record<SessionProtocol, Protocol>> = {
  ipsec: 'ipsec',
  'ipsec-nat-t': 'ipsec',
  pptp: 'pptp',
  l2tp: 'l2tp',
  l2tpv3: 'l2tp',
};

/** The switch that a session's protocol obeys, or undefined: it needs none. */
export function switchOf(protocol: SessionProtocol): Protocol | undefined {
  return GOVERNED[protocol];
}

/** In the order of how much they concern a reader. */
export const STATES = [
  'failing',
  'blocked',
  'negotiating',
  'up',
  'idle',
  'ended',
] as const satisfies readonly SessionState[];

/** Whether turning its protocol off would end it. */
export function isRunning(state: SessionState): boolean {
  return state === 'up' || state === 'idle' || state === 'negotiating' || state === 'failing';
}
