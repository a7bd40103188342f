// Where the kernel would send a packet that passes, and word of everything that can change that. What
// the word says is not looked at: whoever relies on an answer asks again. rtnetlink(7).
import type { Ipv4Address } from '../core/address.ts';
import {
  emitRouteQuestion,
  parseRouteAnswer,
  RTM_GETROUTE,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_NETCONF,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV4_RULE,
  RTNLGRP_LINK,
  type RouteAnswer,
} from '../core/wire/rtnetlink.ts';
import { LinuxError } from './libc.ts';
import { decodeAll, NETLINK_ROUTE, NetlinkSocket } from './netlink.ts';

const GROUPS = [
  RTNLGRP_LINK,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV4_RULE,
  RTNLGRP_IPV4_NETCONF,
];

export class Routes {
  readonly #questions = new NetlinkSocket(NETLINK_ROUTE);
  readonly #word: NetlinkSocket;

  /** In the network namespace of the calling thread. */
  constructor(onChange: () => void) {
    this.#word = new NetlinkSocket(NETLINK_ROUTE, {
      groups: GROUPS,
      onMessage: onChange,
      onOverrun: onChange,
    });
  }

  /** Null where the packet would not be forwarded, or not in the plain way. */
  async ask(source: Ipv4Address, destination: Ipv4Address, inputIndex: number): Promise<RouteAnswer | null> {
    const question = emitRouteQuestion(source, destination, inputIndex);
    try {
      const answers = await this.#questions.request(RTM_GETROUTE, 0, question);
      return decodeAll(answers, ({ payload }) => parseRouteAnswer(payload))[0] ?? null;
    } catch (error) {
      // ENETUNREACH, EHOSTUNREACH, EINVAL for a source that would be refused, and so on.
      if (error instanceof LinuxError) return null;
      throw error;
    }
  }

  close(): void {
    this.#questions.close();
    this.#word.close();
  }
}
