// One device at a time begins something new with a server, while the daemon lives: see "One device at
// a time" in ARCHITECTURE.md. Order of arrival is a bad witness of whose SPI it is, so what would
// overlap is held: copied whole, dropped here, and sent on by the daemon when its turn has come. For
// IPv4, UDP 500 and raw ESP only, and only for servers that several devices use. All rules of this
// file are passed by when the daemon has not renewed its element for three seconds.
import type { Ipv4Address } from '../address.ts';
import { countAs } from './counters.ts';
import { copyAs, copySome } from './observe.ts';
import { rule, type Chain, type Declaration, type Rule } from './ruleset.ts';

/** How long a turn lasts that nobody ends (RFC 7296 2.1 retransmits after one to several seconds). */
export const TURN_MS = 2_000;
/** The daemon renews its element every second. */
export const ALIVE_MS = 3_000;
/** What the daemon sends on carries it, and stays out of conntrack. "TW". */
export const RELEASE_MARK = 0x5457;
/** So does this, which is translated as what comes from the LAN. */
export const TRANSLATE_MARK = 0x5458;
/** The key of the daemon's element: NFPROTO_IPV4, for the turns are IPv4's. */
export const ALIVE_KEY = 2;

/** As core/policy/esp.ts. */
const MOST_PAIRS = 131_072;
const MOST_TURNS = 4_096;
/** Long enough for any exchange; with jumbo frames it is still whole. */
const WHOLE_BYTES = 9_216;
/** What waits for one server in a second: as many packets as the daemon keeps for it. */
const HELD_SHARE = 'limit rate 100/second burst 128 packets';
/** An SA begins with sequence number 1; made-up packets seldom do, so the beginnings have a share of their own. */
const EARLY_SEQUENCES = 64;

/** A match: the daemon has renewed its element. */
export const isAlive = 'meta nfproto @daemon_alive';

/** Everything here that goes with the WAN address or with the switch. */
export const TURNS_LEARNED = ['esp_trial', 'esp_watched', 'turn_taken', 'turn_holder', 'turn_ike'];

export function turnDeclarations(): Declaration[] {
  const timed = (
    kind: 'set' | 'map',
    name: string,
    type: string,
    size: number,
    ...extra: string[]
  ): Declaration => ({
    kind,
    name,
    lines: [type, `size ${size}`, 'flags dynamic,timeout', ...extra, 'timeout 2s'],
  });
  return [
    timed('set', 'daemon_alive', 'typeof meta nfproto', 4),
    timed('map', 'esp_trial', 'typeof ip saddr . esp spi : ip daddr', MOST_PAIRS, 'counter'),
    timed('set', 'esp_watched', 'typeof ip saddr . ip daddr . esp spi', MOST_PAIRS, 'counter'),
    timed('set', 'turn_taken', 'typeof ip daddr', MOST_TURNS),
    timed('set', 'turn_holder', 'typeof ip daddr . ip saddr', MOST_TURNS),
    timed('set', 'turn_ike', 'typeof ip daddr . @th,64,64', MOST_TURNS),
    timed('set', 'held_early', 'typeof ip saddr', MOST_TURNS),
    timed('set', 'held_late', 'typeof ip saddr', MOST_TURNS),
    timed('set', 'held_out', 'typeof ip saddr', MOST_TURNS),
  ];
}

/** At the beginning of `esp_learn`: pairs on trial, and what is held for pairing. */
export function inboundTurnRules(): Rule[] {
  return [
    rule('ip daddr set ip saddr . esp spi map @esp_trial goto esp_passed', 'A pair that is not proved yet'),
    rule(`ip saddr @esp_shared ${isAlive} goto esp_hold`, 'Several devices: the daemon knows better'),
  ];
}

/** Where an outbound SPI is new, behind `esp_server`: who has the turn sends, others wait. */
export function outboundTurnRules(): Rule[] {
  return [
    rule('ip saddr . ip daddr . esp spi @esp_watched goto esp_begin', 'It passes, and is looked at'),
    rule(`ip daddr @esp_shared ${isAlive} goto esp_turn`, 'Several devices: one after the other'),
  ];
}

