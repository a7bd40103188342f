// Passive copies for the daemon: which packets are copied (NFLOG), how much of each, and how many at
// most. What a copy is of stands in its prefix. A copy never holds a packet up; without a daemon the
// kernel throws copies away. Each device and each server has a share of its own, so that a flood from
// one hides nothing of the others. What is held back for the daemon is in turns.ts.
import { COPY_KINDS, type CopyKind } from '../alg/copy.ts';
import type { Config } from '../config/schema.ts';
import { interfaceSet, rule, type Chain, type Declaration, type Rule } from './ruleset.ts';

/** "TW": no other program is known to use it. One group, so that copies keep their order. */
export const OBSERVATION_GROUP = 0x5457;

/** Headers and what is in the clear behind them; a control message of PPTP has 168 bytes at the most. */
const CONTROL_BYTES = 512;
/** A ClientHello or IKE with certificates; longer ones are read as far as they go. */
const MESSAGE_BYTES = 2048;
/** IP, SPI and sequence number, and what tells a keepalive. */
const ESP_BYTES = 64;

/** What one device or server may have copied in a second, and in a burst: ten rekeys of ten SAs. */
const SHARES = {
  observed_lan: 'limit rate 200/second burst 400 packets',
  observed_wan: 'limit rate 200/second burst 400 packets',
  // First packets: a browser opens a hundred connections at once.
  observed_first: 'limit rate 50/second burst 200 packets',
} as const;
/** Bounds what all of them together may have. */
const MOST_SHARES = 8192;

export function observeDeclarations(): Declaration[] {
  return Object.keys(SHARES).flatMap((name) =>
    (['ip', 'ip6'] as const).map((family): Declaration => ({
      kind: 'set',
      name: family === 'ip' ? name : `${name}6`,
      lines: [`typeof ${family} saddr`, `size ${MOST_SHARES}`, 'flags dynamic,timeout', 'timeout 60s'],
    })),
  );
}

interface CopyOptions {
  readonly bytes?: number;
  /** As nft writes it; without, the caller has limited what comes here. */
  readonly limit?: string;
}

/** `limit … log …`: makes a copy, and goes on with what follows in the rule. */
export function copyAs(kind: CopyKind, { bytes = MESSAGE_BYTES, limit }: CopyOptions = {}): string {
  const prefix = `log prefix "${kind}" group ${OBSERVATION_GROUP} snaplen ${bytes} queue-threshold 1`;
  return limit === undefined ? prefix : `${limit} ${prefix}`;
}

/** As copyAs, at most so many a second in all. */
export function copySome(kind: CopyKind, perSecond: number, bytes = ESP_BYTES): string {
  return copyAs(kind, { bytes, limit: `limit rate ${perSecond}/second burst ${perSecond * 2} packets` });
}

const isKind = (name: string): name is CopyKind => (COPY_KINDS as readonly string[]).includes(name);

/** The kind of a copy with this prefix, or null for one that is not ours. */
export function copyKindOf(prefix: string): CopyKind | null {
  return isKind(prefix) ? prefix : null;
}

/** Copies to the share of the sender; one rule for each family. */
function copyShared(name: string, kind: 'lan' | 'wan', set: string, bytes: number): Chain {
  const share = (family: 'ip' | 'ip6'): string =>
    `${set}${family === 'ip' ? '' : '6'} { ${family} saddr ${SHARES[set as keyof typeof SHARES]} }`;
  return {
    name,
    hook: null,
    rules: [
      rule(`update @${share('ip')} ${copyAs(kind, { bytes })}`, 'A copy for the daemon, within its share'),
      rule(`update @${share('ip6')} ${copyAs(kind, { bytes })}`, 'A copy for the daemon, within its share'),
    ],
  };
}

/** On these ports every packet is looked at, also of established flows. */
const CONTROL_PORTS = [500, 1701, 1723];
/** And on these the first segments of a connection that carry something. */
const SEGMENT_PORTS = [443, 992, 1194, 5555];
/** How many packets of a device the first segments may be among. */
export const FIRST_SEGMENTS = 8;

const portSet = `{ ${CONTROL_PORTS.join(', ')} }`;
/** What tells the packets of those ports, to a server and from it. */
export const OBSERVED_PORTS = [`@th,16,16 ${portSet}`, `@th,0,16 ${portSet}`] as const;

/** One lookup for every packet to a server. */
const PORTS_OUT = [
  ...CONTROL_PORTS.map((port) => `${port} : jump observe_out`),
  ...SEGMENT_PORTS.map((port) => `${port} : jump observe_segments`),
].join(', ');

/**
 * The first rules that a packet meets which is not settled (filter.ts). Raw matches, which ask for no
 * protocol first: cheaper for all others; the chains look closer.
 */
export function observeHookRules(): Rule[] {
  return [
    rule(`@th,16,16 vmap { ${PORTS_OUT} }`, 'Control messages are seen on established flows too'),
    rule(`${OBSERVED_PORTS[1]} jump observe_in`, 'So are their answers'),
  ];
}

