// Other tables that drop VPN packets (ufw, firewalld, Docker, hand-made ones): their base chains are
// walked with sample packets of each protocol, in both directions. A match that cannot be judged
// (foreign-match.ts) neither holds nor fails: a drop behind one is no finding, and a drop that only
// an unjudged accept stands before "may" be one. Input: nft's JSON (libnftables-json(5)).
import { both, group, judgeMatch, judgeVerdictMap, type Packet, type Tri } from './foreign-match.ts';

interface Sample {
  readonly name: string;
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

/** What is known of the gateway's sides; `prefixes` holds each LAN interface's IPv4 address with its prefix length. */
export interface Sides {
  readonly wan: string;
  readonly lan: readonly string[];
  readonly prefixes?: Readonly<Record<string, string>>;
}

interface JsonRule {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  readonly handle: number;
  readonly expr?: readonly Record<string, unknown>[];
  readonly comment?: string;
}

interface JsonChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly type?: string;
  readonly hook?: string;
  readonly prio?: number;
  readonly policy?: string;
}

/** What is looked for in other tables: where packets end, are translated, or are kept from conntrack. */
interface Purpose {
  /** Statements that are what is looked for; a packet that meets one goes no further here. */
  readonly catches: ReadonlySet<string>;
  readonly isBase: (chain: JsonChain) => boolean;
  /** What the rule does, with "may" before it where that is not sure. */
  readonly does: string;
}

const DROPS: Purpose = {
  catches: new Set(),
  isBase: ({ type, hook }) =>
    type === 'filter' && ['forward', 'prerouting', 'postrouting'].includes(hook ?? ''),
  does: 'drops',
};

const TRANSLATIONS: Purpose = {
  catches: new Set(['masquerade', 'snat', 'MASQUERADE', 'SNAT', 'NETMAP']),
  isBase: ({ type, hook, prio = 0 }) => type === 'nat' && hook === 'postrouting' && prio <= SRCNAT_PRIORITY,
  does: 'translates',
};

const EXEMPTIONS: Purpose = {
  catches: new Set(['notrack', 'NOTRACK', 'ct zone']),
  isBase: ({ type, hook, prio = 0 }) =>
    type === 'filter' && hook === 'prerouting' && prio <= CONNTRACK_PRIORITY,
  does: 'keeps from ordinary connection tracking',
};

/** Ours stands here too (NF_IP_PRI_NAT_SRC): of two at one priority the older one comes first. */
const SRCNAT_PRIORITY = 100;

/** One sentence for each place where packets of VPNs end; `listing` holds the items of all tables but ours. */
export function findForeignDrops(listing: readonly unknown[], sides: Sides): string[] {
  return find(listing, sides, DROPS);
}

/** As `findForeignDrops`, of rules that translate what the gateway is to translate. */
export function findForeignTranslations(listing: readonly unknown[], sides: Sides): string[] {
  return find(listing, sides, TRANSLATIONS);
}

/** As `findForeignDrops`, of rules that take packets out of connection tracking or into a zone of their own. */
export function findForeignExemptions(listing: readonly unknown[], sides: Sides): string[] {
  return find(listing, sides, EXEMPTIONS);
}

function find(listing: readonly unknown[], sides: Sides, purpose: Purpose): string[] {
  const items = listing as readonly { chain?: JsonChain; rule?: JsonRule }[];
  const rules = Map.groupBy(
    items.flatMap((item) => item.rule ?? []),
    (one) => `${one.family} ${one.table} ${one.chain}`,
  );
  const places = new Map<string, Place>();
  for (const base of items.flatMap((item) => item.chain ?? [])) {
    if (!['ip', 'inet'].includes(base.family) || !purpose.isBase(base)) continue;
    const table = `${base.family} ${base.table}`;
    for (const probe of probes(base, sides)) {
      // Translations are for devices' packets, and ESP is none of conntrack's.
      if (purpose !== DROPS && (!probe.outbound || probe.packet.l4 === 'esp')) continue;
      const walk = new Walk((chain) => rules.get(`${table} ${chain}`) ?? [], probe.packet, purpose.catches);
      const fate = walk.chain(base.name);
      if (purpose === DROPS) {
        if (fate.verdict === 'accept' || (fate.verdict === 'continue' && base.policy !== 'drop')) continue;
      } else if (fate.verdict !== 'caught') continue;
      // Every stateful filter lets answers pass, if by a match that is not judged here.
      if (!fate.sure && !probe.outbound && probe.packet.l4 !== 'esp') continue;
      const key = `${fate.sure} ${table} ${fate.at ? fate.at.handle : base.name}`;
      const place = places.get(key) ?? {
        sure: fate.sure,
        where: fate.at
          ? `The rule with handle ${fate.at.handle}${fate.at.comment ? ` ("${fate.at.comment}")` : ''} in chain "${fate.at.chain}" of table "${table}"`
          : `The policy "drop" of chain "${base.name}" of table "${table}"`,
        probes: [],
      };
      place.probes.push(probe);
      places.set(key, place);
    }
  }
  return [...places.values()].map(
    ({ sure, where, probes }) =>
      `${where}, which is not ours, ${sure ? purpose.does : `may ${infinitive(purpose.does)}`} ${renderProbes(probes, sides)}. ${purpose === DROPS ? 'Let these pass there, or remove it' : 'Remove it, or limit it to what it is meant for'}; "nft -a list ruleset" shows it.`,
  );
}

