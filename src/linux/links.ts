// The links of this network namespace with their addresses, and its default routes, kept current.
// Knows nothing of which of them is WAN or LAN. rtnetlink(7).
import type { InterfaceName } from '../core/address.ts';
import { parseInterfaceName } from '../core/address.ts';
import {
  type AddressMessage,
  type LinkMessage,
  type RouteHop,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELROUTE,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_GETROUTE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWROUTE,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_LINK,
  emitAddressDump,
  emitLinkDump,
  emitRouteDump,
  parseAddress,
  parseLink,
  parseRoute,
} from '../core/wire/rtnetlink.ts';
import { NLM_F_DUMP, type NetlinkMessage } from '../core/wire/netlink.ts';
import type { LinuxError } from './libc.ts';
import { NETLINK_ROUTE, NetlinkSocket, decodeAll } from './netlink.ts';
import { follow } from './follow.ts';

export type SystemAddress = Omit<AddressMessage, 'index'>;

export interface SystemLink extends Pick<
  LinkMessage,
  'index' | 'up' | 'running' | 'mac' | 'kind' | 'greRemote'
> {
  name: InterfaceName;
  mtu: number;
  loopback: boolean;
  masterIndex: number | null;
  /** In the kernel's order: the first IPv4 address of a prefix is its primary one. */
  addresses: SystemAddress[];
}

export interface DefaultRoute {
  family: 4 | 6;
  /** 254 is `main`; others are policy routing's. */
  table: number;
  metric: number;
  hops: RouteHop[];
}

/** What the kernel has; links by index, default routes best first. */
export interface SystemSnapshot {
  links: SystemLink[];
  defaultRoutes: DefaultRoute[];
}

export interface LinkMonitorOptions {
  /** The snapshot differs from the one before; a burst of changes is one call. */
  onChange: (snapshot: SystemSnapshot) => void;
  /** The kernel refused a dump; the last snapshot stands and the next try follows in a second. */
  onError: (error: LinuxError) => void;
}

export interface LinkMonitor {
  snapshot(): SystemLink[];
  defaultRoutes(): DefaultRoute[];
  close(): void;
}

const GROUPS = [
  RTNLGRP_LINK,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV6_ROUTE,
];

/** Reads the present state and follows it, in the network namespace of the calling thread. */
export async function createLinkMonitor(options: LinkMonitorOptions): Promise<LinkMonitor> {
  const follower = await follow({
    protocol: NETLINK_ROUTE,
    groups: GROUPS,
    concerns,
    dump: dumpSystem,
    onChange: options.onChange,
    onError: options.onError,
  });
  return {
    snapshot: () => follower.current().links,
    defaultRoutes: () => follower.current().defaultRoutes,
    close: () => follower.close(),
  };
}

/** The present state, once. */
export async function readSystem(): Promise<SystemSnapshot> {
  const socket = new NetlinkSocket(NETLINK_ROUTE);
  try {
    return await dumpSystem(socket);
  } finally {
    socket.close();
  }
}

function concerns({ type, payload }: NetlinkMessage): boolean {
  switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return true;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      // A routing daemon may announce thousands a second; byte 1 is the prefix length.
      return payload[1] === 0;
    default:
      return false;
  }
}

async function dumpSystem(socket: NetlinkSocket): Promise<SystemSnapshot> {
  const links = new Map<number, SystemLink>();
  const linkMessages = await socket.request(RTM_GETLINK, NLM_F_DUMP, emitLinkDump());
  for (const link of decodeAll(linkMessages, ({ payload }) => parseLink(payload))) {
    const { index, up, running, mac, kind, loopback, masterIndex, greRemote } = link;
    const name = parseInterfaceName(link.name);
    // A name that nft could misread; no driver or tool makes one.
    if (!name) continue;
    const mtu = link.mtuBytes;
    links.set(index, {
      index,
      name,
      up,
      running,
      mtu,
      mac,
      kind,
      loopback,
      masterIndex,
      greRemote,
      addresses: [],
    });
  }
  const addressMessages = await socket.request(RTM_GETADDR, NLM_F_DUMP, emitAddressDump());
  for (const { index, ...address } of decodeAll(addressMessages, ({ payload }) => parseAddress(payload))) {
    links.get(index)?.addresses.push(address);
  }
  const routeMessages = await socket.request(RTM_GETROUTE, NLM_F_DUMP, emitRouteDump());
  const defaultRoutes = decodeAll(routeMessages, ({ payload }): DefaultRoute | null => {
    // The prefix length first: the other routes, a whole Internet's perhaps, are not parsed.
    const route = payload[1] === 0 ? parseRoute(payload) : null;
    if (!route?.unicast) return null;
    const { family, table, metric, hops } = route;
    return { family, table, metric, hops };
  });
  defaultRoutes.sort((a, b) => a.family - b.family || a.metric - b.metric || a.table - b.table);
  return { links: [...links.values()].sort((a, b) => a.index - b.index), defaultRoutes };
}
