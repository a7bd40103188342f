// When ESP's source becomes the WAN address: as early as can be, or late. Every hook that a packet
// passes has its price for all packets (docs/benchmarks.md), so by default there is one alone, at
// prerouting behind conntrack: the filter, and ESP in both directions. Conntrack then takes ESP for
// one flow by addresses in each direction, which translates nothing.
//
// Late is dearer by two hooks: ESP is exempt from conntrack at priority raw, and keeps the device's
// address until the end of forward. It is for those who look: other tables with rules of their own,
// and IKE with its own port, which needs the same two hooks.
import type { Config } from '../config/schema.ts';
import { isIkePreserved } from './ike.ts';
import type { SystemState } from './system.ts';

export type Layout = 'early' | 'late';

export function layoutOf(config: Config, system: SystemState): Layout {
  return system.othersFilter || isIkePreserved(config, system.wanAddress) ? 'late' : 'early';
}
