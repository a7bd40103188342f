// All probes in the order in which they are tried, and what their findings mean for the user's devices.
import type { Finding, Passthrough, Probe, Verdict } from './attempt.ts';
import { ikeProbes } from './ike.ts';
import { l2tpProbe } from './l2tp.ts';
import { openvpnProbes } from './openvpn.ts';
import { pptpProbe } from './pptp.ts';
import { tlsProbes } from './tls.ts';
import { wireguardProbe } from './wireguard.ts';

export const PROBES: readonly Probe[] = [
  ...ikeProbes,
  l2tpProbe,
  pptpProbe,
  ...openvpnProbes,
  wireguardProbe,
  ...tlsProbes,
];

const LABEL = { ipsec: 'IPSec Passthrough', pptp: 'PPTP Passthrough', l2tp: 'L2TP Passthrough' } as const;

/** What a finding means for the devices behind the gateway, in one sentence; `enabled` are the switches. */
export function meaning(
  { name, passthrough, silence }: Pick<Probe, 'name' | 'passthrough' | 'silence'>,
  { verdict }: Finding,
  enabled: Readonly<Record<Exclude<Passthrough, null>, 'enabled' | 'disabled'>>,
): string {
  if (verdict === 'silent' && silence !== undefined) return silence;
  if (!speaks(verdict)) {
    return verdict === 'silent'
      ? 'Either it is not offered there, or something on the way drops it.'
      : 'It is not offered there.';
  }
  if (passthrough === null) return `Devices can use ${name} with no passthrough at all.`;
  const label = LABEL[passthrough];
  return enabled[passthrough] === 'enabled'
    ? `Devices need ${label} for it, which is enabled.`
    : `Devices need ${label} for it, which is disabled: turn it on.`;
}

/** Whether the server speaks the protocol. */
export function speaks(verdict: Verdict): boolean {
  return verdict === 'answered' || verdict === 'refused';
}

/** "Do I need VPN passthrough for this server?", in one or two sentences. */
export function conclusion(
  host: string,
  results: readonly { readonly passthrough: Passthrough; readonly name: string; readonly verdict: Verdict }[],
): string {
  const spoken = results.filter((one) => speaks(one.verdict));
  if (spoken.length === 0) {
    return `"${host}" answered none of the VPN protocols that were tried. It may be off, filtered, or answer only to its own users.`;
  }
  const needed = [
    ...new Set(spoken.flatMap(({ passthrough }) => (passthrough === null ? [] : LABEL[passthrough]))),
  ];
  const free = [...new Set(spoken.filter((one) => one.passthrough === null).map((one) => one.name))];
  const parts: string[] = [];
  if (needed.length > 0) parts.push(`Devices that use this server need ${needed.join(' and ')}.`);
  if (free.length > 0)
    parts.push(`${free.join(', ')} ${free.length === 1 ? 'needs' : 'need'} no passthrough.`);
  return parts.join(' ');
}
