// Tells when somebody changes an nftables table: the kernel's own notifications, looked at only for
// the table's name. Who it was is not looked at: our own transactions are reported too, and the
// caller compares. Elements of sets are left out, since they change all the time.
// linux/netfilter/nf_tables.h, linux/netfilter/nfnetlink.h.
import { WireError } from '../core/wire/bytes.ts';
import { parseAttributes, parseText } from '../core/wire/netlink.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from './netlink.ts';

const NFNLGRP_NFTABLES = 7;
const NFNL_SUBSYS_NFTABLES = 10;
/** Tables, chains, rules and sets: NFT_MSG_NEWTABLE to NFT_MSG_DELSET. */
const LAST_STRUCTURE_MESSAGE = 11;
/** Every kind of object names its table in attribute 1 (NFTA_TABLE_NAME, NFTA_CHAIN_TABLE …). */
const NFTA_TABLE = 1;
const SIZEOF_NFGENMSG = 4;
/** A transaction is reported in one burst; this lets it end first. */
const SETTLE_MS = 20;

/** Calls back with the names of the tables that changed; after lost messages, with null for "any". */
export function watchTables(onChange: (tables: ReadonlySet<string> | null) => void): { close(): void } {
  let changed = new Set<string>();
  let lost = false;
  let timer: NodeJS.Timeout | null = null;
  const schedule = (): void => {
    timer ??= setTimeout(() => {
      const tables = lost ? null : changed;
      changed = new Set();
      lost = false;
      timer = null;
      onChange(tables);
    }, SETTLE_MS);
  };
  const socket = new NetlinkSocket(NETLINK_NETFILTER, {
    groups: [NFNLGRP_NFTABLES],
    onMessage: ({ type, payload }) => {
      if (type >> 8 !== NFNL_SUBSYS_NFTABLES || (type & 0xff) > LAST_STRUCTURE_MESSAGE) return;
      try {
        const name = parseAttributes(payload, SIZEOF_NFGENMSG).get(NFTA_TABLE);
        if (name) changed.add(parseText(name));
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        lost = true;
      }
      schedule();
    },
    onOverrun: () => {
      lost = true;
      schedule();
    },
  });
  return {
    close: () => {
      if (timer) clearTimeout(timer);
      socket.close();
    },
  };
}
