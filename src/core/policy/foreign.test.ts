import * as fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findForeignDrops, findForeignExemptions, findForeignTranslations } from './foreign.ts';

/** What `nft -j list table` gave for each table of a ruleset; each file states its origin. */
function listing(name: string): unknown[] {
  const file = new URL(`../../../test/corpus/nft/${name}.json`, import.meta.url);
  const { origin, nftables } = JSON.parse(readFileSync(file, 'utf8')) as {
    origin: string;
    nftables: unknown[];
  };
  expect(origin).not.toBe('');
  return nftables;
}

const sides = { wan: 'eth0', lan: ['eth1'] };
const known = { ...sides, prefixes: { eth1: '192.168.1.1/24' } };

const ALL = 'IKE (UDP 500), NAT-T (UDP 4500), ESP, PPTP (TCP 1723), PPTP (GRE), L2TP (UDP 1701)';
const ALL_BUT_ESP = 'IKE (UDP 500), NAT-T (UDP 4500), PPTP (TCP 1723), PPTP (GRE), L2TP (UDP 1701)';
const ADVICE = 'Let these pass there, or remove it; "nft -a list ruleset" shows it.';

/** Sentences without the parts that are the same in all of them. */
function found(name: string, where: typeof sides = known): string[] {
  return findForeignDrops(listing(name), where).map((sentence) => {
    expect(sentence.endsWith(`. ${ADVICE}`)).toBe(true);
    return sentence.slice(0, -ADVICE.length - 2).replace(', which is not ours,', '');
  });
}

describe('hosts whose own tables let VPNs pass', () => {
  for (const name of [
    'firewalld',
    'ufw-routed',
    'docker-user-accept',
    'iptables-router',
    'stateful-router',
  ]) {
    it(`${name}: nothing to say`, () => expect(found(name)).toEqual([]));
  }

  it('without the prefix of the LAN, an accept for it is doubtful', () => {
    expect(found('iptables-router', sides)).toEqual([
      `The policy "drop" of chain "FORWARD" of table "ip filter" may drop ${ALL} from the LAN`,
    ]);
  });
});

describe('hosts whose own tables drop VPNs', () => {
  it('Docker closes forwarding', () => {
    expect(found('docker')).toEqual([
      `The policy "drop" of chain "FORWARD" of table "ip filter" drops ${ALL} both ways`,
    ]);
  });

  it('ufw: behind an accept of an extension, a drop is doubtful, and answers are taken to pass', () => {
    expect(found('ufw')).toEqual([
      `The policy "drop" of chain "FORWARD" of table "ip filter" may drop ${ALL_BUT_ESP} from the LAN and ESP both ways`,
    ]);
  });

  it('firewalld without a policy between its zones', () => {
    expect(found('firewalld-closed')).toEqual([
      `The rule with handle 40 in chain "filter_FORWARD" of table "inet firewalld" may drop ${ALL_BUT_ESP} from the LAN and ESP both ways`,
    ]);
  });

  it('answers only: ESP is dropped both ways, since it has no state', () => {
    expect(found('established-only')).toEqual([
      `The policy "drop" of chain "forward" of table "ip filter" drops ${ALL_BUT_ESP} from the LAN and ESP both ways`,
    ]);
  });

  it('single rules, by their handle and comment; a named set is not judged', () => {
    expect(found('hand-made')).toEqual([
      'The rule with handle 5 ("no IPsec here") in chain "forward" of table "inet filter" drops IKE (UDP 500), NAT-T (UDP 4500) from the LAN',
      'The rule with handle 7 in chain "forward" of table "inet filter" drops PPTP (GRE) both ways',
    ]);
  });

  it('iptables: targets that refuse, and port lists that are not judged', () => {
    expect(found('iptables-xt')).toEqual([
      'The rule with handle 6 in chain "FORWARD" of table "ip filter" drops ESP both ways',
      'The rule with handle 5 in chain "FORWARD" of table "ip filter" drops PPTP (GRE) both ways',
      'The rule with handle 4 in chain "FORWARD" of table "ip filter" drops L2TP (UDP 1701) from the LAN',
    ]);
  });

  it('ranges, wildcards, verdict maps, concatenations and gotos', () => {
    expect(
      found('words').map((sentence) => sentence.replace(/ in chain .* of table "inet words"/, '')),
    ).toEqual([
      'The rule with handle 8 ("range") drops IKE (UDP 500) from the LAN',
      'The rule with handle 23 ("goto") drops NAT-T (UDP 4500) from the LAN',
      'The rule with handle 22 ("verdict map") may drop PPTP (TCP 1723) from the LAN',
      'The rule with handle 11 ("wildcard and number") drops PPTP (GRE) both ways',
      'The rule with handle 15 ("concatenation") drops L2TP (UDP 1701) from the LAN',
      'The rule with handle 27 ("prerouting") drops ESP both ways',
    ]);
  });

  it('names the interface where only one of several is concerned', () => {
    expect(found('stateful-router', { wan: 'eth0', lan: ['eth1', 'wlan0', 'eth2'] })).toEqual([
      `The policy "drop" of chain "forward" of table "inet filter" drops ${ALL} from "eth2"`,
      'The policy "drop" of chain "forward" of table "inet filter" may drop ESP from the WAN to "eth2"',
    ]);
    const drop = [{ match: match({ meta: { key: 'iifname' } }, 'eth1') }, { drop: null }];
    const [sentence] = findForeignDrops(chain([rule(drop)]), { wan: 'eth0', lan: ['eth1', 'eth2'] });
    expect(sentence).toContain(`drops ${ALL} from "eth1".`);
  });
});

