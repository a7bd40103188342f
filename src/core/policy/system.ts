// What of the machine the ruleset depends on, besides the configuration.
import type { Ipv4Address } from '../address.ts';

export interface SystemState {
  /** The WAN interface's first global IPv4 address, which masquerade uses too; null while there is none. */
  readonly wanAddress: Ipv4Address | null;
  /** The far ends of the gateway's own GRE interfaces. */
  readonly ownGreRemotes: readonly Ipv4Address[];
  /** Whether other tables have rules on the way of forwarded packets, so that ours must not stand in their view. */
  readonly othersFilter: boolean;
}
