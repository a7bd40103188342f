// What the kernel announces of connection tracking: entries that begin, change and end. Thousands a
// second may matter to nobody, so each is first glanced at, and only those wanted are read whole.
// After an overrun the caller must list the table anew.
import { WireError } from '../core/wire/bytes.ts';
import {
  CT_DELETE,
  CT_NEW,
  type ConntrackEntry,
  type ConntrackGlance,
  glanceAtConntrack,
  parseConntrack,
} from '../core/wire/ctnetlink.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from './netlink.ts';

// linux/netfilter/nfnetlink.h
const NFNLGRP_CONNTRACK_NEW = 1;
const NFNLGRP_CONNTRACK_UPDATE = 2;
const NFNLGRP_CONNTRACK_DESTROY = 3;
/** linux/netlink.h NLM_F_CREATE: tells a new entry from a changed one. */
const NLM_F_CREATE = 0x400;
/** Some 10,000 announcements: a burst of new connections while the daemon does something else. */
const RECEIVE_BUFFER_BYTES = 16 << 20;

export type ConntrackChange = 'new' | 'update' | 'end';

export interface ConntrackEventsOptions {
  /** Whether an entry that begins so is wanted. */
  readonly wants: (glance: ConntrackGlance) => boolean;
  readonly onChange: (change: ConntrackChange, entry: ConntrackEntry) => void;
  /** Announcements were lost. */
  readonly onOverrun: () => void;
}

export interface ConntrackEvents {
  /** Reads what has been announced by now. */
  receiveNow(): void;
  close(): void;
}

/** Follows the network namespace of the calling thread. */
export function openConntrackEvents({ wants, onChange, onOverrun }: ConntrackEventsOptions): ConntrackEvents {
  const socket = new NetlinkSocket(NETLINK_NETFILTER, {
    groups: [NFNLGRP_CONNTRACK_NEW, NFNLGRP_CONNTRACK_UPDATE, NFNLGRP_CONNTRACK_DESTROY],
    receiveBufferBytes: RECEIVE_BUFFER_BYTES,
    onMessage: ({ type, flags, payload }) => {
      if (type !== CT_NEW && type !== CT_DELETE) return;
      const glance = glanceAtConntrack(payload);
      if (glance !== null && !wants(glance)) return;
      let entry: ConntrackEntry | null;
      try {
        entry = parseConntrack(payload);
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        onOverrun();
        return;
      }
      const change = type === CT_DELETE ? 'end' : flags & NLM_F_CREATE ? 'new' : 'update';
      if (entry !== null) onChange(change, entry);
    },
    onOverrun,
  });
  return { receiveNow: () => socket.receiveNow(), close: () => socket.close() };
}