const match = (left: unknown, right: unknown, op = '==') => ({ op, left, right });
const rule = (expr: unknown[], name = 'forward', handle = 7) => ({
  rule: { family: 'inet', table: 't', chain: name, handle, expr },
});
const chain = (rules: unknown[], more: Record<string, unknown> = {}) => [
  {
    chain: { family: 'inet', table: 't', name: 'forward', type: 'filter', hook: 'forward', prio: 0, ...more },
  },
  ...rules,
];
const l4proto = { meta: { key: 'l4proto' } };
const dport = { payload: { protocol: 'udp', field: 'dport' } };
const daddr = { payload: { protocol: 'ip', field: 'daddr' } };
const saddr = { payload: { protocol: 'ip', field: 'saddr' } };
const state = { ct: { key: 'state' } };

/** Which samples a rule of these matches drops; the order is that of the samples, first outbound ones. */
function dropped(...matches: unknown[]): string {
  const [sentence = ''] = findForeignDrops(
    chain([rule([...matches.map((one) => ({ match: one })), { drop: null }])]),
    known,
  );
  return /(?:drops|may drop) (.*)\. Let/.exec(sentence)?.[1] ?? '';
}

describe('single matches', () => {
  for (const [what, left, right, expected, op] of [
    ['a protocol by number', l4proto, 47, 'PPTP (GRE) both ways'],
    ['protocols in a set', l4proto, { set: ['esp', 'ah'] }, 'ESP both ways'],
    ['an element with a comment', dport, { set: [{ elem: { val: 500 } }] }, 'IKE (UDP 500) from the LAN'],
    ['ports above', dport, 4000, 'NAT-T (UDP 4500) from the LAN', '>'],
    ['ports up to', dport, 500, 'IKE (UDP 500) from the LAN', '<='],
    ['ports below', dport, 501, 'IKE (UDP 500) from the LAN', '<'],
    ['ports from', dport, 4500, 'NAT-T (UDP 4500) from the LAN', '>='],
    ['all ports but', dport, { set: [500, 1701] }, 'NAT-T (UDP 4500) from the LAN', '!='],
    ['a set by name', dport, '@ports', ''],
    ['all but a set by name', dport, '@ports', '', '!='],
    ['states as a list', state, ['established', 'related'], `${ALL_BUT_ESP} from the WAN to the LAN`, 'in'],
    ['a state that is no list', state, 'untracked', 'ESP both ways', 'in'],
    ['states as a set', state, { set: ['new'] }, `${ALL_BUT_ESP} from the LAN`],
    ['invalid packets', state, 'invalid', '', 'in'],
    ['the LAN by its prefix', saddr, { prefix: { addr: '192.168.0.0', len: 16 } }, `${ALL} from the LAN`],
    ['a part of the LAN', saddr, { prefix: { addr: '192.168.1.128', len: 25 } }, ''],
    ['one device', saddr, '192.168.1.7', ''],
    ['another network', saddr, { prefix: { addr: '172.17.0.0', len: 16 } }, ''],
    [
      'all but another network',
      saddr,
      { prefix: { addr: '172.17.0.0', len: 16 } },
      `${ALL} from the LAN`,
      '!=',
    ],
    [
      'a range of addresses',
      daddr,
      { range: ['192.168.1.0', '192.168.2.255'] },
      `${ALL} from the WAN to the LAN`,
    ],
    ['an IPv6 address', { payload: { protocol: 'ip6', field: 'saddr' } }, '::1', '', '!='],
    ['IPv6', { meta: { key: 'nfproto' } }, 'ipv6', ''],
    ['a mark', { meta: { key: 'mark' } }, 7, ''],
    ['bits of a mark', { '&': [{ meta: { key: 'mark' } }, 255] }, 7, ''],
    ['all interfaces', { meta: { key: 'iifname' } }, '*', `${ALL} both ways`],
    ['an interface named with a star', { meta: { key: 'iifname' } }, 'eth\\*', ''],
    ['an SPI', { payload: { protocol: 'esp', field: 'spi' } }, 7, ''],
    ['a type of ICMP', { payload: { protocol: 'icmp', field: 'type' } }, 'echo-request', ''],
    ['an operator nobody knows', dport, 500, '', '=~'],
  ] as const) {
    it(what, () => expect(dropped(match(left, right, op ?? '=='))).toBe(expected));
  }
});

