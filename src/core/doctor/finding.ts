// What the doctor says: a cause, what shows it, and what to do. The causes have stable names, which
// scripts, the manual and the page go by.

export const CAUSES = [
  'forwarding-off',
  'table-gone',
  'table-changed',
  'wan-missing',
  'wan-down',
  'wan-without-address',
  'lan-missing',
  'lan-down',
  'lan-without-address',
  'reverse-path-filter',
  'no-default-route',
  'config-broken',
  'foreign-drop',
  'foreign-nat',
  'foreign-tracking',
  'conntrack-full',
  'passthrough-disabled',
  'helper-missing',
  'wan-private',
  'wan-carrier-grade',
  'networks-overlap',
  'address-twice',
  'clock-wrong',
  'own-vpn-port',
  'ah-through-nat',
  'same-spi',
  'asymmetric',
  'fragments-lost',
  'server-private',
  'server-silent',
  'protocol-blocked',
  'provider-blocks',
  'other-protocol',
  'server-refuses',
  'esp-one-way',
  'no-esp',
  'gre-lost',
  'transport-mode-limit',
  'too-large',
  'ike-fragments-lost',
  'idle-expired',
  'source-port-500',
  'daemon-trouble',
  'daemon-down',
] as const;
export type Cause = (typeof CAUSES)[number];

export interface Finding {
  readonly cause: Cause;
  /** A fault keeps somebody from connecting now; a warning may. */
  readonly level: 'fault' | 'warning';
  /** What is the matter, as one sentence. */
  readonly what: string;
  /** What shows it. */
  readonly evidence: string;
  /** What to do. */
  readonly remedy: string;
  /** The session it is about, or null for all. */
  readonly session: string | null;
  readonly device: string | null;
}

/**
 * Most likely culprit first: faults before warnings, what stops everything before what stops one
 * protocol or one device. The order of CAUSES is that of how much each explains.
 */
export function rank(findings: readonly Finding[]): Finding[] {
  const weight = ({ level, cause }: Finding): number =>
    (level === 'fault' ? 0 : 1000) + CAUSES.indexOf(cause);
  return findings.toSorted((a, b) => weight(a) - weight(b));
}
