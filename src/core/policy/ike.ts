// IKE on UDP 500 with `source_port: preserve`: every device keeps source port 500 towards every
// server, and answers find their device by the initiator's cookie (RFC 2408 3.1, RFC 7296 3.1),
// without conntrack. With `translate` there is nothing here: masquerade picks another port for the
// second device of a server.
import type { Ipv4Address } from '../address.ts';
import type { Config } from '../config/schema.ts';
import { interfaceSet, rule, type Chain, type Declaration } from './ruleset.ts';

/** As long as an IKE SA may live between two messages of its device. */
export const COOKIE_SECONDS = 86_400;

export function ikeDeclarations(): Declaration[] {
  return [
    {
      kind: 'map',
      name: 'ike_cookies',
      lines: [
        'typeof ip saddr . @th,64,64 : ip daddr',
        'size 65536',
        'flags dynamic,timeout',
        `timeout ${COOKIE_SECONDS}s`,
      ],
    },
  ];
}

/** Whether IKE from port 500 is translated without conntrack now. */
export function isIkePreserved(config: Config, wanAddress: Ipv4Address | null): boolean {
  return (
    config.ike.source_port === 'preserve' && config.passthrough.ipsec === 'enabled' && wanAddress !== null
  );
}

export function ikeChains(config: Config, wanAddress: Ipv4Address | null): Chain[] {
  const preserved = isIkePreserved(config, wanAddress);
  const lan = interfaceSet(config.interfaces.lan);
  return [
    {
      name: 'ike_prerouting',
      hook: null,
      rules: preserved
        ? [
            rule(
              `iifname ${lan} ip daddr != ${wanAddress} notrack accept`,
              'IKE of LAN devices keeps its port, see ike_to_wan',
            ),
            rule(
              `iifname "${config.interfaces.wan}" ip daddr ${wanAddress} ip daddr set ip saddr . @th,64,64 map @ike_cookies notrack accept`,
              'An answer: the initiator cookie names the device',
            ),
          ]
        : [],
    },
    {
      name: 'ike_to_wan',
      hook: null,
      rules: preserved
        ? [
            rule(
              'update @ike_cookies { ip daddr . @th,64,64 : ip saddr }',
              'Answers will find the device by this cookie',
            ),
            rule(`ip saddr set ${wanAddress} accept`, 'The source becomes the WAN address, port 500 stays'),
          ]
        : [],
    },
  ];
}
