// Causes that lie in the gateway and around it, each a question to the snapshot. They stop every device,
// or every connection of one kind; what is wrong with one connection is asked in connection-causes.ts.
import { CARRIER_NETWORK, ipv4Bytes, parseIpv4, PRIVATE_NETWORKS, type Ipv4Address } from '../address.ts';
import { PROTOCOLS } from '../config/schema.ts';
import type { Cause, Finding } from './finding.ts';
import { SWITCH_TITLES, type InterfaceState, type Snapshot } from './snapshot.ts';

type Question = (snapshot: Snapshot) => Finding[];

/** Fewer stray packets than this are what every network has. */
const STRAY_PACKETS = 20;
/** From here on new connections will soon be refused. */
const NEARLY_FULL = 0.9;

function finding(
  level: Finding['level'],
  cause: Cause,
  what: string,
  evidence: string,
  remedy: string,
): Finding {
  return { cause, level, what, evidence, remedy, session: null, device: null };
}

const forwarding: Question = ({ forwarding: on, wan, lan }) => {
  const off = on ? [wan, ...lan].filter((one) => one.state !== 'missing' && !one.forwarding) : [];
  if (on && off.length === 0) return [];
  const setting = on ? `net.ipv4.conf.${off[0]!.name}.forwarding` : 'net.ipv4.ip_forward';
  return [
    finding(
      'fault',
      'forwarding-off',
      'The kernel does not forward IPv4 packets, so no device gets through.',
      `The setting "${setting}" is 0.`,
      `Run: sysctl -w ${setting}=1 and find out what switched it off (a file in /etc/sysctl.d, or another network service).`,
    ),
  ];
};

const table: Question = ({ table: state, restored }) => {
  if (state === 'intact' && restored === 0) return [];
  if (state === 'intact') {
    return [
      finding(
        'warning',
        'table-changed',
        'Somebody keeps changing or removing the rules of the gateway.',
        `The daemon had to put them back ${restored} times in the last ten minutes.`,
        'Look for what loads rules of its own with "flush ruleset", such as nftables.service or a script, and let it leave the table "inet throughway" alone.',
      ),
    ];
  }
  return [
    finding(
      'fault',
      state === 'gone' ? 'table-gone' : 'table-changed',
      state === 'gone'
        ? 'The rules of the gateway are gone, so nothing is translated.'
        : 'Somebody has changed the rules of the gateway.',
      state === 'gone'
        ? 'There is no table "inet throughway".'
        : 'The table "inet throughway" is not as the daemon has left it.',
      'The daemon puts it back within a second; if this stays, something keeps removing it: look for "nft flush ruleset" in other services, such as nftables.service.',
    ),
  ];
};

const interfaces: Question = ({ wan, lan }) =>
  [
    { role: 'WAN', kind: 'wan' as const, one: wan },
    ...lan.map((one) => ({ role: 'LAN', kind: 'lan' as const, one })),
  ].flatMap(({ role, kind, one }): Finding[] => {
    if (one.state === 'missing')
      return [
        finding(
          'fault',
          `${kind}-missing`,
          `The ${role} interface "${one.name}" does not exist.`,
          'The kernel has no interface of this name.',
          'Plug it in, or name the right one in the configuration; "ip -brief link" lists what there is.',
        ),
      ];
    if (one.state === 'down')
      return [
        finding(
          'fault',
          `${kind}-down`,
          `The ${role} interface "${one.name}" is down.`,
          'It is switched off, or has no carrier.',
          `Check its cable, or bring it up: ip link set ${one.name} up`,
        ),
      ];
    if (ipv4Prefixes(one).length === 0)
      return [
        finding(
          'fault',
          `${kind}-without-address`,
          `The ${role} interface "${one.name}" has no IPv4 address.`,
          one.addresses.length === 0
            ? 'It has no address at all.'
            : `It has only ${one.addresses.join(', ')}.`,
          kind === 'wan'
            ? 'Check the DHCP client or the PPP connection towards the provider.'
            : 'Give it one in the network configuration.',
        ),
      ];
    return [];
  });

