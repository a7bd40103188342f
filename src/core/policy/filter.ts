// The filter that every packet passes, at prerouting behind conntrack and before routing: what is
// settled passes with the first rule, all others go by the side they come from. From the WAN nothing
// new reaches the LAN; from the LAN everything may begin, and is given its timeouts and helpers.
// Whether a packet is for the gateway itself is asked of the routing table (fib), since it has not
// been routed here; what another table's DNAT leads on is still addressed to the gateway here, and so
// passes as what is (priority dstnat is behind).
import type { Config } from '../config/schema.ts';
import { countAs } from './counters.ts';
import { isIkePreserved } from './ike.ts';
import { layoutOf } from './layout.ts';
import { FIRST_SEGMENTS, OBSERVED_PORTS, observeChains, observeHookRules } from './observe.ts';
import { addressSet, interfaceSet, rule, type Chain, type Declaration, type Rule } from './ruleset.ts';
import type { SystemState } from './system.ts';

// The name holds the figures: a running flow keeps its object, and a changed one is a new object
// (deleting an object would take the timeout away from every flow that has it).
export const vpnUdp = (config: Config): string => `vpn_udp_${config.timeouts.vpn_udp_seconds}`;
const plainUdp = (config: Config): string => `udp_${config.timeouts.udp_seconds}`;
const plainTcp = (config: Config): string => `tcp_${config.timeouts.tcp_established_seconds}`;