/** `drops` -> `drop`, `keeps from …` -> `keep from …`. */
function infinitive(does: string): string {
  return does.replace('s', '');
}

/** Whether any of these tables has rules, or a policy, for IPv4 packets that pass the gateway. */
export function filtersForwarded(listing: readonly unknown[]): boolean {
  return actsAt(listing, ['ip', 'inet'], ['prerouting', 'forward', 'postrouting']);
}

/** As filtersForwarded, for packets as they come in by an interface. */
export function filtersIngress(listing: readonly unknown[]): boolean {
  return actsAt(listing, ['netdev', 'inet'], ['ingress']);
}

function actsAt(listing: readonly unknown[], families: readonly string[], hooks: readonly string[]): boolean {
  const items = listing as readonly { chain?: JsonChain; rule?: JsonRule }[];
  const ruled = new Set(
    items.flatMap(({ rule }) => (rule ? [`${rule.family} ${rule.table} ${rule.chain}`] : [])),
  );
  return items.some(
    ({ chain }) =>
      chain !== undefined &&
      families.includes(chain.family) &&
      hooks.includes(chain.hook ?? '') &&
      (chain.policy === 'drop' || ruled.has(`${chain.family} ${chain.table} ${chain.name}`)),
  );
}

interface Place {
  readonly sure: boolean;
  readonly where: string;
  readonly probes: Probe[];
}

/** A sample on its way between one LAN interface and the WAN. */
interface Probe {
  readonly name: string;
  readonly lan: string;
  readonly outbound: boolean;
  readonly packet: Packet;
}

/** Conntrack meets packets at this priority (NF_IP_PRI_CONNTRACK). */
const CONNTRACK_PRIORITY = -200;

function probes({ hook, prio = 0 }: JsonChain, { wan, lan, prefixes = {} }: Sides): Probe[] {
  const early = hook === 'prerouting' && prio <= CONNTRACK_PRIORITY;
  return lan.flatMap((name) =>
    SAMPLES.flatMap(({ name: sample, l4, port }) =>
      [true, false].map((outbound): Probe => {
        const prefix = prefixes[name];
        // Answers carry the WAN address until conntrack has seen them.
        const carriesDevice = prefix !== undefined && (outbound || hook !== 'prerouting');
        const tracked = outbound ? 'new' : 'established';
        const packet: Packet = {
          iifname: outbound ? name : wan,
          oifname: hook === 'prerouting' ? null : outbound ? wan : name,
          l4,
          port: port === undefined ? null : { field: outbound ? 'dport' : 'sport', number: port },
          // ESP is translated without conntrack, see esp.ts.
          state: early ? null : l4 === 'esp' ? 'untracked' : tracked,
          device: carriesDevice ? { field: outbound ? 'saddr' : 'daddr', prefix } : null,
        };
        return { name: sample, lan: name, outbound, packet };
      }),
    ),
  );
}

/** `IKE (UDP 500) from the LAN and ESP both ways`. */
function renderProbes(probes: readonly Probe[], { lan }: Sides): string {
  const bySample = Map.groupBy(probes, (probe) => probe.name);
  const byWay = Map.groupBy(bySample, ([, same]) => {
    const [out, back] = [true, false].map((outbound) => same.filter((one) => one.outbound === outbound));
    const ways = [...renderSide('from', out!, lan), ...renderSide('from the WAN to', back!, lan)];
    return ways.length === 2 && same.length === 2 * lan.length ? 'both ways' : ways.join(' and ');
  });
  return [...byWay]
    .map(([way, samples]) => `${samples.map(([name]) => name).join(', ')} ${way}`)
    .join(' and ');
}

function renderSide(word: string, probes: readonly Probe[], lan: readonly string[]): string[] {
  if (probes.length === 0) return [];
  return [
    `${word} ${probes.length === lan.length ? 'the LAN' : probes.map((one) => `"${one.lan}"`).join(', ')}`,
  ];
}

/** How a chain ends for a packet; `at` is the rule, or null for the chain's end. `sure` is false past an accept that may have met it. */
interface Fate {
  readonly verdict: 'accept' | 'drop' | 'caught' | 'continue';
  readonly at: JsonRule | null;
  readonly sure: boolean;
}

