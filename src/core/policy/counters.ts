// Every drop that the gateway makes has a counter, and every counter has a sentence. The names are
// those of the nft counters; the sentences are what `throughway status` says of them.

export interface DropReason {
  readonly name: string;
  /** What was counted, and what it means for the user. */
  readonly sentence: string;
}

export const DROP_REASONS = [
  {
    name: 'esp_unknown',
    sentence:
      'ESP from a server with an SPI that belongs to no device was dropped; some are normal after a restart, while a device has not sent yet.',
  },
  {
    name: 'esp_same_spi',
    sentence:
      'A server began anew on an SPI that is in use. Two devices may have chosen the same SPI for the same server, which no NAT can tell apart: reconnect one of them.',
  },
  {
    name: 'ah_refused',
    sentence: 'AH was refused: it signs the addresses, so it cannot pass any NAT. Set the VPN to ESP.',
  },
  {
    name: 'own_gre',
    sentence:
      "GRE of a device to the far end of the gateway's own GRE tunnel was refused: without Call IDs, the two cannot be told apart.",
  },
  { name: 'ipsec_disabled', sentence: 'IPsec was refused, because IPSec Passthrough is disabled.' },
  { name: 'pptp_disabled', sentence: 'PPTP was refused, because PPTP Passthrough is disabled.' },
  { name: 'l2tp_disabled', sentence: 'L2TP was refused, because L2TP Passthrough is disabled.' },
  { name: 'wan_new', sentence: 'New connections from the internet to the LAN were dropped.' },
  { name: 'wan_input', sentence: 'Packets from the internet to the gateway itself were dropped.' },
  { name: 'invalid', sentence: 'Packets that belong to no known connection were dropped.' },
] as const satisfies readonly DropReason[];

export type DropName = (typeof DROP_REASONS)[number]['name'];

/** `counter name "wan_new"`, to be put into a rule. */
export function countAs(name: DropName): string {
  return `counter name "${name}"`;
}