export function timeoutDeclarations(config: Config): Declaration[] {
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

/**
 * The connection mark of flows that need no look any more. Every rule has its price for every packet
 * (docs/benchmarks.md), and one comparison of a mark is the cheapest there is. Only while no other
 * table has rules for what is forwarded: marks belong to all.
 */
export const SETTLED_MARK = 0x5459;

function passSettled(): Rule[] {
  return [rule(`ct mark ${SETTLED_MARK} accept`, 'Flows that need no look any more')];
}

/** As passSettled, without a mark: the data of VPNs, most of what passes, is spared the look at other ports. */
function passVpnData(): Rule[] {
  const known = 'ct status assured accept';
  return [
    // GRE version 1 says PPP where the others have their destination port (RFC 2637 4.1).
    rule(`@th,16,16 0x880b ${known}`, 'PPTP data of an answered call'),
    rule(`@th,16,16 4500 ${known}`, 'NAT-T of an answered flow, to a server'),
    rule(`@th,0,16 4500 ${known}`, 'and from it'),
  ];
}

/** Flows that have been answered for a while: all is seen of them but what `observeHookRules` looks at. */
function settle(isEarly: boolean): Chain {
  return {
    name: 'settle',
    hook: null,
    rules: isEarly
      ? [
          ...OBSERVED_PORTS.map((match) => rule(`${match} accept`, 'Control messages: looked at to the end')),
          rule(
            `meta l4proto tcp ct original packets < ${FIRST_SEGMENTS} accept`,
            'Its first segments are looked at',
          ),
          rule(`ct mark 0 ct mark set ${SETTLED_MARK} accept`, 'From now on the first rule lets it pass'),
          rule('accept', "Another program's mark stays"),
        ]
      : [rule('accept', 'All is seen')],
  };
}

/** What is not forwarded: the gateway's own addresses, broadcasts and groups. */
export const STAYS = 'fib daddr type { local, broadcast, multicast, anycast } accept';

export function filterChains(config: Config, system: SystemState): Chain[] {
  const lan = interfaceSet(config.interfaces.lan);
  const wan = `"${config.interfaces.wan}"`;
  const isEarly = layoutOf(config, system) === 'early';
  const rules: Rule[] = [];
  rules.push(
    ...(isEarly ? passSettled() : passVpnData()),
    ...observeHookRules(),
    rule('ct status assured goto settle', 'Flows that have been answered for a while'),
    rule('meta nfproto ipv4 meta l4proto esp goto esp_prerouting', 'ESP is translated without conntrack'),
  );
  if (isEarly) rules.push(rule('meta l4proto icmp jump icmp_prerouting', 'ICMP errors about ESP'));
  rules.push(
    rule(`iifname ${lan} goto from_lan`, 'Young flows from the LAN'),
    rule(`iifname ${wan} goto from_wan`, 'and from the WAN'),
  );
  return [
    { name: 'prerouting', hook: 'filter hook prerouting priority mangle', rules },
    ...observeChains(config),
    settle(isEarly),
    {
      name: 'from_lan',
      hook: null,
      rules: [
        rule(
          'ct state vmap { established : goto lan_young, new : goto lan_new, invalid : goto lan_invalid, related : goto lan_related }',
          'What is untracked passes',
        ),
      ],
    },
    {
      name: 'lan_young',
      hook: null,
      rules: [
        rule('meta l4proto udp jump young_lan', 'What tells of a VPN is copied'),
        rule(
          'meta nfproto ipv4 ct status & (snat | dnat) == snat jump mapping',
          'Remember which port the flow has got',
        ),
      ],
    },
    { name: 'lan_new', hook: null, rules: newFromLan(config) },
    { name: 'lan_to_wan', hook: null, rules: newToWan(system) },
    ownGre(system),
    {
      name: 'lan_invalid',
      hook: null,
      rules: [
        rule(
          `fib daddr oifname ${wan} ${countAs('invalid')} drop`,
          'It would leave with its private address',
        ),
      ],
    },
    {
      name: 'lan_related',
      hook: null,
      rules: [rule('meta nfproto ipv4 meta l4proto icmp goto lan_errors', 'ICMP errors of devices')],
    },
    {
      name: 'lan_errors',
      hook: null,
      rules: [
        rule(
          `@th,0,8 { 3, 11, 12 } @th,136,8 50 fib daddr oifname ${wan} ${countAs('invalid')} drop`,
          'About ESP: conntrack would let it leave with the private address, and quote it',
        ),
      ],
    },
    {
      name: 'from_wan',
      hook: null,
      rules: [
        rule('ct state established meta l4proto udp jump young_wan', 'What tells of a VPN is copied'),
        rule('ct state established,related accept', 'Known connections'),
        rule(STAYS, 'For the gateway itself, or for a port forward of another table'),
        ...otherwiseFromWan(config, system),
      ],
    },
  ];
}

/** Neither known nor for the gateway. */
function otherwiseFromWan(config: Config, system: SystemState): Rule[] {
  const rules = [rule(`ct state invalid ${countAs('invalid')} drop`, 'Belongs to no connection')];
  if (isIkePreserved(config, system.wanAddress)) {
    rules.push(
      rule('ct state untracked udp sport 500 udp dport 500 accept', 'IKE that keeps its port, translated'),
    );
  }
  if (layoutOf(config, system) === 'late') {
    rules.push(
      rule('ct state untracked meta nfproto ipv4 meta l4proto icmp accept', 'Errors about ESP, translated'),
    );
  }
  if (system.othersFilter)
    rules.push(rule('ct state new accept', 'Another table may lead it on: the end of forward decides'));
  rules.push(
    ...ipv6FromWan(config, 'fib daddr oifname'),
    rule(`${countAs('wan_new')} drop`, 'The internet may open nothing'),
  );
  return rules;
}

function newFromLan(config: Config): Rule[] {
  const { wan } = config.interfaces;
  const rules = [
    rule('fib daddr type != unicast accept', 'For the gateway itself'),
    // accept_local, which ESP needs, lets them in as far as this.
    rule(`fib saddr type local ${countAs('invalid')} drop`, "A device with one of the gateway's addresses"),
    rule(
      `meta nfproto ipv4 fib daddr oifname "${wan}" jump lan_to_wan`,
      'IPv4 that masquerade will translate',
    ),
  ];
  if (config.passthrough.pptp === 'enabled') {
    rules.push(
      rule(
        'meta nfproto ipv4 tcp dport 1723 ct helper set "pptp_control"',
        'The kernel translates the Call IDs of PPTP',
      ),
    );
  }
  rules.push(
    rule(`meta l4proto tcp ct timeout set "${plainTcp(config)}" accept`, 'Idle connections live long enough'),
    rule('udp dport 53 accept', 'Names are looked up often; they need no memory'),
    rule('meta l4proto udp jump first_lan', 'What tells of a VPN is copied'),
    rule(
      `udp dport { 500, 1701, 4500 } ct timeout set "${vpnUdp(config)}" accept`,
      'Idle tunnels live long enough',
    ),
    rule(`meta l4proto udp ct timeout set "${plainUdp(config)}" accept`, 'So do other flows'),
  );
  return rules;
}

function newToWan(system: SystemState): Rule[] {
  const rules = [
    rule('jump mapping', 'Remember which port the flow gets'),
    rule(
      `meta l4proto ah ${countAs('ah_refused')} reject with icmpx admin-prohibited`,
      'AH signs the addresses: it cannot pass a NAT',
    ),
  ];
  if (system.ownGreRemotes.length > 0) {
    rules.push(
      rule(
        `ip daddr ${addressSet(system.ownGreRemotes)} meta l4proto gre jump own_gre`,
        "The far ends of the gateway's own GRE interfaces",
      ),
    );
  }
  return rules;
}

function ownGre(system: SystemState): Chain {
  return {
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
  };
}

/** What may begin from the WAN; `towards` is what nft calls the interface to the LAN where the rules stand. */
export function ipv6FromWan(config: Config, towards: 'fib daddr oifname' | 'oifname'): Rule[] {
  if (config.passthrough.ipsec === 'disabled') return [];
  const toLan = `meta nfproto ipv6 ${towards} ${interfaceSet(config.interfaces.lan)}`;
  return [
    rule(`${toLan} meta l4proto { esp, ah } accept`, 'RFC 6092 REC-21, REC-22: IPsec to IPv6 hosts'),
    rule(
      `${toLan} udp dport { 500, 4500 } ct timeout set "${vpnUdp(config)}" accept`,
      'RFC 6092 REC-24: IKE to IPv6 hosts',
    ),
  ];
}
