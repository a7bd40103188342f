// Which protocols a switch governs, by themselves: whoever needs no more need not load the schema.

/** In the order in which they are shown. */
export const PROTOCOLS = ['ipsec', 'pptp', 'l2tp'] as const;
export type Protocol = (typeof PROTOCOLS)[number];
