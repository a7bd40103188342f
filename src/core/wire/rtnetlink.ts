// What rtnetlink says about links, addresses and default routes, and the requests to dump them.
// Reads only what the gateway decides by; routes other than the default ones are left to the
// reader as plain prefixes. linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h, rtnetlink(7).
import { type Ipv4Address, type Ipv6Address, ipv4Bytes, ipv4FromBytes, ipv6FromBytes } from '../address.ts';
import { WireError } from './bytes.ts';
import {
  type Attributes,
  emitAttributes,
  emitHostU32,
  parseAttributes,
  parseHostU16,
  parseHostU32,
  parseText,
} from './netlink.ts';

// linux/rtnetlink.h
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;
export const RTNLGRP_LINK = 1;
export const RTNLGRP_IPV4_IFADDR = 5;
export const RTNLGRP_IPV4_ROUTE = 7;
export const RTNLGRP_IPV4_RULE = 8;
export const RTNLGRP_IPV6_IFADDR = 9;
export const RTNLGRP_IPV6_ROUTE = 11;
export const RTNLGRP_IPV4_NETCONF = 24;

// linux/socket.h
const AF_UNSPEC = 0;
const AF_INET = 2;
const AF_INET6 = 10;

// struct ifinfomsg, struct ifaddrmsg, struct rtmsg
const IFINFO_LENGTH = 16;
const IFADDR_LENGTH = 8;
const RTMSG_LENGTH = 12;

// linux/if.h
const IFF_UP = 0x1;
const IFF_LOOPBACK = 0x8;
const IFF_RUNNING = 0x40;

// linux/if_link.h
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_MASTER = 10;
const IFLA_OPERSTATE = 16;
const IFLA_LINKINFO = 18;
const IFLA_EXT_MASK = 29;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
// linux/if_tunnel.h
const IFLA_GRE_REMOTE = 7;
const RTEXT_FILTER_SKIP_STATS = 8;

// linux/if_addr.h
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_FLAGS = 8;
const IFA_F_SECONDARY = 0x01;
const IFA_F_DADFAILED = 0x08;
const IFA_F_DEPRECATED = 0x20;
const IFA_F_TENTATIVE = 0x40;

// linux/rtnetlink.h
const RTA_SRC = 2;
const RTA_IIF = 3;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_DST = 1;
const RTA_PRIORITY = 6;
const RTA_METRICS = 8;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTA_VIA = 18;
const RTN_UNICAST = 1;
const RTNEXTHOP_LENGTH = 8;

/** RFC 2863 6; the kernel's IF_OPER_ codes in their order (linux/if.h). */
const OPERATIONAL_STATES = [
  'unknown',
  'not-present',
  'down',
  'lower-layer-down',
  'testing',
  'dormant',
  'up',
] as const;

/** RT_SCOPE_: how far an address is valid; a number for scopes that an administrator has added. */
type AddressScope = 'global' | 'site' | 'link' | 'host' | 'nowhere' | number;

const SCOPES = new Map<number, AddressScope>([
  [0, 'global'],
  [200, 'site'],
  [253, 'link'],
  [254, 'host'],
  [255, 'nowhere'],
]);

export interface LinkMessage {
  /** AF_UNSPEC (0) for the link itself; AF_BRIDGE (7) messages speak of its part as a bridge port. */
  family: number;
  index: number;
  name: string;
  up: boolean;
  running: boolean;
  loopback: boolean;
  operationalState: (typeof OPERATIONAL_STATES)[number] | number;
  mtuBytes: number;
  /** Lower case with colons; null for links without one, such as tunnels. */
  mac: string | null;
  /** `vlan`, `bridge`, `veth` and the like; null for hardware. */
  kind: string | null;
  /** The bridge, bond or VRF that it is a port of. */
  masterIndex: number | null;
  /** The far end of a `gre` or `gretap` tunnel over IPv4; null for a tunnel to anybody and for other links. */
  greRemote: Ipv4Address | null;
}

export interface AddressMessage {
  family: 4 | 6;
  index: number;
  /** Our own address, also on a point-to-point link. */
  address: Ipv4Address | Ipv6Address;
  prefixLength: number;
  scope: AddressScope;
  /** IPv4: not the first of its prefix. IPv6: a temporary address (RFC 8981). The kernel has one bit for both. */
  secondary: boolean;
  /** Not usable: duplicate address detection is under way, or has failed (RFC 4862 5.4). */
  tentative: boolean;
  deprecated: boolean;
}

export interface RouteHop {
  /** Of the route's family or, for IPv4, also IPv6 (RFC 5549); null when the link itself is the way. */
  gateway: Ipv4Address | Ipv6Address | null;
  index: number | null;
}

