// The kernel settings that a gateway needs, beside its ruleset.

/** Name and value of each, as sysctl(8) writes them. */
const OF_THE_SYSTEM: Readonly<Record<string, string>> = {
  'net.ipv4.ip_forward': '1',
  // Looking for a local socket before routing is of no use to packets that pass (ip-sysctl, ip_early_demux).
  'net.ipv4.ip_early_demux': '0',
  // What passed on a connection, and since when: shown with the sessions.
  'net.netfilter.nf_conntrack_acct': '1',
  'net.netfilter.nf_conntrack_timestamp': '1',
  // RFC 5508 REQ-1: an ICMP query lives at least 60 seconds; Linux gives it 30.
  'net.netfilter.nf_conntrack_icmp_timeout': '60',
  // Data of PPTP: as long as an idle control connection is kept (RFC 5382 REQ-5), with which it goes.
  // Linux gives it 180, and a call that was silent for longer is dead. nft has no ct timeout for GRE.
  'net.netfilter.nf_conntrack_gre_timeout_stream': '7440',
};

/** By the last part of the name; with slashes, as the name of an interface may have dots. */
const OF_A_LAN_INTERFACE: Readonly<Record<string, string>> = {
  // ESP has the WAN address before it is routed (layout.ts), and Linux takes nothing with an address of
  // its own from outside. What else comes with one is dropped by the filter unless it is established.
  accept_local: '1',
  // Strict reverse path filtering (1) would refuse it again; loose (2) does not.
  rp_filter: '2',
};

/** What must be set to what; `read` gives a setting as it is now, or null where there is none. */
export function neededSysctls(
  lan: readonly string[],
  read: (name: string) => string | null,
): [name: string, value: string][] {
  const needed = Object.entries(OF_THE_SYSTEM);
  for (const one of lan) {
    const name = (key: string): string => `net/ipv4/conf/${one}/${key}`;
    needed.push([name('accept_local'), OF_A_LAN_INTERFACE['accept_local']!]);
    // The kernel takes the larger of the interface's and of `all`.
    const strictest = Math.max(
      ...['net/ipv4/conf/all/rp_filter', name('rp_filter')].map((key) => Number(read(key))),
    );
    if (strictest === 1) needed.push([name('rp_filter'), OF_A_LAN_INTERFACE['rp_filter']!]);
  }
  return needed;
}

/** What the gateway sets the setting of this name to, on whatever interface; undefined for others. */
export function valueSetFor(name: string): string | undefined {
  return OF_THE_SYSTEM[name] ?? OF_A_LAN_INTERFACE[name.slice(name.lastIndexOf('/') + 1)];
}
