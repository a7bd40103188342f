// Configuration and system in, the whole ruleset out: which hooks there are, in which order packets
// meet the parts, the stateful filter and the gateway's own protection. The parts are in the files
// beside this one. The order matters for speed: an established flow meets three rules.
import type { Config } from '../config/schema.ts';
import { countAs, DROP_REASONS } from './counters.ts';
import { ESP_LEARNED, espChains, espDeclarations } from './esp.ts';
import { ikeChains, ikeDeclarations, isIkePreserved } from './ike.ts';
import { NAT_LEARNED, natChains, natDeclarations } from './nat.ts';
import { interfaceSet, rule, type Chain, type Declaration, type Rule, type Ruleset } from './ruleset.ts';
import { switchChains, switchRules } from './switches.ts';
import type { SystemState } from './system.ts';

/** What was learned under another WAN address must go: its packets come to that address no more. */
export interface PlanOptions {
  readonly forgetAddress?: boolean;
}

export function planRuleset(config: Config, system: SystemState, options: PlanOptions = {}): Ruleset {
  const forgetIpsec = options.forgetAddress === true || config.passthrough.ipsec === 'disabled';
  return {
    declarations: [
      ...DROP_REASONS.map((reason): Declaration => ({ kind: 'counter', name: reason.name, lines: [] })),
      { kind: 'ct helper', name: 'pptp_control', lines: ['type "pptp" protocol tcp', 'l3proto ip'] },
      ...timeoutDeclarations(config),
      ...espDeclarations(),
      ...ikeDeclarations(),
      ...natDeclarations(),
    ],
    chains: [
      ...preroutingChains(config, system),
      ...espChains(config, system.wanAddress),
      ...ikeChains(config, system.wanAddress),
      ...switchChains(config),
      ...forwardChains(config, system),
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
    forget: [...(forgetIpsec ? ESP_LEARNED : []), ...(options.forgetAddress ? NAT_LEARNED : [])],
  };
}

// The name holds the figures: a running flow keeps its object, and a changed one is a new object
// (deleting an object would take the timeout away from every flow that has it).
const vpnUdp = (config: Config): string => `vpn_udp_${config.timeouts.vpn_udp_seconds}`;
const plainUdp = (config: Config): string => `udp_${config.timeouts.udp_seconds}`;
const plainTcp = (config: Config): string => `tcp_${config.timeouts.tcp_established_seconds}`;

function timeoutDeclarations(config: Config): Declaration[] {
  const { vpn_udp_seconds: vpn, udp_seconds: udp, tcp_established_seconds: tcp } = config.timeouts;
  const timeout = (name: string, protocol: string, policy: string): Declaration => ({
    kind: 'ct timeout',
    name,
    lines: [`protocol ${protocol}`, 'l3proto ip', `policy = { ${policy} }`],
  });
  return [
    // The kernel counts a flow as replied only once it is two seconds old, and a tunnel may fall silent
    // before: so both are the same here.
    timeout(vpnUdp(config), 'udp', `unreplied : ${vpn}, replied : ${vpn}`),
    timeout(plainUdp(config), 'udp', `unreplied : 120, replied : ${udp}`),
    // RFC 5382 REQ-5: at least 4 minutes for a connection that is half open or closing.
    timeout(
      plainTcp(config),
      'tcp',
      `syn_sent : 240, syn_recv : 240, established : ${tcp}, fin_wait : 240, close_wait : 240, last_ack : 240, time_wait : 240`,
    ),
  ];
}

function preroutingChains(config: Config, system: SystemState): Chain[] {
  const rules = [
    rule('meta l4proto esp goto esp_prerouting', 'ESP is translated without conntrack'),
    rule('meta l4proto icmp jump icmp_prerouting', 'ICMP errors about ESP'),
  ];
  if (config.passthrough.ipsec === 'enabled') {
    rules.push(
      rule(
        `iifname ${interfaceSet(config.interfaces.lan)} udp dport 500 jump ike_seen`,
        'IKE tells which device gets an SA next',
      ),
    );
  }
  if (isIkePreserved(config, system.wanAddress)) {
    rules.push(rule('udp sport 500 udp dport 500 jump ike_prerouting', 'IKE keeps its source port'));
  }
  return [{ name: 'prerouting', hook: 'filter hook prerouting priority raw', rules }];
}

function forwardChains(config: Config, system: SystemState): Chain[] {
  const { wan, lan } = config.interfaces;
  const fromLan = `iifname ${interfaceSet(lan)}`;
  const fromWan = `iifname "${wan}"`;
  const toWan: Rule[] = [
    rule('meta nfproto ipv4 jump mapping', 'Remember which port the flow gets'),
    rule(
      `meta nfproto ipv4 meta l4proto ah ${countAs('ah_refused')} reject with icmpx admin-prohibited`,
      'AH signs the addresses: it cannot pass a NAT',
    ),
  ];
  if (system.ownGreRemotes.length > 0) {
    toWan.push(
      rule(
        `ip daddr ${ownGreRemotes(system)} meta l4proto gre jump own_gre`,
        "The far ends of the gateway's own GRE interfaces",
      ),
    );
  }
  if (config.passthrough.pptp === 'enabled') {
    toWan.push(
      rule(
        'meta nfproto ipv4 tcp dport 1723 ct helper set "pptp_control"',
        'The kernel translates the Call IDs of PPTP',
      ),
    );
  }
  toWan.push(
    rule(`meta l4proto tcp ct timeout set "${plainTcp(config)}" accept`, 'Idle connections live long enough'),
    rule('udp dport 53 accept', 'Names are looked up often; they need no memory'),
    rule(
      `udp dport { 500, 1701, 4500 } ct timeout set "${vpnUdp(config)}" accept`,
      'Idle tunnels live long enough',
    ),
    rule(`meta l4proto udp ct timeout set "${plainUdp(config)}" accept`, 'So do other flows'),
  );
  const newFromWan: Rule[] = [
    rule(
      `ct status dnat meta l4proto udp ct timeout set "${vpnUdp(config)}" accept`,
      'L2TP answers from another port, and port forwards',
    ),
    rule('ct status dnat accept', "Port forwards of the administrator's own tables"),
  ];
  const untracked: Rule[] = [];
  if (config.passthrough.ipsec === 'enabled') {
    newFromWan.push(
      rule(
        `oifname ${interfaceSet(lan)} meta nfproto ipv6 meta l4proto { esp, ah } accept`,
        'RFC 6092 REC-21, REC-22: IPsec to IPv6 hosts',
      ),
      rule(
        `oifname ${interfaceSet(lan)} meta nfproto ipv6 udp dport { 500, 4500 } ct timeout set "${vpnUdp(config)}" accept`,
        'RFC 6092 REC-24: IKE to IPv6 hosts',
      ),
    );
    untracked.push(
      rule('meta nfproto ipv4 meta l4proto esp goto esp_to_wan', 'ESP, either way'),
      rule(
        `${fromWan} meta nfproto ipv4 meta l4proto icmp accept`,
        'Errors about ESP, translated in prerouting',
      ),
    );
  }
  if (isIkePreserved(config, system.wanAddress)) {
    untracked.push(
      rule(
        `${fromLan} oifname "${wan}" udp sport 500 udp dport 500 goto ike_to_wan`,
        'IKE that keeps its source port',
      ),
      rule(`${fromWan} udp sport 500 udp dport 500 accept`, 'and its answers, translated in prerouting'),
    );
  }
  untracked.push(rule(`${fromWan} ${countAs('wan_new')} drop`, 'Nothing else comes in without a connection'));
  return [
    {
      name: 'forward',
      // Behind other tables' filters, so that they still see the device's own address in outbound ESP.
      hook: 'filter hook forward priority filter + 10',
      rules: [
        ...switchRules(config),
        rule('ct status assured accept', 'Flows that have been answered for a while'),
        rule('ct state untracked goto forward_untracked', 'ESP, and what others do not track'),
        rule(
          'ct state vmap { established : goto forward_young, related : accept, new : goto forward_new, invalid : goto forward_invalid }',
          'All others',
        ),
      ],
    },
    {
      name: 'forward_young',
      hook: null,
      rules: [
        rule(
          `${fromLan} oifname "${wan}" meta nfproto ipv4 jump mapping`,
          'Remember which port the flow has got',
        ),
        rule('accept', 'Known connections'),
      ],
    },
    {
      name: 'forward_new',
      hook: null,
      rules: [
        rule(`${fromLan} oifname "${wan}" goto forward_to_wan`, 'LAN devices may open any connection'),
        rule(`${fromWan} goto forward_from_wan`, 'The internet may open none'),
      ],
    },
    { name: 'forward_to_wan', hook: null, rules: toWan },
    {
      name: 'own_gre',
      hook: null,
      // Conntrack knows GRE without a Call ID by its addresses only: one packet of a device would take
      // the gateway's tunnel from it, both ways.
      rules:
        system.ownGreRemotes.length === 0
          ? []
          : [
              rule('@th,13,3 1 return', 'PPTP has Call IDs, and passes'),
              rule(
                `${countAs('own_gre')} reject with icmpx admin-prohibited`,
                "Other GRE would be mixed up with the gateway's own",
              ),
            ],
    },
    {
      name: 'forward_from_wan',
      hook: null,
      rules: [...newFromWan, rule(`${countAs('wan_new')} drop`, 'New connections from the WAN')],
    },
    { name: 'forward_untracked', hook: null, rules: untracked },
    {
      name: 'forward_invalid',
      hook: null,
      rules: [
        rule(
          `${fromLan} oifname "${wan}" ${countAs('invalid')} drop`,
          'It would leave with its private address',
        ),
        rule(`${fromWan} ${countAs('invalid')} drop`, 'Belongs to no connection'),
      ],
    },
  ];
}

function ownGreRemotes(system: SystemState): string {
  return `{ ${system.ownGreRemotes.join(', ')} }`;
}

function inputChain(config: Config, system: SystemState): Chain {
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
        `ip saddr ${ownGreRemotes(system)} meta l4proto gre accept`,
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
