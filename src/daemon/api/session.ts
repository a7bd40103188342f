// The shapes of `GET /api/v1/sessions`, `/sessions/{id}`, `/devices` and `/events`, which the command
// line, the page and the doctor show. All times are RFC 3339.

import {
  SESSION_PROTOCOLS,
  SESSION_STATES,
  type SessionProtocol,
  type SessionState,
} from '../../core/alg/session-record.ts';

export { SESSION_PROTOCOLS, SESSION_STATES, type SessionProtocol, type SessionState };

export interface Traffic {
  readonly packets: number;
  readonly bytes: number;
}

/** One device's VPN connection. */
export interface Session {
  /** The same over restarts of the daemon. */
  readonly id: string;
  readonly device: {
    readonly id: string;
    readonly name: string | null;
    readonly address: string;
    readonly mac: string | null;
  };
  readonly protocol: SessionProtocol;
  /** The wire does not prove the protocol. */
  readonly guessed: boolean;
  readonly server: { readonly address: string; readonly name: string | null; readonly port: number | null };
  readonly state: SessionState;
  readonly since: string;
  readonly ended_at: string | null;
  readonly last_packet: { readonly out: string | null; readonly in: string | null };
  readonly traffic: { readonly out: Traffic; readonly in: Traffic };
  /** Until the gateway forgets it, if nothing passes; null where nothing expires. */
  readonly expires_in_seconds: number | null;
  /** Call IDs, SPIs, tunnel ids, cookies: what an administrator would compare with the server's log. */
  readonly details: readonly { readonly name: string; readonly value: string }[];
  /** Of raw ESP; null otherwise. The least certain pair counts. */
  readonly pairing: 'certain' | 'probable' | 'ambiguous' | null;
  /** One sentence when something is wrong. */
  readonly trouble: string | null;
}

/** `GET /api/v1/sessions/{id}`: everything known. */
export interface SessionStory extends Session {
  readonly pairs: readonly {
    readonly spi: string;
    readonly confidence: 'certain' | 'probable' | 'ambiguous';
    readonly evidence: string;
    readonly since: string;
  }[];
  /** What happened, oldest first, in words. */
  readonly history: readonly { readonly at: string; readonly what: string }[];
}

export interface Device {
  readonly id: string;
  readonly address: string;
  readonly addresses: readonly string[];
  readonly mac: string | null;
  readonly maker: string | null;
  /** The name shown: the given one, else the best of those found. */
  readonly name: string | null;
  readonly given_name: string | null;
  readonly name_source: 'given' | 'dhcp' | 'dns' | 'mdns' | null;
  readonly first_seen: string;
  readonly last_seen: string;
  readonly sessions: number;
  /** Protocols it used, with the last time of each. */
  readonly used: readonly { readonly protocol: SessionProtocol; readonly last: string }[];
}

export interface GatewayEvent {
  /** Grows with each event; the `id` of the server-sent event. */
  readonly id: number;
  readonly at: string;
  readonly kind: 'session' | 'switch' | 'drop' | 'system' | 'login' | 'config';
  readonly level: 'info' | 'warn' | 'error';
  /** The sentence. */
  readonly what: string;
  readonly session: string | null;
  readonly device: string | null;
}

/**
 * `GET /api/v1/sessions` with `Accept: text/event-stream`: an event named `all` at first and after a gap, with
 * the sessions that `GET` would list, or the first of them, then events named `some`.
 */
export interface SessionsAll {
  readonly sessions: readonly Session[];
}

export interface SessionsSome {
  /** New or changed, whole. */
  readonly changed: readonly Session[];
  /** The ids of those that are not listed any more. */
  readonly gone: readonly string[];
}

/** `GET /api/v1/traffic?span=hour` or `day`: what the sessions carried in each step, oldest first. */
export interface TrafficHistory {
  readonly span: 'hour' | 'day';
  readonly step_seconds: number;
  /** The end of the last step. */
  readonly until: string;
  /** Bytes in each step; every list is equally long. */
  readonly series: readonly {
    readonly protocol: SessionProtocol;
    readonly out: readonly number[];
    readonly in: readonly number[];
  }[];
}
