// Which conntrack entries belong to which switch, so that turning a protocol off ends its running
// connections and a new WAN address ends those of the old one. Ports and protocols are those of the
// original direction: what a LAN device has opened.
import type { Protocol } from '../config/schema.ts';

/** The part of a conntrack entry that tells its protocol. */
export interface FlowKey {
  readonly protocol: number;
  readonly destinationPort: number | null;
}

const TCP = 6;
const UDP = 17;
const GRE = 47;
const ESP = 50;
const AH = 51;
const L2TP = 115;

/** The switch that governs a flow, or null for everything that no switch touches. */
export function switchOf(flow: FlowKey): Protocol | null {
  switch (flow.protocol) {
    case UDP:
      if (flow.destinationPort === 500 || flow.destinationPort === 4500) return 'ipsec';
      return flow.destinationPort === 1701 ? 'l2tp' : null;
    case TCP:
      return flow.destinationPort === 1723 ? 'pptp' : null;
    case GRE:
      // GRE version 0 has no key in conntrack; only what the PPTP helper expected has one.
      return flow.destinationPort ? 'pptp' : null;
    case ESP:
    case AH:
      return 'ipsec';
    case L2TP:
      return 'l2tp';
    default:
      return null;
  }
}

/** What both directions of a conntrack entry tell. */
interface Flow {
  readonly original: FlowKey;
  readonly reply: { readonly sourcePort: number | null };
}

/** As switchOf; also for the flow that an L2TP server began when it answered from another port: it leads to a device's port 1701. */
export function switchOfEntry({ original, reply }: Flow): Protocol | null {
  if (original.protocol === UDP && reply.sourcePort === 1701) return 'l2tp';
  return switchOf(original);
}
