// The gateway's own protection: what the WAN may reach of the gateway itself. The LAN may reach all.
import type { Config } from '../config/schema.ts';
import { countAs } from './counters.ts';
import { addressSet, rule, type Chain } from './ruleset.ts';
import type { SystemState } from './system.ts';

export function inputChain(config: Config, system: SystemState): Chain {
  const { wan_ping: ping, wan_services: services } = config.firewall;
  const ports = (protocol: string): string[] =>
    services.filter((one) => one.startsWith(`${protocol}/`)).map((one) => one.slice(4));
  const rules = [
    rule(`iifname != "${config.interfaces.wan}" accept`, 'Only the WAN is filtered'),
    rule('ct state established,related accept', 'Answers to the gateway'),
    rule('ip daddr . esp spi @own_sa accept', "ESP of the gateway's own tunnels"),
    rule('udp sport 67 udp dport 68 accept', 'DHCP for the WAN address'),
    rule('udp sport 547 udp dport 546 accept', 'DHCPv6 for the WAN address'),
    rule(
      'icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query } accept',
      'IPv6 does not work without these (RFC 4890)',
    ),
  ];
  if (system.ownGreRemotes.length > 0) {
    rules.push(
      rule(
        `ip saddr ${addressSet(system.ownGreRemotes)} meta l4proto gre accept`,
        "GRE of the gateway's own interfaces",
      ),
    );
  }
  if (ping) {
    rules.push(
      rule('icmp type echo-request limit rate 50/second accept', 'Pings'),
      rule('icmpv6 type echo-request limit rate 50/second accept', 'Pings'),
    );
  }
  for (const protocol of ['tcp', 'udp']) {
    const open = ports(protocol);
    if (open.length > 0)
      rules.push(
        rule(`${protocol} dport { ${open.join(', ')} } accept`, 'Services that the configuration opens'),
      );
  }
  rules.push(rule(`${countAs('wan_input')} drop`, 'Nothing else of the gateway is reachable from the WAN'));
  return { name: 'input', hook: 'filter hook input priority filter', rules };
}
