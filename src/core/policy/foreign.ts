// Other tables that drop VPN packets (ufw, firewalld, Docker, hand-made ones): their base chains are
// walked with sample packets of each protocol, in both directions. A match that cannot be judged here
// (a named set, an address, an iptables extension) is neither true nor false, so a drop is reported
// as certain only when nothing of that kind stood on the way. Input: nft's JSON (libnftables-json(5)).
interface Sample {
  readonly name: string;
  /** As nft names it. */
  readonly l4: string;
  /** The server's port, where the protocol has ports. */
  readonly port?: number;
}

const SAMPLES: readonly Sample[] = [
  { name: 'IKE (UDP 500)', l4: 'udp', port: 500 },
  { name: 'NAT-T (UDP 4500)', l4: 'udp', port: 4500 },
  { name: 'ESP', l4: 'esp' },
  { name: 'PPTP (TCP 1723)', l4: 'tcp', port: 1723 },
  { name: 'PPTP (GRE)', l4: 'gre' },
  { name: 'L2TP (UDP 1701)', l4: 'udp', port: 1701 },
];

/** One direction of a sample: what a match can be compared with. */
interface Packet {
  readonly sample: Sample;
  readonly iifname: string;
  readonly oifname: string | null;
  readonly outbound: boolean;
  readonly state: string;
}

interface JsonRule {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  readonly handle: number;
  readonly expr: readonly Record<string, unknown>[];
  readonly comment?: string;
}

interface JsonChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly type?: string;
  readonly hook?: string;
  readonly policy?: string;
}

type Tri = boolean | null;

/** How a chain ends for a packet; `at` is the rule, or null for the policy. `sure` is false past a match that could not be judged. */
interface Fate {
  readonly verdict: 'accept' | 'drop' | 'continue';
  readonly at: JsonRule | null;
  readonly sure: boolean;
}

/** One sentence for each place where packets of VPNs end; `listing` holds the items of all tables but ours. */
export function findForeignDrops(
  listing: readonly unknown[],
  interfaces: { wan: string; lan: readonly string[] },
): string[] {
  const items = listing as readonly { chain?: JsonChain; rule?: JsonRule }[];
  const chains = items.flatMap((item) => item.chain ?? []);
  const rules = items.flatMap((item) => item.rule ?? []);
  const places = new Map<string, { names: Set<string>; sure: boolean; where: string; what: string }>();
  for (const base of chains) {
    if (!['ip', 'inet'].includes(base.family) || base.type !== 'filter') continue;
    if (!['forward', 'prerouting', 'postrouting'].includes(base.hook ?? '')) continue;
    for (const packet of packetsOf(base.hook!, interfaces)) {
      const fate = walk(base, base, rules, packet, 0);
      const dropped = fate.verdict === 'drop' || (fate.verdict === 'continue' && base.policy === 'drop');
      // A rule that only may match is no finding; a policy that nothing is sure to accept before is one.
      if (!dropped || (!fate.sure && fate.at !== null)) continue;
      const key = fate.at ? `rule ${fate.at.table} ${fate.at.handle}` : `policy ${base.table} ${base.name}`;
      const place = places.get(key) ?? {
        names: new Set<string>(),
        sure: fate.sure,
        where: fate.at
          ? `chain "${fate.at.chain}" of table "${base.family} ${base.table}"`
          : `chain "${base.name}" of table "${base.family} ${base.table}"`,
        what: fate.at
          ? `The rule with handle ${fate.at.handle}${fate.at.comment ? ` ("${fate.at.comment}")` : ''} in`
          : 'The policy "drop" of',
      };
      place.names.add(packet.sample.name);
      places.set(key, place);
    }
  }
  return [...places.values()].map(
    ({ names, sure, where, what }) =>
      `${what} ${where}, which is not ours, ${sure ? 'drops' : 'may drop'} ${[...names].join(', ')}. Let these pass there, or remove it; "nft -a list ruleset" shows it.`,
  );
}

function packetsOf(hook: string, { wan, lan }: { wan: string; lan: readonly string[] }): Packet[] {
  const side = lan[0] ?? '';
  return SAMPLES.flatMap((sample): Packet[] => {
    // Before conntrack's verdict is known, or where ESP is concerned, no state is sure to match.
    const state = (usual: string): string => (sample.l4 === 'esp' ? 'untracked' : usual);
    return [
      {
        sample,
        iifname: side,
        oifname: hook === 'prerouting' ? null : wan,
        outbound: true,
        state: state('new'),
      },
      {
        sample,
        iifname: wan,
        oifname: hook === 'prerouting' ? null : side,
        outbound: false,
        state: state('established'),
      },
    ];
  });
}

