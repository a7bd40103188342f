// The gateway's own IPsec: the security associations in this kernel, kept current, so that ESP
// addressed to them is never given to a client. Keys are asked for by nobody and read by nothing.
import { NLM_F_DUMP, type NetlinkMessage } from '../core/wire/netlink.ts';
import {
  type SecurityAssociation,
  XFRMNLGRP_EXPIRE,
  XFRMNLGRP_SA,
  XFRM_MSG_DELSA,
  XFRM_MSG_EXPIRE,
  XFRM_MSG_FLUSHSA,
  XFRM_MSG_GETSA,
  XFRM_MSG_NEWSA,
  XFRM_MSG_UPDSA,
  emitSecurityAssociationDump,
  parseSecurityAssociation,
} from '../core/wire/xfrm.ts';
import { follow } from './follow.ts';
import { LinuxError } from './libc.ts';
import { NETLINK_XFRM, type NetlinkSocket, decodeAll } from './netlink.ts';

export interface XfrmMonitorOptions {
  /** The SAs differ from those before; a burst of changes is one call. */
  onChange: (associations: SecurityAssociation[]) => void;
  /** The kernel refused a dump; the next try follows in a second. */
  onError: (error: LinuxError) => void;
}

export interface XfrmMonitor {
  snapshot(): SecurityAssociation[];
  close(): void;
}

const MESSAGES = new Set([XFRM_MSG_NEWSA, XFRM_MSG_DELSA, XFRM_MSG_UPDSA, XFRM_MSG_EXPIRE, XFRM_MSG_FLUSHSA]);

/**
 * Reads the SAs and follows them, in the network namespace of the calling thread. Null when this
 * kernel has no xfrm (CONFIG_XFRM_USER): then the gateway has no SAs of its own in the kernel.
 */
export async function openXfrmMonitor(options: XfrmMonitorOptions): Promise<XfrmMonitor | null> {
  try {
    const follower = await follow({
      protocol: NETLINK_XFRM,
      groups: [XFRMNLGRP_SA, XFRMNLGRP_EXPIRE],
      concerns: ({ type }: NetlinkMessage) => MESSAGES.has(type),
      dump: dumpAssociations,
      onChange: options.onChange,
      onError: options.onError,
    });
    return { snapshot: () => follower.current(), close: () => follower.close() };
  } catch (error) {
    if (error instanceof LinuxError && error.op === 'socket' && error.errno === 'EPROTONOSUPPORT')
      return null;
    throw error;
  }
}

async function dumpAssociations(socket: NetlinkSocket): Promise<SecurityAssociation[]> {
  const messages = await socket.request(XFRM_MSG_GETSA, NLM_F_DUMP, emitSecurityAssociationDump());
  return decodeAll(messages, ({ payload }) => parseSecurityAssociation(payload));
}