const route: Question = ({ wan, defaultRouteInterface: found }) => {
  if (wan.state !== 'up' || found === wan.name) return [];
  return [
    finding(
      // Elsewhere: rules of policy routing may lead the LAN to the WAN all the same.
      found === null ? 'fault' : 'warning',
      'no-default-route',
      found === null
        ? 'The gateway has no default route, so it knows no way to the internet.'
        : `The default route leads to "${found}" and not to the WAN interface "${wan.name}".`,
      found === null
        ? 'No IPv4 default route is in the main table.'
        : `"ip route show default" names "${found}".`,
      found === null
        ? 'Check the DHCP client of the WAN, or add the route: ip route add default via GATEWAY'
        : `Name "${found}" as the WAN in the configuration, or correct the route.`,
    ),
  ];
};

const reversePath: Question = ({ wan, lan, defaultRouteInterface, routes }) => {
  const strict = [wan, ...lan].filter((one) => one.strictReversePath && one.state === 'up');
  // Answers come from anywhere: with the default route elsewhere, strict filtering drops them.
  return strict.flatMap((one) => {
    const elsewhere =
      one.name === wan.name
        ? defaultRouteInterface !== wan.name
        : routes.some(
            ({ prefix, interfaceName }) =>
              interfaceName !== one.name && ipv4Prefixes(one).some((own) => overlap(own, prefix)),
          );
    if (!elsewhere) return [];
    return [
      finding(
        'fault',
        'reverse-path-filter',
        `The kernel drops what comes in at "${one.name}", because the way back leads elsewhere.`,
        `Strict reverse path filtering is on there ("net.ipv4.conf.${one.name}.rp_filter" or the one of "all" is 1) and the routes do not lead back through it.`,
        `Correct the routes, or run: sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.${one.name}.rp_filter=2`,
      ),
    ];
  });
};

const config: Question = ({ configProblems }) =>
  configProblems.map((problem) =>
    finding(
      'warning',
      'config-broken',
      'The configuration file is broken, and the last good one is in force.',
      problem,
      'Correct the file and run: throughway check-config, then reload the daemon.',
    ),
  );

const foreign: Question = ({ foreign: { drops, nats, tracking } }) => {
  const told = (cause: Cause, what: string, sentences: readonly string[], remedy: string): Finding[] =>
    sentences.map((sentence) =>
      finding(/\bmay drop\b/.test(sentence) ? 'warning' : 'fault', cause, what, sentence, remedy),
    );
  return [
    ...told(
      'foreign-drop',
      'Another firewall on this machine drops VPN packets.',
      drops,
      'Allow these packets in that firewall (ufw, firewalld, Docker, or its own rules file); "nft -a list ruleset" shows the rule.',
    ),
    ...told(
      'foreign-nat',
      'Another firewall on this machine translates VPN packets before the gateway does.',
      nats,
      'Take the rule out, or limit it to what it is meant for; the gateway translates by itself.',
    ),
    ...told(
      'foreign-tracking',
      'Another firewall on this machine keeps VPN packets from being tracked.',
      tracking,
      'Take the rule out, or limit it to what it is meant for; PPTP, L2TP and IKE need connection tracking.',
    ),
  ];
};

const conntrack: Question = ({ conntrack: found }) => {
  if (found === null || found.entries < found.mostEntries * NEARLY_FULL) return [];
  const full = found.entries >= found.mostEntries;
  return [
    finding(
      full ? 'fault' : 'warning',
      'conntrack-full',
      full
        ? 'The table of connections is full: new connections are dropped.'
        : 'The table of connections is nearly full: soon new connections are dropped.',
      `${found.entries} of at most ${found.mostEntries} entries are in use.`,
      `Run: sysctl -w net.netfilter.nf_conntrack_max=${found.mostEntries * 4} and look for a device that opens masses of connections: throughway devices`,
    ),
  ];
};

