// What `throughway setup` proposes and would do, as plain values: the two sides of a machine, the
// configuration, the drop-in file for dnsmasq, and everything that an administrator should know before.
// Meets no kernel and no file.
import { parseIpv4 } from '../../core/address.ts';
import { parseConfig } from '../../core/config/document.ts';
import { renderProblem } from '../../core/config/problem.ts';
import { findForeignDrops } from '../../core/policy/foreign.ts';
import type { SurveyedLink } from './links.ts';
import type { Survey } from './survey.ts';

export interface Choices {
  readonly wan: string;
  readonly lan: readonly string[];
  /** As `firewall.wan_services` has them, such as `tcp/22`. */
  readonly wanServices: readonly string[];
  readonly dnsmasq: boolean;
}

export interface SetupPlan {
  readonly config: string;
  /** The drop-in file, or null when dnsmasq is not wanted. */
  readonly dnsmasq: string | null;
  /** What keeps the setup from being applied. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** Where tunnels and container engines put theirs: no LAN of devices. */
const NO_LAN_KINDS = new Set([
  'wireguard',
  'tun',
  'gre',
  'gretap',
  'ipip',
  'sit',
  'vti',
  'xfrm',
  'dummy',
  'ifb',
  'vxlan',
]);
const NO_LAN_NAMES = /^(docker\d+|br-[0-9a-f]{12}|virbr\d+|lxcbr\d+|lxdbr\d+|podman\d+|cni\d+)$/;

/** WAN: where the default route leads. LAN: the rest that has private addresses, or else the only one left. */
export function proposeSides(survey: Pick<Survey, 'links' | 'routed'>): {
  wan: string | null;
  lan: string[];
} {
  const wan = survey.routed[0] ?? null;
  const rest = survey.links.filter(
    ({ name, kind, isLoopback, isPort }) =>
      name !== wan && !isLoopback && !isPort && !NO_LAN_KINDS.has(kind ?? '') && !NO_LAN_NAMES.test(name),
  );
  const withAddress = rest.filter((one) => one.addresses.some(isPrivate));
  if (withAddress.length > 0) return { wan, lan: withAddress.map((one) => one.name) };
  return { wan, lan: rest.length === 1 ? [rest[0]!.name] : [] };
}

/** RFC 1918, and RFC 6598 of a provider. */
function isPrivate(prefix: string): boolean {
  return /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/.test(prefix);
}

/** The service that a remote shell came in by from the WAN, or null when none did. */
export function remoteShellService(survey: Survey, wan: string): string | null {
  const { remoteShell, links } = survey;
  if (remoteShell === null) return null;
  const addresses = links.find((one) => one.name === wan)?.addresses ?? [];
  return addresses.some((one) => one.split('/')[0] === remoteShell.address)
    ? `tcp/${remoteShell.port}`
    : null;
}

export function planSetup(survey: Survey, choices: Choices): SetupPlan {
  const config = renderConfig(choices);
  const read = parseConfig(config);
  const problems = 'problems' in read ? read.problems.map(renderProblem) : [];
  for (const name of [choices.wan, ...choices.lan])
    if (!survey.links.some((one) => one.name === name))
      problems.push(
        `"${name}" is no interface of this machine; there are ${survey.links.map((one) => one.name).join(', ')}.`,
      );
  problems.push(...survey.missing.map((one) => `This kernel cannot carry the gateway. ${one}`));
  let dnsmasq: string | null = null;
  if (choices.dnsmasq) {
    const ranges = choices.lan.map((name) => ({ name, range: dhcpRange(linkOf(survey, name)) }));
    if (!survey.hasDnsmasq)
      problems.push('dnsmasq is not installed. Install it first: apt-get install dnsmasq');
    for (const { name, range } of ranges)
      if (range === null)
        problems.push(
          `The LAN interface "${name}" has no IPv4 network for dnsmasq to give addresses from. Give it an address such as 192.168.1.1/24 first.`,
        );
    dnsmasq = renderDnsmasq(ranges.flatMap(({ name, range }) => (range === null ? [] : [{ name, range }])));
  }
  return { config, dnsmasq, problems, warnings: warningsOf(survey, choices) };
}

function linkOf(survey: Survey, name: string): SurveyedLink | undefined {
  return survey.links.find((one) => one.name === name);
}

function warningsOf(survey: Survey, choices: Choices): string[] {
  const warnings: string[] = [];
  const shell = remoteShellService(survey, choices.wan);
  if (shell !== null) {
    warnings.push(
      choices.wanServices.includes(shell)
        ? `You came in from the WAN by ${shell}, so it stays open there ("firewall.wan_services").`
        : `You came in from the WAN by ${shell}, which the gateway will refuse: this shell goes on, but no new one gets in from there.`,
    );
  }
  for (const [role, name] of [
    ['WAN', choices.wan] as const,
    ...choices.lan.map((one) => ['LAN', one] as const),
  ]) {
    const link = linkOf(survey, name);
    if (link === undefined) continue;
    if (!link.up)
      warnings.push(
        `The ${role} interface "${name}" is down. Check its cable, or bring it up: ip link set ${name} up`,
      );
    if (ipv4Of(link) === null)
      warnings.push(
        `The ${role} interface "${name}" has no IPv4 address; no device gets through before it has one. ${role === 'WAN' ? 'Check the DHCP client or the PPP connection.' : 'Give it one in the network configuration, such as 192.168.1.1/24.'}`,
      );
    if (link.isPort)
      warnings.push(`"${name}" is a port of a bridge or a bond. Name the bridge or the bond itself.`);
  }
  const prefixes = Object.fromEntries(
    choices.lan.flatMap((name) => {
      const prefix = ipv4Of(linkOf(survey, name));
      return prefix === null ? [] : [[name, prefix]];
    }),
  );
  warnings.push(...findForeignDrops(survey.otherTables, { wan: choices.wan, lan: choices.lan, prefixes }));
  return warnings;
}

function ipv4Of(link: SurveyedLink | undefined): string | null {
  return link?.addresses.find((one) => parseIpv4(one.split('/')[0]!) !== null) ?? null;
}

/** What `throughway setup` writes; everything else has its default. */
function renderConfig({ wan, lan, wanServices }: Choices): string {
  const lines = [
    '# Throughway, written by "throughway setup". Every setting: man throughway.yaml',
    'version: 1',
    'interfaces:',
    `  wan: ${wan}   # towards the internet`,
    `  lan: [${lan.join(', ')}]   # towards the devices`,
    'passthrough:',
    '  ipsec: enabled',
    '  pptp: enabled   # insecure: what PPTP carries can be read',
    '  l2tp: enabled',
  ];
  if (wanServices.length > 0)
    lines.push('firewall:', `  wan_services: [${wanServices.map((one) => `"${one}"`).join(', ')}]`);
  return `${lines.join('\n')}\n`;
}

/** A part of the interface's network for DHCP, or null when it has none of a useful size. */
function dhcpRange(link: SurveyedLink | undefined): string | null {
  const [text = '', length = '0'] = ipv4Of(link)?.split('/') ?? [];
  const bits = Number(length);
  if (parseIpv4(text) === null || bits < 8 || bits > 29) return null;
  const size = 2 ** (32 - bits);
  const own = text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  // Of a large network, the part in which the gateway is.
  const block = Math.min(size, 256);
  const first = own - (own % block);
  const [from, to] = block === 256 ? [100, 199] : [Math.floor(block / 2), block - 2];
  return [dotted(first + from), dotted(first + to), dotted(2 ** 32 - size), '12h'].join(',');
}

function dotted(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

function renderDnsmasq(ranges: readonly { readonly name: string; readonly range: string }[]): string {
  return [
    '# Addresses and names for the devices behind Throughway, written by "throughway setup".',
    'bind-dynamic',
    'except-interface=lo',
    'domain-needed',
    'bogus-priv',
    ...ranges.flatMap(({ name, range }) => [`interface=${name}`, `dhcp-range=${range}`]),
    '',
  ].join('\n');
}
