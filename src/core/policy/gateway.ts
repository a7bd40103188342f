// Configuration and system in, the whole ruleset out: which hooks there are and in which order
// packets meet the parts, which are in the files beside this one. The order matters for speed: an
// established flow meets one hook, and of its rules the first.
import type { Config } from '../config/schema.ts';
import { DROP_REASONS } from './counters.ts';
import { ESP_LEARNED, espChains, espDeclarations, icmpChains } from './esp.ts';
import { filterChains, timeoutDeclarations } from './filter.ts';
import { forwardChains, OPTIONAL_HOOKS, rawChains } from './hooks.ts';
import { ikeChains, ikeDeclarations } from './ike.ts';
import { inputChain } from './input.ts';
import { NAT_LEARNED, natChains, natDeclarations } from './nat.ts';
import { observeDeclarations } from './observe.ts';
import { rule, type Declaration, type Ruleset } from './ruleset.ts';
import { switchChains } from './switches.ts';
import type { SystemState } from './system.ts';
import { turnChains, turnDeclarations } from './turns.ts';

/** What was learned under another WAN address must go: its packets come to that address no more. */
export interface PlanOptions {
  readonly forgetAddress?: boolean;
}

export function planRuleset(config: Config, system: SystemState, options: PlanOptions = {}): Ruleset {
  const forgetIpsec = options.forgetAddress === true || config.passthrough.ipsec === 'disabled';
  const hooked = [...rawChains(config, system), ...forwardChains(config, system)];
  return {
    declarations: [
      ...DROP_REASONS.map((reason): Declaration => ({ kind: 'counter', name: reason.name, lines: [] })),
      { kind: 'ct helper', name: 'pptp_control', lines: ['type "pptp" protocol tcp', 'l3proto ip'] },
      ...timeoutDeclarations(config),
      ...espDeclarations(),
      ...ikeDeclarations(),
      ...natDeclarations(),
      ...observeDeclarations(),
      ...turnDeclarations(),
    ],
    chains: [
      ...hooked,
      ...filterChains(config, system),
      ...espChains(config, system),
      ...turnChains(config.passthrough.ipsec === 'enabled' ? system.wanAddress : null),
      ...icmpChains(config, system),
      ...ikeChains(config, system.wanAddress),
      ...switchChains(config),
      ...natChains(config, system.wanAddress),
      inputChain(config, system),
      {
        name: 'output',
        hook: 'filter hook output priority filter',
        rules: [
          rule(
            'meta nfproto ipv4 tcp dport 1723 ct state new ct helper set "pptp_control"',
            "The gateway's own PPTP clients",
          ),
        ],
      },
    ],
    unneeded: OPTIONAL_HOOKS.filter(({ name }) => !hooked.some((chain) => chain.name === name)),
    forget: [...(forgetIpsec ? ESP_LEARNED : []), ...(options.forgetAddress ? NAT_LEARNED : [])],
  };
}
