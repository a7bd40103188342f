// What a probe is: a first message for one VPN protocol at one port of a server, and a reader of
// whatever comes back. Pure: who sends, waits and gives up is not known here. A hostile server may
// send anything; every reader answers any bytes with a verdict or with "not yet", and never throws.
import { WireError } from '../wire/bytes.ts';

/**
 * `answered`: it speaks this protocol. `refused`: it speaks it, and said no. `other`: something answered
 * that is not this protocol. Found by the one who sends: `closed` (a port that is shut), `unreachable`
 * (a router on the way said so) and `silent`.
 */
export type Verdict = 'answered' | 'refused' | 'other' | 'closed' | 'unreachable' | 'silent';

export interface Finding {
  readonly verdict: Verdict;
  /** One sentence of what was seen, for a person. */
  readonly detail: string;
}

/** What to do after some bytes came: say something and go on, or end. Null: wait for more. */
export type Reaction =
  | { readonly say: Uint8Array }
  | {
      readonly finding: Finding;
      /** A farewell, so that the server need not wait for us. */
      readonly farewell?: Uint8Array;
      /** A PPTP call is up: data for `sendCallId` goes out by GRE, and comes back under `ownCallId`. */
      readonly gre?: { readonly ownCallId: number; readonly sendCallId: number };
    }
  | null;

export interface Attempt {
  readonly opening: Uint8Array;
  /** Takes one datagram, or the next piece of a stream. */
  hear(bytes: Uint8Array): Reaction;
}

/** `length` octets that nobody can guess. */
export type RandomBytes = (length: number) => Uint8Array;

/** Which switch a device's connection of this kind depends on; null: none, it passes any NAT. */
export type Passthrough = 'ipsec' | 'pptp' | 'l2tp' | null;

export interface Probe {
  readonly id: string;
  /** As a user would say it. */
  readonly name: string;
  readonly transport: 'udp' | 'tcp' | 'tls';
  readonly port: number;
  /** The port to send from where some servers insist on it; else any. */
  readonly sourcePort?: number;
  readonly passthrough: Passthrough;
  /** What silence means here, where it does not mean that nothing is there. */
  readonly silence?: string;
  begin(random: RandomBytes, host: string): Attempt;
}

/** Runs a reader over bytes of a stranger; what it cannot read is `other`. */
export function reading(what: string, read: () => Reaction): Reaction {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return error.fault === 'truncated'
      ? null
      : ended('other', `Something answered, but it is no ${what} (${error.message}).`);
  }
}

export function ended(verdict: Verdict, detail: string, farewell?: Uint8Array): Reaction {
  return { finding: { verdict, detail }, ...(farewell === undefined ? {} : { farewell }) };
}