describe('the way through the chains', () => {
  const drop = rule([{ drop: null }]);
  const sub = (...expr: unknown[]) => rule(expr, 'sub', 9);
  const findings = (rules: unknown[], more: Record<string, unknown> = {}) =>
    findForeignDrops(chain(rules, more), known).map(
      (sentence) => /(?:which is not ours, )(drops|may drop)/.exec(sentence)![1],
    );

  it('an accept before a drop, or before the policy', () => {
    expect(findings([rule([{ accept: null }]), drop])).toEqual([]);
    expect(findings([rule([{ accept: null }])], { policy: 'drop' })).toEqual([]);
  });
  it('a return of the base chain leads to its policy', () => {
    expect(findings([rule([{ return: null }]), drop])).toEqual([]);
    expect(findings([rule([{ return: null }])], { policy: 'drop' })).toEqual(['drops']);
  });
  it('a jump comes back, a goto does not', () => {
    expect(findings([rule([{ jump: { target: 'sub' } }]), sub({ counter: null }), drop])).toEqual(['drops']);
    expect(findings([rule([{ goto: { target: 'sub' } }]), sub({ counter: null }), drop])).toEqual([]);
  });
  it('what only some packets meet is doubtful: a limit, a mark, a verdict map by name', () => {
    const limited = { limit: { rate: 3, per: 'minute' } };
    expect(findings([rule([limited, { drop: null }])])).toEqual([]);
    for (const statements of [
      [limited, { accept: null }],
      [limited, { return: null }],
      [limited, { goto: { target: 'sub' } }],
      [{ vmap: { key: dport, data: '@verdicts' } }],
      [{ xt: null }],
      [{ xt: { type: 'target', name: 'NFQUEUE' } }],
      [{ xt: { type: 'match', name: 'set' } }, { jump: { target: 'accepted' } }],
    ]) {
      expect(findings([rule(statements), rule([{ accept: null }], 'accepted'), drop])).toEqual(['may drop']);
    }
  });
  it('a target that only notes something does not count', () => {
    expect(findings([rule([{ xt: { type: 'target', name: 'LOG' } }]), drop])).toEqual(['drops']);
  });
  it('chains that no packet of a VPN meets, and other families', () => {
    for (const more of [
      { hook: 'input' },
      { type: 'nat' },
      { family: 'ip6' },
      { family: 'netdev' },
      { hook: undefined },
    ])
      expect(findings([], { policy: 'drop', ...more })).toEqual([]);
  });
  it('before conntrack no state is judged', () => {
    const raw = { hook: 'prerouting', prio: -300 };
    const invalid = rule([{ match: match(state, 'invalid', 'in') }, { drop: null }]);
    expect(findings([invalid], raw)).toEqual([]);
    expect(findings([rule([{ match: match(state, 'new', 'in') }, { drop: null }])], raw)).toEqual([]);
  });
  it('a loop of jumps, which no kernel has, ends', () => {
    expect(findings([rule([{ jump: { target: 'forward' } }]), drop])).toEqual(['may drop']);
  });
  it('many jumps cost no more than many chains', () => {
    const deep = Array.from({ length: 200 }, (_, index) =>
      [1, 2].map(() =>
        rule([{ jump: { target: `c${index + 1}` } }], index === 0 ? 'forward' : `c${index}`, index),
      ),
    );
    expect(findings([...deep.flat(), drop])).toEqual(['drops']);
  });
});