export interface RouteMessage {
  family: 4 | 6;
  prefixLength: number;
  /** Null for a default route. */
  destination: Ipv4Address | Ipv6Address | null;
  table: number;
  metric: number;
  unicast: boolean;
  /** Empty for routes that go nowhere, and for kernels that only name a nexthop object. */
  hops: RouteHop[];
}

/** The payload of RTM_NEWLINK and RTM_DELLINK. */
export function parseLink(payload: Uint8Array): LinkMessage {
  const index = parseHostU32(payload, 4);
  const flags = parseHostU32(payload, 8);
  const attributes = parseAttributes(payload, IFINFO_LENGTH);
  const name = attributes.get(IFLA_IFNAME);
  if (!name) throw new WireError('malformed', IFINFO_LENGTH, `link ${index} has no name`);
  const mac = attributes.get(IFLA_ADDRESS);
  const info = attributes.get(IFLA_LINKINFO);
  const kind = info && parseAttributes(info).get(IFLA_INFO_KIND);
  const isGre = kind !== undefined && ['gre', 'gretap'].includes(parseText(kind));
  const tunnel = isGre ? parseAttributes(info!).get(IFLA_INFO_DATA) : undefined;
  const remote = tunnel && parseAttributes(tunnel).get(IFLA_GRE_REMOTE);
  const state = attributes.get(IFLA_OPERSTATE)?.[0] ?? 0;
  return {
    family: payload[0]!,
    index,
    name: parseText(name),
    up: (flags & IFF_UP) !== 0,
    running: (flags & IFF_RUNNING) !== 0,
    loopback: (flags & IFF_LOOPBACK) !== 0,
    operationalState: OPERATIONAL_STATES[state] ?? state,
    mtuBytes: hostNumber(attributes, IFLA_MTU) ?? 0,
    // Tunnels put their IP endpoint (4 or 16 bytes) here, and `sit` an all-zero one.
    mac: mac?.length === 6 ? Array.from(mac, (byte) => byte.toString(16).padStart(2, '0')).join(':') : null,
    kind: kind ? parseText(kind) : null,
    masterIndex: hostNumber(attributes, IFLA_MASTER),
    greRemote: remote?.length === 4 && remote.some((byte) => byte !== 0) ? ipv4FromBytes(remote) : null,
  };
}

/** The payload of RTM_NEWADDR and RTM_DELADDR; null for families other than IPv4 and IPv6. */
export function parseAddress(payload: Uint8Array): AddressMessage | null {
  const index = parseHostU32(payload, 4);
  const family = familyOf(payload[0]!);
  if (!family) return null;
  const attributes = parseAttributes(payload, IFADDR_LENGTH);
  // On a point-to-point link IFA_ADDRESS is the peer's; IPv6 has IFA_LOCAL only then.
  const address = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
  if (!address) throw new WireError('malformed', IFADDR_LENGTH, 'no address');
  const flags = hostNumber(attributes, IFA_FLAGS) ?? payload[2]!;
  const scope = payload[3]!;
  return {
    family,
    index,
    address: parseIp(address, family),
    prefixLength: payload[1]!,
    scope: SCOPES.get(scope) ?? scope,
    secondary: (flags & IFA_F_SECONDARY) !== 0,
    tentative: (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) !== 0,
    deprecated: (flags & IFA_F_DEPRECATED) !== 0,
  };
}

/** The payload of RTM_NEWROUTE and RTM_DELROUTE; null for families other than IPv4 and IPv6. */
export function parseRoute(payload: Uint8Array): RouteMessage | null {
  if (payload.length < RTMSG_LENGTH) throw new WireError('truncated', payload.length, 'struct rtmsg');
  const family = familyOf(payload[0]!);
  if (!family) return null;
  const attributes = parseAttributes(payload, RTMSG_LENGTH);
  const destination = attributes.get(RTA_DST);
  const multipath = attributes.get(RTA_MULTIPATH);
  const single = parseHop(attributes, hostNumber(attributes, RTA_OIF), family);
  return {
    family,
    prefixLength: payload[1]!,
    destination: destination ? parseIp(destination, family) : null,
    table: hostNumber(attributes, RTA_TABLE) ?? payload[4]!,
    metric: hostNumber(attributes, RTA_PRIORITY) ?? 0,
    unicast: payload[7] === RTN_UNICAST,
    hops: multipath ? parseHops(multipath, family) : single.index === null ? [] : [single],
  };
}

