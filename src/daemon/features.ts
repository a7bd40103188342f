// What the kernel and nft must be able to do, each tried by itself when the whole ruleset was refused,
// so that the message names what is missing and the module that brings it. A trial is a table of its
// own that is made and deleted in one transaction, so nothing of it is ever in force.
import type { Nft } from '../linux/nft.ts';

interface Feature {
  readonly trial: string;
  /** What is missing, and the way out. */
  readonly sentence: string;
}

const chain = (hook: string, rule: string): string => `chain c { type ${hook}; policy accept; ${rule}; }`;

const FEATURES: readonly Feature[] = [
  {
    trial: '',
    sentence: 'nf_tables with the "inet" family is missing: load "nf_tables" (CONFIG_NF_TABLES_INET).',
  },
  {
    trial: chain('filter hook forward priority 0', 'ct state established accept'),
    sentence: 'Connection tracking is missing: load "nft_ct" and "nf_conntrack".',
  },
  {
    trial: chain('filter hook forward priority 0', 'ct mark 0 ct mark set 1'),
    sentence: 'Marks of connections are missing: the kernel must be built with CONFIG_NF_CONNTRACK_MARK.',
  },
  {
    trial: chain('nat hook postrouting priority srcnat', 'masquerade'),
    sentence: 'NAT is missing: load "nft_masq" and "nft_chain_nat" (CONFIG_NFT_MASQ, CONFIG_NFT_NAT).',
  },
  {
    trial: 'ct helper h { type "pptp" protocol tcp; l3proto ip; }',
    sentence:
      'The PPTP helper is missing: load "nf_conntrack_pptp" and "nf_nat_pptp" (CONFIG_NF_CONNTRACK_PPTP).',
  },
  {
    trial: 'ct timeout t { protocol udp; l3proto ip; policy = { unreplied : 60, replied : 60 }; }',
    sentence: 'Timeouts by flow are missing: load "nfnetlink_cttimeout" (CONFIG_NF_CONNTRACK_TIMEOUT).',
  },
  {
    trial: `map m { typeof ip saddr . esp spi : ip daddr; flags dynamic,timeout; counter; } ${chain('filter hook prerouting priority raw', 'ip daddr set ip saddr . esp spi map @m notrack')}`,
    sentence:
      'Maps that the packets fill themselves are missing: Linux 5.10 or newer is needed (CONFIG_NFT_SET_HASH).',
  },
  {
    trial: chain('filter hook forward priority 0', 'meta l4proto esp reject with icmpx admin-prohibited'),
    sentence: 'Refusals are missing: load "nft_reject_inet" (CONFIG_NFT_REJECT).',
  },
];

/** A sentence for each feature that the kernel lacks. */
export async function missingFeatures(nft: Nft): Promise<string[]> {
  const missing: string[] = [];
  for (const feature of FEATURES) {
    try {
      // nft 1.0.6 takes no "} }" on one line.
      const table = `table inet throughway_trial {\n${feature.trial.replaceAll('; }', ';\n}\n')}\n}`;
      await nft.run(`${table}\ndelete table inet throughway_trial`);
    } catch {
      missing.push(feature.sentence);
      // Without tables at all, everything below is missing too.
      if (feature.trial === '') break;
    }
  }
  return missing;
}

/** The oldest nft whose syntax the ruleset is written in. */
export const LEAST_NFT = [1, 0, 6] as const;

/** The version of nft, such as `1.0.6`. */
export async function readNftVersion(nft: Nft): Promise<string> {
  // Of all listings the one that needs no elements: nft 1.0.6 reads those for `list tables`, too.
  const listed = JSON.parse(await nft.run('list chains', 'json')) as {
    nftables: { metainfo?: { version: string } }[];
  };
  return listed.nftables.find((one) => one.metainfo)?.metainfo?.version ?? '0';
}

export function isNftRecent(version: string): boolean {
  const found = version.split('.').map(Number);
  for (const [index, least] of LEAST_NFT.entries()) {
    const part = found[index] ?? 0;
    if (part !== least) return part > least;
  }
  return true;
}
