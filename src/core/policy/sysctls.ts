// The kernel settings that a gateway needs, beside its ruleset.

/** Name and value of each, as sysctl(8) writes them. */
export const NEEDED_SYSCTLS: Readonly<Record<string, string>> = {
  'net.ipv4.ip_forward': '1',
  // Looking for a local socket before routing is of no use to packets that pass (ip-sysctl, ip_early_demux).
  'net.ipv4.ip_early_demux': '0',
  // RFC 5508 REQ-1: an ICMP query lives at least 60 seconds; Linux gives it 30.
  'net.netfilter.nf_conntrack_icmp_timeout': '60',
  // Data of PPTP: as long as an idle control connection is kept (RFC 5382 REQ-5), with which it goes.
  // Linux gives it 180, and a call that was silent for longer is dead. nft has no ct timeout for GRE.
  'net.netfilter.nf_conntrack_gre_timeout_stream': '7440',
};