const switches: Question = ({ passthrough, recent }) =>
  PROTOCOLS.filter((one) => passthrough[one] === 'disabled' && recent.drops[`${one}_disabled`] > 0).map(
    (one) =>
      finding(
        'fault',
        'passthrough-disabled',
        `${SWITCH_TITLES[one]} is disabled, and devices try to use it.`,
        `${recent.drops[`${one}_disabled`]} packets were refused in the last ${recent.minutes} minutes.`,
        `Turn it on, on the page or with: throughway enable ${one}`,
      ),
  );

const helper: Question = ({ pptpWithoutHelper, passthrough }) =>
  pptpWithoutHelper.length === 0 || passthrough.pptp === 'disabled'
    ? []
    : [
        finding(
          'fault',
          'helper-missing',
          'A PPTP connection runs without the kernel helper that translates its Call IDs, so its data cannot come back.',
          `It is ${pptpWithoutHelper.join(', ')}; such a connection began before the gateway did, or another firewall exempts it from tracking.`,
          'Disconnect it on the device and connect again.',
        ),
      ];

const wanAddress: Question = ({ wan }) =>
  ipv4Prefixes(wan).flatMap((prefix): Finding[] => {
    const address = prefix.split('/')[0]!;
    if (within(address, CARRIER_NETWORK))
      return [
        finding(
          'warning',
          'wan-carrier-grade',
          'The provider shares one public address among customers (carrier-grade NAT).',
          `The WAN address ${address} is from 100.64.0.0/10 (RFC 6598).`,
          'PPTP and IPsec without NAT-T pass only if the provider lets them; use IKEv2 or IPsec with NAT-T, OpenVPN or WireGuard, or ask for a public address.',
        ),
      ];
    if (PRIVATE_NETWORKS.some((one) => within(address, one)))
      return [
        finding(
          'warning',
          'wan-private',
          'Another router stands between this gateway and the internet (double NAT).',
          `The WAN address ${address} is private (RFC 1918).`,
          'Set that router to bridge mode, or turn on its own VPN passthrough: PPTP and IPsec without NAT-T must pass it too.',
        ),
      ];
    return [];
  });

const overlaps: Question = ({ wan, lan, routes }) => {
  const lanPrefixes = lan.flatMap((one) => ipv4Prefixes(one).map((prefix) => ({ prefix, name: one.name })));
  const others = [
    ...ipv4Prefixes(wan).map((prefix) => ({ prefix, interfaceName: wan.name })),
    ...routes.filter((one) => !lan.some(({ name }) => name === one.interfaceName)),
  ];
  return lanPrefixes.flatMap(({ prefix, name }) => {
    const clash = others.find((one) => overlap(one.prefix, prefix));
    if (!clash) return [];
    return [
      finding(
        'fault',
        'networks-overlap',
        `The network of the LAN overlaps with one behind "${clash.interfaceName}", so answers may take the wrong way.`,
        `"${name}" has ${prefix}, and ${clash.prefix} is reached through "${clash.interfaceName}".`,
        'Give the LAN another network, best one that few use, such as 192.168.87.0/24; the network behind a VPN must differ from it too.',
      ),
    ];
  });
};

const twice: Question = ({ addressesTwice }) =>
  addressesTwice.map(({ address, macs }) =>
    finding(
      'fault',
      'address-twice',
      `Several devices use the address ${address}, so each gets only part of its packets.`,
      `${macs.join(' and ')} answer for it.`,
      'Let all of them take their address by DHCP, or give one of them another.',
    ),
  );

const clock: Question = ({ clock: { now, notBefore } }) =>
  now >= notBefore
    ? []
    : [
        finding(
          'fault',
          'clock-wrong',
          'The clock of the gateway is far off; certificates look not yet valid, and its records lie.',
          `It says ${now.slice(0, 10)}, but files of this machine were written after ${notBefore.slice(0, 10)}.`,
          'Set it, and let it follow a time server: timedatectl set-ntp true',
        ),
      ];