it('never throws, whatever stands in a rule', () => {
  const key = fc.constantFrom(
    'match',
    'vmap',
    'xt',
    'jump',
    'left',
    'right',
    'key',
    'data',
    'set',
    'concat',
    'range',
  );
  const word = fc.constantFrom('sub', '==', 'meta', 'iifname', '*', '192.168.1.1');
  const anything = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      word,
      fc.jsonValue(),
      fc.dictionary(key, tie('value')),
      fc.array(tie('value')),
    ),
  })).value;
  fc.assert(
    fc.property(fc.array(fc.dictionary(key, anything)), (expr) => {
      expect(findForeignDrops(chain([rule(expr)]), known)).toBeInstanceOf(Array);
    }),
    { numRuns: 60 },
  );
});

describe('what else other tables do to VPN packets', () => {
  const own = { family: 'ip', table: 'x' };
  const base = (type: string, hook: string, prio: number) => ({
    chain: { ...own, name: 'c', type, hook, prio, policy: 'accept' },
  });
  const rule = (...expr: object[]) => ({ rule: { ...own, chain: 'c', handle: 7, expr } });
  const toPort = (port: number) => ({
    match: { op: '==', left: { payload: { protocol: 'udp', field: 'dport' } }, right: port },
  });
  const outOf = (name: string) => ({
    match: { op: '==', left: { meta: { key: 'oifname' } }, right: name },
  });
  const from = (addr: string, len: number) => ({
    match: {
      op: '==',
      left: { payload: { protocol: 'ip', field: 'saddr' } },
      right: { prefix: { addr, len } },
    },
  });

  it('a translation of devices is found, one of others is not', () => {
    const chain = base('nat', 'postrouting', 100);
    expect(findForeignTranslations([chain, rule(outOf('eth0'), { masquerade: null })], known)).toEqual([
      `The rule with handle 7 in chain "c" of table "ip x", which is not ours, translates ${ALL_BUT_ESP} from the LAN. Remove it, or limit it to what it is meant for; "nft -a list ruleset" shows it.`,
    ]);
    const docker = rule(from('172.17.0.0', 16), { xt: { type: 'target', name: 'MASQUERADE' } });
    expect(findForeignTranslations([chain, docker], known)).toEqual([]);
    const late = base('nat', 'postrouting', 200);
    expect(findForeignTranslations([late, rule({ masquerade: null })], known)).toEqual([]);
  });

  it('notrack and zones are found, for what they are about', () => {
    const chain = base('filter', 'prerouting', -300);
    const zone = { mangle: { key: { ct: { key: 'zone' } }, value: 5 } };
    for (const statement of [{ notrack: null }, zone, { xt: { type: 'target', name: 'NOTRACK' } }]) {
      const [sentence, ...more] = findForeignExemptions([chain, rule(toPort(1701), statement)], known);
      expect(more).toEqual([]);
      expect(sentence).toContain('keeps from ordinary connection tracking L2TP (UDP 1701) from the LAN');
    }
    const mark = { mangle: { key: { meta: { key: 'mark' } }, value: 5 } };
    expect(findForeignExemptions([chain, rule(toPort(1701), mark)], known)).toEqual([]);
    expect(findForeignExemptions([chain, rule(toPort(53), { notrack: null })], known)).toEqual([]);
    expect(findForeignDrops([chain, rule(toPort(1701), { notrack: null })], known)).toEqual([]);
  });
});