/** Statements after which a rule goes on only sometimes. */
const CONDITIONS = new Set(['limit', 'quota', 'ct count', 'meter', 'set', 'map']);

/** Targets of iptables after which a packet goes on. */
const PASSING_TARGETS =
  /^(LOG|NFLOG|ULOG|TRACE|AUDIT|MARK|CONNMARK|SECMARK|CONNSECMARK|CLASSIFY|CT|NOTRACK|TCPMSS|TCPOPTSTRIP|TTL|HL|TOS|DSCP|ECN|CHECKSUM|SET|RATEEST|TEE|LED|IDLETIMER)$/;

/** One packet through one table's chains. */
class Walk {
  readonly #rulesOf: (chain: string) => readonly JsonRule[];
  readonly #packet: Packet;
  /** A chain ends alike from wherever it is jumped to. */
  readonly #fates = new Map<string, Fate>();

  readonly #catches: ReadonlySet<string>;

  constructor(rulesOf: (chain: string) => readonly JsonRule[], packet: Packet, catches: ReadonlySet<string>) {
    this.#rulesOf = rulesOf;
    this.#packet = packet;
    this.#catches = catches;
  }

  chain(name: string): Fate {
    const known = this.#fates.get(name);
    if (known) return known;
    // For a loop of jumps, which the kernel refuses.
    this.#fates.set(name, { verdict: 'continue', at: null, sure: false });
    const fate = this.#rules(name);
    this.#fates.set(name, fate);
    return fate;
  }

  #rules(name: string): Fate {
    let sure = true;
    for (const one of this.#rulesOf(name)) {
      let matched: Tri = true;
      for (const statement of one.expr ?? []) {
        const [kind = '', content] = Object.entries(statement)[0] ?? [];
        if (kind === 'match') matched = both(matched, judgeMatch(content, this.#packet));
        else if (CONDITIONS.has(kind)) matched = both(matched, null);
        else {
          for (const { matched: met, verdict } of this.#verdicts(kind, content)) {
            const fate = this.#settle(verdict, both(matched, met), one);
            sure &&= fate.sure;
            if (fate.verdict !== 'continue' || fate.ends) return { verdict: fate.verdict, at: fate.at, sure };
          }
          if (kind === 'xt' && group(content)['type'] !== 'target') matched = both(matched, null);
        }
        if (matched === false) break;
      }
    }
    return { verdict: 'continue', at: null, sure };
  }

  /** What a statement may decide, in nft's words. */
  #verdicts(kind: string, content: unknown): { matched: Tri; verdict: unknown }[] {
    // A verdict map of a named set decides one knows not what.
    if (kind === 'vmap')
      return judgeVerdictMap(content, this.#packet) ?? [{ matched: null, verdict: { accept: null } }];
    if (kind === 'mangle' && isZone(content)) return [{ matched: true, verdict: { 'ct zone': content } }];
    if (kind !== 'xt') return [{ matched: true, verdict: { [kind]: content } }];
    const { type, name } = group(content);
    if (type === 'match') return [];
    if (typeof name === 'string' && this.#catches.has(name))
      return [{ matched: true, verdict: { [name]: null } }];
    if (name === 'REJECT') return [{ matched: true, verdict: { reject: null } }];
    if (typeof name === 'string' && PASSING_TARGETS.test(name)) return [];
    return [{ matched: null, verdict: { accept: null } }];
  }

  #settle(verdict: unknown, matched: Tri, at: JsonRule): Fate & { ends: boolean } {
    const goesOn = { verdict: 'continue', at: null, sure: true, ends: false } as const;
    const [kind, content] = Object.entries(group(verdict))[0] ?? [];
    if (matched === false) return goesOn;
    if (kind !== undefined && this.#catches.has(kind)) {
      return matched ? { verdict: 'caught', at, sure: true, ends: true } : goesOn;
    }
    switch (kind) {
      case 'drop':
      case 'reject':
        return matched ? { verdict: 'drop', at, sure: true, ends: true } : goesOn;
      case 'accept':
      case 'queue':
        return matched ? { verdict: 'accept', at, sure: true, ends: true } : { ...goesOn, sure: false };
      case 'return':
        return { ...goesOn, sure: matched === true, ends: matched === true };
      case 'jump':
      case 'goto': {
        const fate = this.chain(String(group(content)['target']));
        if (matched) return { ...fate, ends: kind === 'goto' };
        return { ...goesOn, sure: kind === 'jump' && fate.sure && fate.verdict !== 'accept' };
      }
      default:
        return goesOn;
    }
  }
}

/** Of a "mangle" statement: whether it sets the conntrack zone. */
function isZone(content: unknown): boolean {
  return group(group(group(content)['key'])['ct'])['key'] === 'zone';
}