/** struct rtnexthop: length 2, flags 1, weight 1, interface 4, then attributes. */
function parseHops(bytes: Uint8Array, family: 4 | 6): RouteHop[] {
  const hops: RouteHop[] = [];
  let at = 0;
  while (at < bytes.length) {
    const length = parseHostU16(bytes, at);
    const index = parseHostU32(bytes, at + 4);
    if (length < RTNEXTHOP_LENGTH) throw new WireError('malformed', at, `a next hop of ${length} bytes`);
    if (at + length > bytes.length)
      throw new WireError('truncated', bytes.length, `a next hop at byte ${at}`);
    hops.push(parseHop(parseAttributes(bytes.subarray(at, at + length), RTNEXTHOP_LENGTH), index, family));
    at += Math.ceil(length / 4) * 4;
  }
  return hops;
}

function parseHop(attributes: Attributes, index: number | null, family: 4 | 6): RouteHop {
  const gateway = attributes.get(RTA_GATEWAY);
  if (gateway) return { gateway: parseIp(gateway, family), index };
  // struct rtvia: the family in host byte order, then the address.
  const via = attributes.get(RTA_VIA);
  const viaFamily = via && familyOf(parseHostU16(via));
  return { gateway: via && viaFamily ? parseIp(via.subarray(2), viaFamily) : null, index };
}

function familyOf(family: number): 4 | 6 | null {
  return family === AF_INET ? 4 : family === AF_INET6 ? 6 : null;
}

function parseIp(bytes: Uint8Array, family: 4 | 6): Ipv4Address | Ipv6Address {
  const wanted = family === 4 ? 4 : 16;
  if (bytes.length < wanted) throw new WireError('truncated', bytes.length, `an IPv${family} address`);
  return family === 4 ? ipv4FromBytes(bytes) : ipv6FromBytes(bytes);
}

function hostNumber(attributes: Attributes, type: number): number | null {
  const value = attributes.get(type);
  return value ? parseHostU32(value) : null;
}

/** All links, without their statistics. */
export function emitLinkDump(): Uint8Array {
  const attributes = emitAttributes([[IFLA_EXT_MASK, emitHostU32(RTEXT_FILTER_SKIP_STATS)]]);
  const bytes = new Uint8Array(IFINFO_LENGTH + attributes.length);
  bytes.set(attributes, IFINFO_LENGTH);
  return bytes;
}

/** All addresses of both families. */
export function emitAddressDump(): Uint8Array {
  return new Uint8Array(IFADDR_LENGTH);
}

/** All unicast routes of all tables. The kernel cannot filter by prefix, so default routes are picked by the reader. */
export function emitRouteDump(): Uint8Array {
  const bytes = new Uint8Array(RTMSG_LENGTH);
  bytes[0] = AF_UNSPEC;
  // Heeded with NETLINK_GET_STRICT_CHK (Linux 4.20), else all types come.
  bytes[7] = RTN_UNICAST;
  return bytes;
}

/** Asks where an IPv4 packet would go that came in by an interface (RTM_GETROUTE, as `ip route get … from … iif …`). */
export function emitRouteQuestion(
  source: Ipv4Address,
  destination: Ipv4Address,
  inputIndex: number,
): Uint8Array {
  const header = new Uint8Array(RTMSG_LENGTH);
  header[0] = AF_INET;
  // Both prefixes are whole addresses.
  header[1] = header[2] = 32;
  const attributes = emitAttributes([
    [RTA_DST, ipv4Bytes(destination)],
    [RTA_SRC, ipv4Bytes(source)],
    [RTA_IIF, emitHostU32(inputIndex)],
  ]);
  const bytes = new Uint8Array(RTMSG_LENGTH + attributes.length);
  bytes.set(header);
  bytes.set(attributes, RTMSG_LENGTH);
  return bytes;
}

export interface RouteAnswer {
  /** The interface it would leave by. */
  readonly index: number;
  /** The router it would be sent to; null where the destination is on the link. */
  readonly gateway: Ipv4Address | null;
}

/** Null for anything but plain forwarding: local delivery, a refusal, a router of another family, a route with an MTU of its own. */
export function parseRouteAnswer(payload: Uint8Array): RouteAnswer | null {
  const route = parseRoute(payload);
  if (route === null || route.family !== 4 || !route.unicast || route.hops.length !== 1) return null;
  const attributes = parseAttributes(payload, RTMSG_LENGTH);
  if (attributes.has(RTA_METRICS) || attributes.has(RTA_VIA)) return null;
  const [{ index, gateway } = { index: null, gateway: null }] = route.hops;
  return index === null ? null : { index, gateway: gateway as Ipv4Address | null };
}