/** Deeper than any table nests its jumps (the kernel's own limit is 16). */
const MOST_JUMPS = 16;

function walk(
  chain: JsonChain,
  base: JsonChain,
  rules: readonly JsonRule[],
  packet: Packet,
  depth: number,
): Fate {
  let sure = true;
  if (depth > MOST_JUMPS) return { verdict: 'continue', at: null, sure: false };
  for (const one of rules) {
    if (one.family !== base.family || one.table !== base.table || one.chain !== chain.name) continue;
    let matched: Tri = true;
    for (const expression of one.expr) {
      const [kind] = Object.keys(expression);
      const content = expression[kind!];
      if (kind === 'match') {
        const judged = judge(content as JsonMatch, packet);
        if (judged === false) {
          matched = false;
          break;
        }
        if (judged === null) matched = null;
      } else if (kind === 'xt' || kind === 'vmap') {
        matched = null;
      } else if (kind === 'drop' || kind === 'reject') {
        if (matched === true) return { verdict: 'drop', at: one, sure };
      } else if (kind === 'accept' || kind === 'queue') {
        if (matched === true) return { verdict: 'accept', at: one, sure };
        sure = false;
      } else if (kind === 'return') {
        if (matched === true) return { verdict: 'continue', at: null, sure };
        sure = false;
      } else if (kind === 'jump' || kind === 'goto') {
        const target = (content as { target: string }).target;
        const fate = walk({ ...base, name: target }, base, rules, packet, depth + 1);
        if (fate.verdict !== 'continue' && matched === true) return { ...fate, sure: sure && fate.sure };
        if (fate.verdict === 'accept' || !fate.sure) sure = false;
        if (kind === 'goto' && matched === true) return { verdict: 'continue', at: null, sure };
      }
    }
    // An unjudged match before a verdict map or an extension target may have accepted the packet.
    if (matched === null && one.expr.some((expression) => 'vmap' in expression || 'xt' in expression))
      sure = false;
  }
  return { verdict: 'continue', at: null, sure };
}

interface JsonMatch {
  readonly op: string;
  readonly left: unknown;
  readonly right: unknown;
}

function judge({ op, left, right }: JsonMatch, packet: Packet): Tri {
  const value = valueOf(left, packet);
  if (value === undefined) return null;
  // The field is not in this packet, such as a TCP port in ESP: no match, whatever the operator.
  if (value === null) return false;
  const contained = contains(right, value);
  if (contained === null) return null;
  if (op === '==' || op === 'in') return contained;
  return op === '!=' ? !contained : null;
}

/** Undefined: not judged here; null: the packet has no such field. */
function valueOf(left: unknown, packet: Packet): string | number | null | undefined {
  const { meta, ct, payload } = left as {
    meta?: { key: string };
    ct?: { key: string };
    payload?: { protocol?: string; field?: string };
  };
  const { l4, port } = packet.sample;
  if (meta) {
    if (meta.key === 'iifname') return packet.iifname;
    if (meta.key === 'oifname') return packet.oifname ?? undefined;
    if (meta.key === 'l4proto') return l4;
    if (meta.key === 'nfproto') return 'ipv4';
    return undefined;
  }
  if (ct) return ct.key === 'state' ? packet.state : undefined;
  if (payload?.protocol === 'ip') return payload.field === 'protocol' ? l4 : undefined;
  if (payload?.protocol === 'ip6') return null;
  if (payload?.protocol === 'tcp' || payload?.protocol === 'udp' || payload?.protocol === 'th') {
    if (payload.protocol !== 'th' && payload.protocol !== l4) return null;
    if (port === undefined) return null;
    return payload.field === (packet.outbound ? 'dport' : 'sport') ? port : undefined;
  }
  return undefined;
}

function contains(right: unknown, value: string | number): Tri {
  if (typeof right === 'string' && right.startsWith('@')) return null;
  if (typeof right === 'string' && right.endsWith('*')) return String(value).startsWith(right.slice(0, -1));
  if (typeof right === 'string' || typeof right === 'number') return String(right) === String(value);
  if (Array.isArray(right)) return anyOf(right.map((one) => contains(one, value)));
  const { set, range } = right as { set?: unknown[]; range?: [number, number] };
  if (set) return anyOf(set.map((one) => contains(one, value)));
  if (range) return Number(value) >= range[0] && Number(value) <= range[1];
  return null;
}

function anyOf(found: Tri[]): Tri {
  if (found.includes(true)) return true;
  return found.includes(null) ? null : false;
}
