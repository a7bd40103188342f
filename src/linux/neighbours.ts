// The neighbour table of this network namespace, once.
import { emitNeighbourDump, parseNeighbour, RTM_GETNEIGH, type Neighbour } from '../core/wire/neighbour.ts';
import { NLM_F_DUMP } from '../core/wire/netlink.ts';
import { decodeAll, NETLINK_ROUTE, NetlinkSocket } from './netlink.ts';

/** Those whose hardware address is known. Throws LinuxError. */
export async function listNeighbours(): Promise<Neighbour[]> {
  const socket = new NetlinkSocket(NETLINK_ROUTE);
  try {
    const messages = await socket.request(RTM_GETNEIGH, NLM_F_DUMP, emitNeighbourDump());
    return decodeAll(messages, ({ payload }) => parseNeighbour(payload));
  } finally {
    socket.close();
  }
}
