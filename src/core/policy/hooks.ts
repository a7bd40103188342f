// The hooks that are there only while somebody needs them, since every packet pays for each: raw
// prerouting, where ESP is taken out of conntrack, and forward, where what is switched off is refused
// and where ESP gets the WAN address once all other tables have seen the device's own (layout.ts).
import type { Config } from '../config/schema.ts';
import { countAs } from './counters.ts';
import { ipv6FromWan } from './filter.ts';
import { isIkePreserved } from './ike.ts';
import { layoutOf } from './layout.ts';
import { interfaceSet, rule, type Chain, type Rule } from './ruleset.ts';
import { switchRules } from './switches.ts';
import type { SystemState } from './system.ts';

const raw = { name: 'raw', hook: 'filter hook prerouting priority raw' };
// Behind other tables' filters, so that they still see the device's own address in outbound ESP.
const forward = { name: 'forward', hook: 'filter hook forward priority filter + 10' };
export const OPTIONAL_HOOKS = [raw, forward];

export function rawChains(config: Config, system: SystemState): Chain[] {
  if (layoutOf(config, system) === 'early') return [];
  const rules: Rule[] = [];
  if (config.passthrough.ipsec === 'enabled' && system.wanAddress !== null) {
    rules.push(
      rule('meta nfproto ipv4 meta l4proto esp notrack accept', 'Conntrack would mix the devices up'),
      rule('meta l4proto icmp jump icmp_prerouting', 'ICMP errors about ESP'),
    );
  }
  if (isIkePreserved(config, system.wanAddress))
    rules.push(rule('udp sport 500 udp dport 500 jump ike_prerouting', 'IKE keeps its source port'));
  return [{ ...raw, rules }];
}

export function forwardChains(config: Config, system: SystemState): Chain[] {
  const { wan, lan } = config.interfaces;
  const rules = [...switchRules(config)];
  if (system.othersFilter) {
    rules.push(rule(`iifname "${wan}" ct state new jump wan_new`, 'The internet may open little'));
  }
  if (layoutOf(config, system) === 'late') {
    if (config.passthrough.ipsec === 'enabled' && system.wanAddress !== null)
      rules.push(
        rule(`meta nfproto ipv4 meta l4proto esp oifname "${wan}" goto esp_to_wan`, 'ESP to the WAN'),
      );
    if (isIkePreserved(config, system.wanAddress))
      rules.push(
        rule(
          `iifname ${interfaceSet(lan)} oifname "${wan}" ct state untracked udp sport 500 udp dport 500 goto ike_to_wan`,
          'IKE that keeps its source port',
        ),
      );
  }
  if (rules.length === 0) return [];
  return [
    { ...forward, rules },
    {
      name: 'wan_new',
      hook: null,
      rules: system.othersFilter
        ? [
            rule('ct status dnat accept', "Port forwards of the administrator's own tables"),
            ...ipv6FromWan(config, 'oifname'),
            rule(`${countAs('wan_new')} drop`, 'New connections from the WAN'),
          ]
        : [],
    },
  ];
}
