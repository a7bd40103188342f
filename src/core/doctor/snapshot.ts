// What the doctor looks at, gathered at one moment by the daemon. Values only: how they are read is
// known to daemon/doctor.ts, what they mean to the other files here.
import type { Passthrough, Protocol } from '../config/schema.ts';
import type { DropName } from '../policy/counters.ts';

export interface InterfaceState {
  readonly name: string;
  readonly state: 'up' | 'down' | 'missing';
  /** With prefix length. */
  readonly addresses: readonly string[];
  /** Strict reverse path filtering (RFC 3704 2.2), by the stricter of its own and the general setting. */
  readonly strictReversePath: boolean;
  /** Whether this kernel forwards what comes in here. */
  readonly forwarding: boolean;
}

export interface Snapshot {
  readonly passthrough: Passthrough;
  readonly ikeSourcePort: 'translate' | 'preserve';
  readonly configProblems: readonly string[];
  readonly forwarding: boolean;
  readonly table: 'intact' | 'changed' | 'gone';
  /** How often the daemon had to put the table back in the last ten minutes. */
  readonly restored: number;
  readonly wan: InterfaceState;
  readonly lan: readonly InterfaceState[];
  /** The interface of the best IPv4 default route, or null. */
  readonly defaultRouteInterface: string | null;
  /** Destinations with their interface, of all IPv4 routes that are not default ones. */
  readonly routes: readonly { readonly prefix: string; readonly interfaceName: string }[];
  /** What other tables do to VPN packets, each as a sentence. */
  readonly foreign: {
    readonly drops: readonly string[];
    readonly nats: readonly string[];
    readonly tracking: readonly string[];
  };
  readonly conntrack: { readonly entries: number; readonly mostEntries: number } | null;
  /** Connections to TCP 1723 without the kernel's PPTP helper, as `192.168.1.11 to 203.0.113.1`. */
  readonly pptpWithoutHelper: readonly string[];
  /** How many packets each counter has gained, and over how long. */
  readonly recent: { readonly minutes: number; readonly drops: Readonly<Record<DropName, number>> };
  /** LAN addresses that several MAC addresses answer for. */
  readonly addressesTwice: readonly { readonly address: string; readonly macs: readonly string[] }[];
  /** In UTC by RFC 3339: now, and what it cannot be before, as files of this machine tell. */
  readonly clock: { readonly now: string; readonly notBefore: string };
  /** UDP ports 500 and 4500 where a program of the gateway itself listens. */
  readonly ownIkePorts: readonly number[];
  /** Troubles that the daemon has told already and that no cause here explains. */
  readonly daemonTroubles: readonly string[];
  /** Fragments that came in and were never made whole, over the same time as `recent`. */
  readonly reassemblyFailures: number;
}

/** What the switches are called on the page. */
export const SWITCH_TITLES: Readonly<Record<Protocol, string>> = {
  ipsec: 'IPSec Passthrough',
  pptp: 'PPTP Passthrough',
  l2tp: 'L2TP Passthrough',
};
