// ESP through the NAT (RFC 4303): it has no ports, so it is translated without conntrack. Outbound,
// the source becomes the WAN address; inbound, (server, SPI) says which device it is for. The client
// chose that SPI inside encrypted IKE, so the kernel learns it by what it sees:
//
//   1. a device sends on a new SPI: it waits for an answer (esp_waiting_1 … the oldest is served first);
//   2. a device ran an IKE phase-2 exchange a moment ago: the server may speak first (ike_recent);
//   3. a server has one device only: whatever it sends is for that device, and nothing is stored.
//
// 1 and 2 use their evidence up, so spoofed SPIs cannot fill the map. All are guesses by order of
// arrival, which need no daemon; a daemon that knows better corrects the pairs.
import type { Config } from '../config/schema.ts';
import { countAs } from './counters.ts';
import { STAYS } from './filter.ts';
import { layoutOf } from './layout.ts';
import { copySome } from './observe.ts';
import { interfaceSet, rule, type Chain, type Declaration } from './ruleset.ts';
import type { SystemState } from './system.ts';
import { ikeTurnRules, inboundTurnRules, isAlive, outboundTurnRules, TURNS_LEARNED } from './turns.ts';

/** How many unanswered new SPIs of one server are remembered; a tenth of a second of ten devices starting at once. */
const WAITING_SLOTS = 10;
/** How long a new outbound SPI or a phase-2 exchange counts as evidence. */
const EVIDENCE_SECONDS = 10;
/** A bound for the kernel's memory; beyond it no new pair is learned, and those there are stay. */
const MOST_PAIRS = 131_072;

/**
 * Only every eighth packet of an SA refreshes its element, which saves a tenth of the cost of all
 * others; so an element lives eight times as long as the operator's idle time, and no SA that is
 * less idle than that is ever forgotten.
 */
export const REFRESH_EVERY = 8;
/**
 * Of a pair on the fast path, only every thirty-second packet goes the ordinary way and refreshes: such a
 * pair is busy, so that is still several times a second. A multiple of the above.
 */
export const FAST_REFRESH_EVERY = 32;
/** Picks every eighth packet by its sequence number (RFC 4303 2.2), the first one among them. */
const IS_REFRESH = `@th,32,32 & ${REFRESH_EVERY - 1} == 1`;

/** What an element gets that names no timeout of its own; the rules below always do. */
const ESP_SECONDS = 3600;

const waiting = (slot: number): string => (slot === 0 ? 'esp_waiting_new' : `esp_waiting_${slot}`);
const slots = Array.from({ length: WAITING_SLOTS }, (_, index) => index + 1);
/** The maps that are the line of those who wait for a server's answer, by server. */
export const ESP_WAITING = [0, ...slots].map(waiting);

/** Everything that is learned about ESP, to be forgotten when IPsec is off or the WAN address is gone. */
export const ESP_LEARNED = [
  'esp_out',
  'esp_in',
  'esp_errors',
  'esp_early',
  'esp_peer',
  'esp_served',
  'esp_shared',
  'esp_sole',
  'ike_recent',
  'ike_cookies',
  ...ESP_WAITING,
  ...TURNS_LEARNED,
];

export function espDeclarations(): Declaration[] {
  const learned = (
    kind: 'set' | 'map',
    name: string,
    type: string,
    size: number,
    timeout: number,
    extra: string[] = [],
  ): Declaration => ({
    kind,
    name,
    lines: [type, `size ${size}`, 'flags dynamic,timeout', ...extra, `timeout ${timeout}s`],
  });
  return [
    { kind: 'set', name: 'own_sa', lines: ['typeof ip daddr . esp spi', 'size 65536'] },
    learned('map', 'esp_in', 'typeof ip saddr . esp spi : ip daddr', MOST_PAIRS, ESP_SECONDS, ['counter']),
    learned('set', 'esp_out', 'typeof ip saddr . ip daddr . esp spi', MOST_PAIRS, ESP_SECONDS, ['counter']),
    learned('map', 'esp_errors', 'typeof @nh,128,32 . @th,0,32 : ip saddr', MOST_PAIRS, 86_400),
    learned('set', 'esp_early', 'typeof ip saddr . ip daddr', 4096, 60),
    learned('set', 'esp_peer', 'typeof ip saddr . ip daddr', 65_536, 86_400),
    learned('set', 'esp_served', 'typeof ip daddr', 65_536, 86_400),
    learned('set', 'esp_shared', 'typeof ip saddr', 65_536, 86_400),
    learned('map', 'esp_sole', 'typeof ip saddr : ip daddr', 65_536, 86_400),
    learned('map', 'ike_recent', 'typeof ip saddr : ip daddr', 4096, EVIDENCE_SECONDS),
    ...[0, ...slots].map((slot) =>
      learned('map', waiting(slot), 'typeof ip saddr : ip daddr', 4096, EVIDENCE_SECONDS),
    ),
  ];
}