const ownPorts: Question = ({ ownIkePorts, ikeSourcePort }) =>
  ownIkePorts.length === 0 || ikeSourcePort !== 'preserve'
    ? []
    : [
        finding(
          'warning',
          'own-vpn-port',
          `A VPN program on the gateway itself listens on UDP ${ownIkePorts.join(' and ')}.`,
          'With source_port "preserve", what comes for a cookie that no device has sent goes to that program.',
          'If devices have trouble with servers that the gateway uses too, set ike: { source_port: translate }.',
        ),
      ];

const ah: Question = ({ recent }) =>
  recent.drops.ah_refused === 0
    ? []
    : [
        finding(
          'fault',
          'ah-through-nat',
          'A device uses AH, which cannot pass any NAT: it signs the addresses that a NAT must change.',
          `${recent.drops.ah_refused} packets of AH were refused in the last ${recent.minutes} minutes.`,
          'Set the VPN to ESP, on the device and on the server.',
        ),
      ];

const sameSpi: Question = ({ recent }) =>
  recent.drops.esp_same_spi === 0
    ? []
    : [
        finding(
          'warning',
          'same-spi',
          'Two devices may have chosen the same SPI for the same server, which no NAT can tell apart.',
          `A server began anew on an SPI that is in use, ${recent.drops.esp_same_spi} times in the last ${recent.minutes} minutes.`,
          'Disconnect one of the devices of that server and connect it again: it then chooses another.',
        ),
      ];

const asymmetric: Question = ({ recent }) =>
  recent.drops.invalid < STRAY_PACKETS
    ? []
    : [
        finding(
          'warning',
          'asymmetric',
          'Packets pass the gateway that belong to no connection it has seen begin: a device or a server may use another way in one direction.',
          `${recent.drops.invalid} such packets were dropped in the last ${recent.minutes} minutes.`,
          'See that each device has this gateway as its only router, and that no second router is on the LAN.',
        ),
      ];

const fragments: Question = ({ reassemblyFailures, recent }) =>
  reassemblyFailures < STRAY_PACKETS
    ? []
    : [
        finding(
          'warning',
          'fragments-lost',
          'Packets arrive in pieces of which some are lost, so large packets do not get through.',
          `${reassemblyFailures} packets could not be put together in the last ${recent.minutes} minutes.`,
          'Lower the MTU of the VPN on the devices (1300 is safe), or use IKE fragmentation (RFC 7383); a provider may drop fragments.',
        ),
      ];

const rest: Question = ({ daemonTroubles }) =>
  daemonTroubles.map((sentence) =>
    finding('warning', 'daemon-trouble', sentence, 'The daemon has met it.', 'See: throughway status'),
  );

const QUESTIONS: readonly Question[] = [
  forwarding,
  table,
  interfaces,
  route,
  reversePath,
  config,
  foreign,
  conntrack,
  switches,
  helper,
  wanAddress,
  overlaps,
  twice,
  clock,
  ownPorts,
  ah,
  sameSpi,
  asymmetric,
  fragments,
  rest,
];

/** What is wrong with the gateway itself, in no order. */
export function gatewayFindings(snapshot: Snapshot): Finding[] {
  return QUESTIONS.flatMap((question) => question(snapshot));
}

function ipv4Prefixes({ addresses }: InterfaceState): string[] {
  return addresses.filter((one) => parseIpv4(one.split('/')[0]!) !== null);
}

function numberOf(address: Ipv4Address): number {
  return ipv4Bytes(address).reduce((sum, byte) => sum * 256 + byte, 0);
}

/** The first and last address of a prefix such as `192.168.1.1/24`, as numbers; null when it is none. */
function rangeOf(prefix: string): [number, number] | null {
  const [text = '', bits = '32'] = prefix.split('/');
  const address = parseIpv4(text);
  if (address === null) return null;
  const size = 2 ** (32 - Number(bits));
  const first = Math.floor(numberOf(address) / size) * size;
  return [first, first + size - 1];
}

function overlap(one: string, other: string): boolean {
  const [a, b] = [rangeOf(one), rangeOf(other)];
  return a !== null && b !== null && a[0] <= b[1] && b[0] <= a[1];
}

function within(address: string, prefix: string): boolean {
  return overlap(address, prefix);
}