/** In `ike_phase2`, behind `esp_server`. */
export function ikeTurnRules(): Rule[] {
  return [rule(`${isAlive} goto ike_turn`, 'One device after the other, the first one too')];
}

const take = 'add @turn_taken { ip daddr } add @turn_holder { ip daddr . ip saddr }';
const begin = 'add @turn_ike { ip daddr . @th,64,64 }';

/** The chains that the rules above lead to; `wanAddress` is null where no ESP is translated. */
export function turnChains(wanAddress: Ipv4Address | null): Chain[] {
  const hold = (set: string, kind: 'ike-held-lan' | 'ike-held-wan' | 'esp-held' | 'esp-held-out'): string =>
    `update @${set} { ip saddr timeout 60s ${HELD_SHARE} } ${copyAs(kind, { bytes: WHOLE_BYTES })} drop`;
  const chains: Chain[] = [
    {
      name: 'esp_passed',
      hook: null,
      rules: [rule(copySome('esp-trial', 500), 'A copy for the daemon'), rule('accept', 'To its device')],
    },
    {
      name: 'esp_hold',
      hook: null,
      rules: [
        rule(
          `@th,32,32 <= ${EARLY_SEQUENCES} ${hold('held_early', 'esp-held')}`,
          'The beginning of an SA waits at the daemon for its pair',
        ),
        rule(`@th,32,32 > ${EARLY_SEQUENCES} ${hold('held_late', 'esp-held')}`, 'So does what comes later'),
        rule(`${countAs('esp_unknown')} drop`, 'More than can wait'),
      ],
    },
    {
      name: 'esp_turn',
      hook: null,
      rules: [
        rule('ip daddr . ip saddr @turn_holder goto esp_begin', 'It is its turn'),
        rule('ip daddr @turn_taken goto esp_hold_out', "It is another device's turn"),
        rule(`${take} goto esp_begin`, 'It takes the turn'),
      ],
    },
    {
      name: 'esp_begin',
      hook: null,
      rules: [
        rule(copySome('esp-new', 500), 'A copy for the daemon'),
        rule(`ip saddr set ${wanAddress} accept`, 'The source becomes the WAN address'),
      ],
    },
    {
      name: 'esp_hold_out',
      hook: null,
      rules: [
        rule(hold('held_out', 'esp-held-out'), 'It waits at the daemon for its turn'),
        rule('drop', 'More than can wait'),
      ],
    },
    {
      name: 'ike_turn',
      hook: null,
      rules: [
        // The rest of its exchange passes too, whoever lives by then.
        rule(`ip daddr . ip saddr @turn_holder ${begin} return`, 'It is its turn'),
        rule('ip daddr . @th,64,64 @turn_ike return', 'It belongs to the exchange whose turn it is'),
        rule('ip daddr @turn_taken goto ike_hold', "It is another device's turn"),
        rule(`${take} ${begin}`, 'It takes the turn'),
      ],
    },
    {
      name: 'ike_hold',
      hook: null,
      rules: [
        rule(hold('held_out', 'ike-held-lan'), 'It waits at the daemon for its turn'),
        rule('drop', 'More than can wait: it is sent again'),
      ],
    },
    {
      name: 'ike_turn_wan',
      hook: null,
      rules: [
        rule('ip saddr . @th,64,64 @turn_ike return', 'It belongs to the exchange whose turn it is'),
        rule('ip saddr @turn_taken goto ike_hold_wan', "It is another exchange's turn"),
        rule(
          'add @turn_taken { ip saddr } add @turn_ike { ip saddr . @th,64,64 }',
          'It takes the turn; whose that is, the daemon knows',
        ),
      ],
    },
    {
      name: 'ike_hold_wan',
      hook: null,
      rules: [
        rule(hold('held_late', 'ike-held-wan'), 'It waits at the daemon for its turn'),
        rule('drop', 'More than can wait: it is sent again'),
      ],
    },
  ];
  const released: Chain = {
    name: 'released',
    hook: 'filter hook output priority raw',
    rules: [rule(`meta mark ${RELEASE_MARK} notrack`, 'What the daemon has held and now sends on')],
  };
  const off = wanAddress === null;
  return [...chains.map((chain) => (off ? { ...chain, rules: [] } : chain)), released];
}