/** RFC 2661 3.1, RFC 3931 3.2.1: the T bit of a control message. */
const IS_L2TP_CONTROL = '@th,64,1 1';
/** A control message of any version on a port that is not L2TP's: T, L and S, and version 2 or 3. */
const LOOKS_LIKE_L2TP = '@th,64,16 & 0xc80f == { 0xc802, 0xc803 }';
/** What begins a connection of OpenVPN (opcodes 1, 7 and 10), WireGuard and STUN. */
const LOOKS_LIKE_VPN = '@th,64,8 { 0x00, 0x01, 0x08, 0x38, 0x50 }';
/** A segment that carries something, or ends the connection. */
const HAS_DATA = 'tcp flags & (psh | rst) != 0';

export function observeChains(config: Config): Chain[] {
  const lan = interfaceSet(config.interfaces.lan);
  const wan = `"${config.interfaces.wan}"`;
  const chain = (name: string, ...rules: Rule[]): Chain => ({ name, hook: null, rules });
  const ipsec = config.passthrough.ipsec === 'enabled';
  return [
    chain(
      'observe_out',
      ...(ipsec
        ? [rule(`iifname ${lan} udp dport 500 jump ike_seen`, 'IKE tells which device gets an SA next')]
        : []),
      rule(`iifname ${lan} udp dport 500 goto copy_lan`, 'IKE'),
      rule(`iifname ${lan} tcp dport 1723 ${HAS_DATA} goto copy_lan_control`, 'PPTP control'),
      rule(`iifname ${lan} udp dport 1701 goto observe_l2tp`, 'L2TP'),
    ),
    chain(
      'observe_segments',
      // The count first: most segments on these ports are of long transfers.
      rule(
        `ct original packets < ${FIRST_SEGMENTS} iifname ${lan} meta l4proto tcp tcp flags & psh == psh goto copy_lan_first`,
        'What the first segments of a connection show',
      ),
    ),
    chain(
      'observe_in',
      ...(ipsec
        ? [
            rule(
              `iifname ${wan} udp sport 500 ct state established,untracked jump ike_answer`,
              'IKE of servers',
            ),
          ]
        : []),
      rule(`iifname ${wan} udp sport 500 ct state established,untracked goto copy_wan`, 'IKE'),
      rule(
        `iifname ${wan} tcp sport 1723 ct state established ${HAS_DATA} goto copy_wan_control`,
        'PPTP control',
      ),
      rule(`iifname ${wan} udp sport 1701 ct state established goto observe_l2tp_wan`, 'L2TP'),
    ),
    chain(
      'ike_answer',
      ...(ipsec
        ? [rule('meta nfproto ipv4 @th,208,8 { 32, 36 } jump ike_phase2_wan', 'A server begins')]
        : []),
    ),
    chain('observe_l2tp', rule(`${IS_L2TP_CONTROL} goto copy_lan_control`, 'Control messages of L2TP')),
    chain('observe_l2tp_wan', rule(`${IS_L2TP_CONTROL} goto copy_wan_control`, 'Control messages of L2TP')),
    chain(
      'first_lan',
      rule('udp dport 4500 goto observe_nat_t', 'IKE beside ESP'),
      rule('udp sport 1701 udp dport != 1701 goto observe_moved', 'L2TP to a port that the server moved to'),
      rule('goto observe_first', 'What the first packet of a connection shows'),
    ),
    chain(
      'young_lan',
      rule('udp dport 4500 goto observe_nat_t', 'IKE beside ESP'),
      rule('udp sport 1701 udp dport != 1701 goto observe_moved', 'L2TP to a port that the server moved to'),
    ),
    chain(
      'young_wan',
      rule('udp sport 4500 goto observe_nat_t_wan', 'IKE beside ESP'),
      rule('udp sport { 53, 443, 500, 1701 } return', 'Seen already, or of no interest'),
      rule('goto observe_moved_wan', 'L2TP from a port that the server moved to'),
    ),
    chain('observe_nat_t', rule('@th,64,32 0 goto copy_lan', 'The non-ESP marker (RFC 3948 2.2)')),
    chain('observe_nat_t_wan', rule('@th,64,32 0 goto copy_wan', 'The non-ESP marker (RFC 3948 2.2)')),
    chain('observe_moved', rule(`${LOOKS_LIKE_L2TP} goto copy_lan_control`, 'Control messages of L2TP')),
    chain('observe_moved_wan', rule(`${LOOKS_LIKE_L2TP} goto copy_wan_control`, 'Control messages of L2TP')),
    chain('observe_first', rule(`${LOOKS_LIKE_VPN} goto copy_lan_first`, 'OpenVPN, WireGuard or STUN')),
    copyShared('copy_lan', 'lan', 'observed_lan', MESSAGE_BYTES),
    copyShared('copy_wan', 'wan', 'observed_wan', MESSAGE_BYTES),
    copyShared('copy_lan_control', 'lan', 'observed_lan', CONTROL_BYTES),
    copyShared('copy_wan_control', 'wan', 'observed_wan', CONTROL_BYTES),
    copyShared('copy_lan_first', 'lan', 'observed_first', MESSAGE_BYTES),
  ];
}
