// The fast path of ESP: pairs that are known and busy are translated and sent on where they come in
// (netdev ingress), before conntrack, routing and the filter. It decides nothing. What is there has
// been vouched for by the daemon, a moment ago; every packet that is out of the ordinary, and every
// thirty-second of all, goes the ordinary way, which learns, refreshes and answers with errors.
//
// The table belongs to the daemon's socket (`flags owner`): when the daemon ends, however it ends, the
// kernel takes the table away in the same moment, and all goes the ordinary way. Sets cannot be
// shared with the table `inet throughway`, so the pairs stand here once more.
import type { InterfaceName, Ipv4Address } from '../address.ts';
import { FAST_REFRESH_EVERY } from './esp.ts';
import { TABLE_NAME } from './ruleset.ts';

export const FAST_TABLE = `netdev ${TABLE_NAME}`;

/** Where pairs leave: an interface, and the router behind it, or null where the destination is on the link. */
export interface FastExit {
  readonly device: InterfaceName;
  readonly nextHop: Ipv4Address | null;
}

/** What leaves by one exit; elements are in nft's words: `client . server . SPI` outbound, `server . SPI : client` inbound. */
export interface FastLane {
  readonly exit: FastExit;
  /** What the exit takes at once; null where nothing longer can come in. */
  readonly mostBytes: number | null;
  readonly elements: readonly string[];
}

export interface FastPath {
  readonly wan: InterfaceName;
  readonly lan: readonly InterfaceName[];
  readonly wanAddress: Ipv4Address;
  readonly out: readonly FastLane[];
  readonly in: readonly FastLane[];
}

/** Each exit is one more lookup for the packets of those behind it. */
export const MOST_EXITS = 4;

export const laneName = (direction: 'out' | 'in', index: number): string => `${direction}_${index}`;

/** Takes the table away if it is there. */
export const REMOVE_FAST_PATH = `add table ${FAST_TABLE} { flags owner; }\ndelete table ${FAST_TABLE}\n`;

// Raw matches, in this order, because they are what packets of other protocols pay for: of those, the
// first one asks for protocol 50 and no fragment (RFC 791 3.1), and settles it.
const ORDINARY = [
  '@nh,48,32 & 0x3fff00ff == 0x32',
  // No IP options, and enough time to live: else the ordinary way, which answers with an error.
  '@nh,0,8 0x45 @nh,64,8 > 1',
  `@th,32,32 & ${FAST_REFRESH_EVERY - 1} != 1`,
].join(' ');

/** How many elements each lane has room for. */
export interface LaneSizes {
  readonly out: readonly number[];
  readonly in: readonly number[];
}

/** The whole table; `flags` is empty only where it must outlive who loads it. */
export function renderFastPath(
  path: FastPath,
  sizes: LaneSizes,
  flags: 'flags owner' | '' = 'flags owner',
): string {
  const lanes = (direction: 'out' | 'in', type: string): string[] =>
    path[direction].flatMap(({ elements }, index) => [
      `\t${direction === 'out' ? 'set' : 'map'} ${laneName(direction, index)} {`,
      `\t\ttypeof ${type}`,
      `\t\tsize ${sizes[direction][index]!}`,
      '\t\tcounter',
      ...(elements.length > 0 ? [`\t\telements = { ${elements.join(', ')} }`] : []),
      '\t}',
    ]);
  const hook = (name: string, devices: readonly InterfaceName[], rules: readonly string[]): string[] => [
    `\tchain ${name} {`,
    `\t\ttype filter hook ingress devices = { ${devices.map((one) => `"${one}"`).join(', ')} } priority filter; policy accept;`,
    ...rules,
    '\t}',
  ];
  return `${[
    `table ${FAST_TABLE} {`,
    '\tcomment "Throughway: busy pairs of ESP; written by the daemon, gone with it"',
    ...(flags === '' ? [] : [`\t${flags}`]),
    ...lanes('out', 'ip saddr . ip daddr . @th,0,32'),
    ...lanes('in', 'ip saddr . @th,0,32 : ip daddr'),
    ...hook(
      'from_lan',
      path.lan,
      path.out.map(
        ({ exit, mostBytes }, index) =>
          `\t\t${ORDINARY}${atMost(mostBytes)} ip saddr . ip daddr . @th,0,32 @${laneName('out', index)} ip saddr set ${path.wanAddress} ${forward(exit)}`,
      ),
    ),
    ...hook(
      'from_wan',
      [path.wan],
      path.in.map(
        ({ exit, mostBytes }, index) =>
          `\t\t${ORDINARY}${atMost(mostBytes)} ip daddr ${path.wanAddress} ip daddr set ip saddr . @th,0,32 map @${laneName('in', index)} ${forward(exit)}`,
      ),
    ),
    '}',
  ].join('\n')}\n`;
}

function atMost(bytes: number | null): string {
  return bytes === null ? '' : ` meta length <= ${bytes}`;
}

function forward({ device, nextHop }: FastExit): string {
  return `fwd ip to ${nextHop ?? 'ip daddr'} device "${device}" comment "Known and busy: on by ${device}"`;
}

const LEAST_SIZE = 1024;

/** How many elements a lane of so many has room for: it can double before the table is made anew. */
export function sizeFor(elements: number): number {
  return Math.max(LEAST_SIZE, 2 ** Math.ceil(Math.log2(Math.max(elements, 1) * 2)));
}
