// Masquerade for everything that conntrack can track, and the two things it does not do by itself:
//   - hairpin (RFC 4787 REQ-9, RFC 5382 REQ-8): a device that sends to another one's mapping on the
//     WAN address reaches it, and is seen with its own mapping's address;
//   - L2TP answers from another port (RFC 2661 8.1): the first answer of a server may come from a
//     port that no packet went to; it reaches the device whose mapping it names.
// Both need to know which port masquerade has chosen, so they are learned from young flows.
import type { Ipv4Address } from '../address.ts';
import type { Config } from '../config/schema.ts';
import { vpnUdp } from './filter.ts';
import { TRANSLATE_MARK } from './turns.ts';
import { interfaceSet, rule, type Chain, type Declaration, type Rule } from './ruleset.ts';

/** How long a server may take to answer from its moved port (RFC 2661 5.8 gives up before). */
const MOVED_SECONDS = 60;

/** What is bound to the WAN address, to be forgotten with it. */
export const NAT_LEARNED = ['hairpin_tcp', 'hairpin_udp', 'l2tp_mapped'];

export function natDeclarations(): Declaration[] {
  const learned = (name: string, type: string, timeout: number): Declaration => ({
    kind: 'map',
    name,
    lines: [type, 'size 65536', 'flags dynamic,timeout', `timeout ${timeout}s`],
  });
  return [
    learned('hairpin_tcp', 'type inet_service : ipv4_addr . inet_service', 86_400),
    learned('hairpin_udp', 'type inet_service : ipv4_addr . inet_service', 86_400),
    learned('l2tp_mapped', 'type ipv4_addr . inet_service : ipv4_addr . inet_service', MOVED_SECONDS),
  ];
}

export function natChains(config: Config, wanAddress: Ipv4Address | null): Chain[] {
  const wan = `"${config.interfaces.wan}"`;
  const lan = interfaceSet(config.interfaces.lan);
  const dstnat: Rule[] = [];
  const srcnat: Rule[] = [
    rule(
      `meta mark ${TRANSLATE_MARK} oifname ${wan} masquerade`,
      'IKE that the daemon has held: as if it came from the LAN now',
    ),
    rule(
      // ESP has it from esp.ts; conntrack would translate it once more, by addresses alone.
      `iifname ${lan} oifname ${wan} meta nfproto ipv4 ${wanAddress === null ? '' : `ip saddr != ${wanAddress} `}masquerade`,
      'LAN devices share the WAN address',
    ),
  ];
  srcnat.push(
    rule(
      `iifname ${wan} ct status dnat meta l4proto udp ct timeout set "${vpnUdp(config)}"`,
      'L2TP answers from another port, and port forwards: idle tunnels live long enough',
    ),
  );
  if (wanAddress !== null) {
    dstnat.push(
      rule(
        `iifname ${lan} ip daddr ${wanAddress} dnat ip to tcp dport map @hairpin_tcp`,
        'A device calls another one by its WAN address',
      ),
      rule(
        `iifname ${lan} ip daddr ${wanAddress} dnat ip to udp dport map @hairpin_udp`,
        'A device calls another one by its WAN address',
      ),
    );
    srcnat.push(
      rule(
        `iifname ${lan} oifname ${lan} ct original ip daddr ${wanAddress} ct status dnat snat ip to ${wanAddress}`,
        'and is seen as the WAN address by it',
      ),
    );
    if (config.passthrough.l2tp === 'enabled') {
      dstnat.push(
        rule(
          `iifname ${wan} ip daddr ${wanAddress} udp sport != 1701 dnat ip to ip saddr . udp dport map @l2tp_mapped`,
          'An L2TP server answers from another port',
        ),
      );
    }
  }
  return [
    { name: 'dstnat', hook: 'nat hook prerouting priority dstnat', rules: dstnat },
    { name: 'srcnat', hook: 'nat hook postrouting priority srcnat', rules: srcnat },
    { name: 'mapping', hook: null, rules: mappingRules() },
  ];
}

/**
 * For packets of young flows from the LAN to the WAN. Masquerade decides on a flow's first packet,
 * behind these rules: so they take the device's own port for granted at first, which masquerade
 * keeps if it can, and read the real one from the flow with its second packet.
 */
function mappingRules(): Rule[] {
  const decided = 'ct status snat';
  const mapped = (map: string, key: string): string => {
    const element = `{ ${key} : ct original ip saddr . ct original proto-src }`;
    // Delete and add: an update would refresh the element and keep a former device's address.
    return `delete @${map} ${element} add @${map} ${element}`;
  };
  return [
    rule(
      'limit rate over 500/second burst 500 packets return',
      'A flood of one-way packets must not cost much',
    ),
    rule(
      'udp dport 1701 add @l2tp_mapped { ip daddr . udp sport : ip saddr . udp sport }',
      'L2TP: an answer may come from another port',
    ),
    rule(
      `udp dport 1701 ${decided} ${mapped('l2tp_mapped', 'ip daddr . ct reply proto-dst')}`,
      'L2TP: the mapped port is known',
    ),
    rule(
      `${decided} meta l4proto tcp ${mapped('hairpin_tcp', 'ct reply proto-dst')} return`,
      'Hairpin: the mapped port is known',
    ),
    rule(
      `${decided} meta l4proto udp ${mapped('hairpin_udp', 'ct reply proto-dst')} return`,
      'Hairpin: the mapped port is known',
    ),
    rule(
      'meta l4proto tcp add @hairpin_tcp { tcp sport : ip saddr . tcp sport }',
      'Hairpin: the port is kept if it can be',
    ),
    rule(
      'meta l4proto udp add @hairpin_udp { udp sport : ip saddr . udp sport }',
      'Hairpin: the port is kept if it can be',
    ),
  ];
}