/** The chains that packets of ESP over IPv4 are led through; filter.ts and hooks.ts lead them here. */
export function espChains(config: Config, system: SystemState): Chain[] {
  const { wanAddress } = system;
  const lan = interfaceSet(config.interfaces.lan);
  const wan = `"${config.interfaces.wan}"`;
  const own = rule(
    'ip daddr . esp spi @own_sa accept',
    "ESP of the gateway's own tunnels is for the gateway",
  );
  // With each element, since the timeout of a map that exists cannot be changed.
  const idle = `${config.timeouts.esp_seconds * REFRESH_EVERY}s`;
  if (wanAddress === null || config.passthrough.ipsec === 'disabled') {
    const reason = wanAddress === null ? countAs('esp_unknown') : countAs('ipsec_disabled');
    const why =
      wanAddress === null ? 'No WAN address yet: no ESP to translate' : 'IPSec Passthrough is disabled';
    const empty = [
      'esp_learn',
      'esp_elsewhere',
      'esp_refresh',
      'esp_from_lan',
      'esp_to_wan',
      'esp_out_refresh',
      'esp_new',
      'esp_again',
    ];
    return [
      {
        name: 'esp_prerouting',
        hook: null,
        rules: [
          own,
          rule(`iifname ${wan} ${reason} drop`, why),
          // Masquerade does not: it decides on a flow's first packet, which may have had the WAN address.
          ...(wanAddress === null
            ? [
                rule(
                  `iifname ${lan} fib daddr oifname ${wan} drop`,
                  'It would leave with its private address',
                ),
              ]
            : []),
        ],
      },
      ...[...empty, 'esp_server', 'esp_learned', 'ike_seen', 'ike_phase2', 'ike_phase2_wan'].map(
        (name): Chain => ({ name, hook: null, rules: [] }),
      ),
    ];
  }
  const isEarly = layoutOf(config, system) === 'early';
  return [
    {
      name: 'esp_prerouting',
      hook: null,
      // The order is for speed: what is known comes first. That a known (server, SPI) is for a
      // device and not for the gateway was seen to when it was learned, or by the daemon since.
      rules: [
        rule(
          isEarly ? `iifname ${lan} goto esp_from_lan` : `iifname ${lan} accept`,
          isEarly ? 'ESP of LAN devices' : 'ESP of LAN devices: translated at the end of forward',
        ),
        rule(`iifname != ${wan} accept`, 'Other interfaces are none of our business'),
        rule(`${IS_REFRESH} jump esp_refresh`, 'Now and then a pair is refreshed'),
        rule('ip daddr set ip saddr . esp spi map @esp_in accept', 'Known server and SPI: on to its device'),
        rule(`ip daddr != ${wanAddress} goto esp_elsewhere`, 'Not for our WAN address'),
        own,
        rule('goto esp_learn', 'Unknown SPI: whose may it be?'),
      ],
    },
    {
      name: 'esp_elsewhere',
      hook: null,
      // Whatever conntrack says: an outbound flow makes it take this for an answer.
      rules: [
        rule(STAYS, 'For another address of the gateway'),
        rule(`${countAs('wan_new')} drop`, 'No device has an address that the internet could know'),
      ],
    },
    {
      name: 'esp_from_lan',
      hook: null,
      rules: isEarly
        ? [
            rule('ip ttl < 2 accept', 'Its end is here, and the error must find the device'),
            rule(`${IS_REFRESH} goto esp_out_refresh`, 'Now and then an SPI is refreshed'),
            rule(
              `ip saddr . ip daddr . esp spi @esp_out ip saddr set ${wanAddress} accept`,
              'Known outbound SPI',
            ),
            rule('goto esp_out_refresh', 'A new outbound SPI'),
          ]
        : [],
    },
    {
      name: 'esp_refresh',
      hook: null,
      rules: [
        rule(
          `@th,32,32 1 ip daddr set ip saddr . esp spi map @esp_in ${countAs('esp_same_spi')} goto esp_again`,
          'Sequence 1 on a known SPI: counted, two devices may share the SPI',
        ),
        rule(
          `ip daddr set ip saddr . esp spi map @esp_in update @esp_in { ip saddr . esp spi timeout ${idle} : ip daddr } accept`,
          'Known server and SPI: on to its device',
        ),
      ],
    },
    {
      name: 'esp_again',
      hook: null,
      rules: [
        rule(copySome('esp-again', 50), 'A copy for the daemon'),
        rule('accept', 'On to the device that has it'),
      ],
    },
    {
      name: 'esp_learn',
      hook: null,
      rules: [
        ...inboundTurnRules(),
        ...slots
          .toReversed()
          .map((slot) =>
            rule(
              `ip daddr set ip saddr map @${waiting(slot)} add @esp_in { ip saddr . esp spi timeout ${idle} : ip daddr } delete @${waiting(slot)} { ip saddr : ip daddr } goto esp_learned`,
              slot === WAITING_SLOTS
                ? 'The device that has waited longest for this server'
                : 'The next in line',
            ),
          ),
        rule(
          `ip daddr set ip saddr map @ike_recent add @esp_in { ip saddr . esp spi timeout ${idle} : ip daddr } delete @ike_recent { ip saddr : ip daddr } add @esp_early { ip daddr . ip saddr } goto esp_learned`,
          'The server speaks first: the device of the latest IKE exchange',
        ),
        rule(
          'ip saddr != @esp_shared ip daddr set ip saddr map @esp_sole accept',
          'The only device of this server; nothing is stored',
        ),
        rule(
          `ip saddr @esp_served ${copySome('esp-unknown', 100)}`,
          'Of a server that devices use: a copy for the daemon',
        ),
        rule(
          `${countAs('esp_unknown')} drop`,
          'Nobody to give it to; an answer would tell the server to stop',
        ),
      ],
    },
    {
      name: 'esp_learned',
      hook: null,
      rules: [
        rule(copySome('esp-learned', 500), 'A copy for the daemon, which may know better'),
        rule('accept', 'On to its device'),
      ],
    },
    {
      name: 'esp_out_refresh',
      hook: null,
      rules: [
        ...(isEarly
          ? [rule(`fib daddr oifname != ${wan} accept`, 'To another LAN, or to the gateway itself')]
          : []),
        rule(
          `ip saddr . ip daddr . esp spi @esp_out update @esp_out { ip saddr . ip daddr . esp spi timeout ${idle} } ip saddr set ${wanAddress} accept`,
          'Known outbound SPI',
        ),
        rule(
          'add @esp_errors { @nh,128,32 . @th,0,32 : ip saddr }',
          'ICMP errors about it will find the device',
        ),
        rule('jump esp_server', 'One device or several at this server?'),
        ...outboundTurnRules(),
        rule('jump esp_new', 'A new outbound SPI'),
        rule(`ip saddr set ${wanAddress} accept`, 'The source becomes the WAN address'),
      ],
    },
    {
      name: 'esp_to_wan',
      hook: null,
      rules: isEarly
        ? []
        : [
            rule(`${IS_REFRESH} goto esp_out_refresh`, 'Now and then an SPI is refreshed'),
            rule(
              `ip saddr . ip daddr . esp spi @esp_out ip saddr set ${wanAddress} accept`,
              'Known outbound SPI',
            ),
            rule('goto esp_out_refresh', 'A new outbound SPI'),
          ],
    },
    {
      name: 'esp_new',
      hook: null,
      rules: [
        rule(copySome('esp-new', 500), 'A copy for the daemon'),
        rule(
          `ip saddr . ip daddr @esp_early delete @esp_early { ip saddr . ip daddr } add @esp_out { ip saddr . ip daddr . esp spi timeout ${idle} } return`,
          'The server spoke first and is paired already',
        ),
        rule(
          `ip saddr set ip daddr map @${waiting(WAITING_SLOTS)} return`,
          'No room to wait: still new, so its next packet tries again (the source is only a scratch pad)',
        ),
        rule(`add @esp_out { ip saddr . ip daddr . esp spi timeout ${idle} }`, 'No longer new'),
        rule(`add @${waiting(0)} { ip daddr : ip saddr }`, 'Waits for the first packet of the server'),
        ...[0, ...slots.slice(0, -1)]
          .toReversed()
          .map((slot) =>
            rule(
              `ip saddr set ip daddr map @${waiting(slot)} add @${waiting(slot + 1)} { ip daddr : ip saddr } delete @${waiting(slot)} { ip daddr : ip saddr }`,
              'Those before it move on; the source is only a scratch pad here',
            ),
          ),
      ],
    },
    {
      name: 'esp_server',
      hook: null,
      rules: [
        rule(
          'ip saddr . ip daddr @esp_peer update @esp_peer { ip saddr . ip daddr } update @esp_served { ip daddr } update @esp_sole { ip daddr : ip saddr } return',
          'This device is known at this server',
        ),
        rule('add @esp_peer { ip saddr . ip daddr }', 'A device that is new at this server'),
        rule(
          'ip daddr @esp_served update @esp_shared { ip daddr } return',
          'A second one: from now on the SPI alone decides',
        ),
        rule('add @esp_served { ip daddr } add @esp_sole { ip daddr : ip saddr }', 'The first one'),
      ],
    },
    {
      name: 'ike_seen',
      hook: null,
      rules: [rule('@th,208,8 { 32, 35, 36 } jump ike_phase2', 'Quick Mode, IKE_AUTH or CREATE_CHILD_SA')],
    },
    {
      name: 'ike_phase2',
      hook: null,
      rules: [
        rule(
          'delete @ike_recent { ip daddr : ip saddr } add @ike_recent { ip daddr : ip saddr }',
          'An SA may follow',
        ),
        rule('@th,208,8 != 32 @th,216,8 & 0x20 == 0x20 return', 'An answer begins nothing (RFC 7296 3.1)'),
        rule('meta nfproto ipv4 jump esp_server', 'One device or several at this server?'),
        ...ikeTurnRules(),
      ],
    },
    {
      name: 'ike_phase2_wan',
      hook: null,
      rules: [
        rule('@th,208,8 36 @th,216,8 & 0x20 == 0x20 return', 'An answer begins nothing'),
        rule(`${isAlive} goto ike_turn_wan`, 'One after the other'),
      ],
    },
  ];
}

/** ICMP errors about outbound ESP: they quote the WAN address, and find their device by the SPI. */
export function icmpChains(config: Config, system: SystemState): Chain[] {
  const { wanAddress } = system;
  const isOn = wanAddress !== null && config.passthrough.ipsec === 'enabled';
  const late = layoutOf(config, system) === 'late' ? 'notrack ' : '';
  const about = `ip daddr ${wanAddress} @th,0,8 { 3, 11, 12 } @th,64,8 0x45 @th,136,8 50 ip daddr set @th,192,32 . @th,224,32 map @esp_errors`;
  return [
    {
      name: 'icmp_prerouting',
      hook: null,
      rules: isOn
        ? [
            rule(
              `iifname "${config.interfaces.wan}" ${about} ${late}accept`,
              'An error about ESP, such as too big: to the device that sent it',
            ),
          ]
        : [],
    },
    {
      name: 'own_errors',
      hook: 'route hook output priority mangle',
      rules: isOn ? [rule('meta l4proto icmp jump own_icmp', "The gateway's own errors about ESP")] : [],
    },
    {
      name: 'own_icmp',
      hook: null,
      rules: isOn ? [rule(about, 'ESP that has the WAN address already: to the device that sent it')] : [],
    },
  ];
}
