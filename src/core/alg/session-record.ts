// One VPN connection of one device, as the session machine keeps it and the journal stores it: plain
// data, no methods, all times instants of the machine's clock. What state it is in is judged in
// session-judgement.ts; who writes what into it is known to the trackers.
import type { Address, Confidence, Flow } from './fact.ts';
import type { Instant } from './machine.ts';

export const SESSION_STATES = ['negotiating', 'up', 'idle', 'blocked', 'failing', 'ended'] as const;
export type SessionState = (typeof SESSION_STATES)[number];

export const SESSION_PROTOCOLS = [
  'ipsec',
  'ipsec-nat-t',
  'pptp',
  'l2tp',
  'l2tpv3',
  'openvpn',
  'wireguard',
  'sstp',
  'softether',
  'anyconnect',
] as const;
export type SessionProtocol = (typeof SESSION_PROTOCOLS)[number];

/** The three switches of the gateway. */
export type SwitchName = 'ipsec' | 'pptp' | 'l2tp';

export interface Traffic {
  packets: number;
  bytes: number;
}

/** One conntrack entry of the session; the addresses are the session's. */
export interface FlowPart {
  readonly protocol: number;
  readonly clientPort: number | null;
  readonly serverPort: number | null;
  /** Conntrack's id; 0 until it has told. */
  id: number;
  answered: boolean;
  out: Traffic;
  in: Traffic;
  /** When the kernel forgets it unless something passes, or null. */
  expiresAt: Instant | null;
}

/** One direction of an ESP security association. */
export interface SaPart {
  readonly direction: 'out' | 'in';
  readonly spi: number;
  readonly since: Instant;
  lastSeen: Instant;
  traffic: Traffic;
  /** Of inbound ones: how sure it is that they belong to this device, and why. */
  confidence: Confidence | null;
  evidence: string | null;
}

/** The tunnel and session ids of L2TP, as each end has assigned them. */
export interface TunnelPart {
  readonly client: number;
  server: number | null;
  sessions: { readonly client: number; server: number | null }[];
}

export interface SessionRecord {
  readonly id: number;
  /** What finds it: protocol, device, server, and what tells it from others of the same device. */
  key: string;
  protocol: SessionProtocol;
  guessed: boolean;
  readonly client: Address;
  readonly server: Address;
  serverPort: number | null;
  serverName: string | null;
  readonly since: Instant;
  endedAt: Instant | null;
  state: SessionState;
  trouble: string | null;
  /** How far the control channel is: before anything is agreed, agreed, or refused by the server. */
  phase: 'opening' | 'open' | 'refused';
  /** What the server said when it refused. */
  refusal: string | null;
  /** Something worth knowing that does not end the session. */
  warning: string | null;
  /** How often the device has begun anew without anything having passed. */
  restarts: number;
  lastOut: Instant | null;
  lastIn: Instant | null;
  /** What the device has sent since the server was last heard. */
  silence: { since: Instant; packets: number; bytes: number } | null;
  /** The same of ESP alone: IKE may go on while ESP is lost. */
  espSilence: { since: Instant; packets: number } | null;
  flows: FlowPart[];
  sas: SaPart[];
  tunnels: TunnelPart[];
  /** Of flows and associations that are gone. */
  past: { out: Traffic; in: Traffic };
  /** What an administrator would compare with the server's log. */
  details: Record<string, string>;
  /** Other names it is found by: IKE initiator SPIs and cookies. */
  aliases: string[];
}

/** Which switch governs a protocol, or null. */
export function switchOfProtocol(protocol: SessionProtocol): SwitchName | null {
  switch (protocol) {
    case 'ipsec':
    case 'ipsec-nat-t':
      return 'ipsec';
    case 'pptp':
      return 'pptp';
    case 'l2tp':
    case 'l2tpv3':
      return 'l2tp';
    default:
      return null;
  }
}

/** All that has passed, of what lives and what is gone. */
export function trafficOf(session: SessionRecord): { out: Traffic; in: Traffic } {
  const sum = { out: { ...session.past.out }, in: { ...session.past.in } };
  for (const flow of session.flows) {
    addTraffic(sum.out, flow.out);
    addTraffic(sum.in, flow.in);
  }
  for (const sa of session.sas) addTraffic(sum[sa.direction], sa.traffic);
  return sum;
}

export function addTraffic(to: Traffic, more: Traffic): void {
  to.packets += more.packets;
  to.bytes += more.bytes;
}

/** The least certain of the pairs that live, or null when nothing is paired. */
export function pairingOf(session: SessionRecord): Confidence | null {
  const found = new Set(session.sas.map((sa) => sa.confidence));
  return (['ambiguous', 'probable', 'certain'] as const).find((one) => found.has(one)) ?? null;
}

/** When the gateway forgets it if nothing passes: the last of its parts counts. Null where nothing expires. */
export function expiryOf(session: SessionRecord, espIdleMs: number): Instant | null {
  let latest: Instant | null = null;
  const consider = (at: Instant | null): void => {
    if (at !== null && (latest === null || at > latest)) latest = at;
  };
  for (const flow of session.flows) consider(flow.expiresAt);
  for (const sa of session.sas) consider(sa.lastSeen + espIdleMs);
  return latest;
}

/** What finds a session by one of its conntrack entries. */
export function flowKey(
  client: Address,
  server: Address,
  flow: Pick<Flow, 'protocol' | 'clientPort' | 'serverPort'>,
): string {
  // Joined: a template leaves a tree of its parts behind, which takes three times the room.
  return ['f', flow.protocol, client, flow.clientPort ?? '-', server, flow.serverPort ?? '-'].join(' ');
}

/** A copy with every instant moved by `ms`: into the journal's time and back. */
export function shiftInstants(session: SessionRecord, ms: number): SessionRecord {
  const shift = (at: Instant): Instant => at + ms;
  const shiftMaybe = (at: Instant | null): Instant | null => (at === null ? null : at + ms);
  return {
    ...session,
    since: shift(session.since),
    endedAt: shiftMaybe(session.endedAt),
    lastOut: shiftMaybe(session.lastOut),
    lastIn: shiftMaybe(session.lastIn),
    silence: session.silence && { ...session.silence, since: shift(session.silence.since) },
    espSilence: session.espSilence && { ...session.espSilence, since: shift(session.espSilence.since) },
    flows: session.flows.map((flow) => ({
      ...flow,
      out: { ...flow.out },
      in: { ...flow.in },
      expiresAt: shiftMaybe(flow.expiresAt),
    })),
    sas: session.sas.map((sa) => ({
      ...sa,
      traffic: { ...sa.traffic },
      since: shift(sa.since),
      lastSeen: shift(sa.lastSeen),
    })),
    tunnels: session.tunnels.map((tunnel) => ({
      ...tunnel,
      sessions: tunnel.sessions.map((one) => ({ ...one })),
    })),
    past: { out: { ...session.past.out }, in: { ...session.past.in } },
    details: { ...session.details },
    aliases: [...session.aliases],
  };
}
