// The kinds of passive copies: what the rules of core/policy/observe.ts call them, and what the
// observer makes of each.

export const COPY_KINDS = [
  /** A control packet from a LAN device, or the first one of a connection. */
  'lan',
  /** A control packet from the WAN, with the WAN address where it will be translated. */
  'wan',
  /** IKE that must wait for its turn. */
  'ike-held-lan',
  'ike-held-wan',
  /** Outbound ESP on an SPI that is not known; it passed. */
  'esp-new',
  /** The same, which must wait for its turn. */
  'esp-held-out',
  /** Inbound ESP on an SPI that belongs to nobody; it was dropped. */
  'esp-unknown',
  /** The same, which waits for being paired. */
  'esp-held',
  /** Inbound ESP that a pair on trial has led to its device. */
  'esp-trial',
  /** Inbound ESP that the kernel has just given to a device by its own rules. */
  'esp-learned',
  /** Inbound ESP with sequence number 1 on an SPI that is in use. */
  'esp-again',
  /** What a switch has refused. */
  'refused',
] as const;

export type CopyKind = (typeof COPY_KINDS)[number];

/** Kinds whose packet was dropped by the kernel and waits at the daemon. */
export const HELD_KINDS: ReadonlySet<CopyKind> = new Set<CopyKind>([
  'ike-held-lan',
  'ike-held-wan',
  'esp-held-out',
  'esp-held',
]);
