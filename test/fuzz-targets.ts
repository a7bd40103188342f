// What `npm run fuzz` feeds with damaged input: every wire format, on the messages of its corpus, and
// every machine, on facts. A target gets bytes or a seed and throws only when it has found something:
// a WireError is what a parser is for. Findings are kept in the corpus and played again with the tests.
import * as fc from 'fast-check';
import { parseIpv4 } from '../src/core/address.ts';
import { COPY_KINDS } from '../src/core/alg/copy.ts';
import { EspPairing } from '../src/core/alg/esp-pairing.ts';
import { Observer } from '../src/core/alg/observer.ts';
import { recognise } from '../src/core/alg/recognise.ts';
import { SessionMachine } from '../src/core/alg/sessions.ts';
import { parseAh } from '../src/core/wire/ah.ts';
import { parseArp } from '../src/core/wire/arp.ts';
import { WireError } from '../src/core/wire/bytes.ts';
import {
  glanceAtConntrack,
  parseConntrack,
  parseConntrackStats,
  parseExpectation,
} from '../src/core/wire/ctnetlink.ts';
import { parseDns } from '../src/core/wire/dns.ts';
import { parseEsp } from '../src/core/wire/esp.ts';
import { parseGre } from '../src/core/wire/gre.ts';
import { parseIcmp } from '../src/core/wire/icmp.ts';
import { parseIpv4Packet } from '../src/core/wire/ipv4.ts';
import { parseIpv6Packet } from '../src/core/wire/ipv6.ts';
import { parseNotify, parseSecurityAssociation } from '../src/core/wire/isakmp-payloads.ts';
import { parseIsakmp, parseIsakmpHeader } from '../src/core/wire/isakmp.ts';
import { parseL2tp, parseL2tpIp } from '../src/core/wire/l2tp.ts';
import { parseMessages } from '../src/core/wire/netlink.ts';
import { parseNflogPacket } from '../src/core/wire/nflog.ts';
import { parseElements } from '../src/core/wire/nft-elements.ts';
import { parseCounter } from '../src/core/wire/nftables.ts';
import { parseOpenvpn, parseOpenvpnTcp } from '../src/core/wire/openvpn.ts';
import { parsePort4500 } from '../src/core/wire/port4500.ts';
import { createPptpStream } from '../src/core/wire/pptp-stream.ts';
import { parsePptp } from '../src/core/wire/pptp.ts';
import { parseAddress, parseLink, parseRoute } from '../src/core/wire/rtnetlink.ts';
import { parseStun } from '../src/core/wire/stun.ts';
import { parseTcp } from '../src/core/wire/tcp.ts';
import { parseClientHello } from '../src/core/wire/tls.ts';
import { parseUdp } from '../src/core/wire/udp.ts';
import { parseWireguard } from '../src/core/wire/wireguard.ts';
import { parseSecurityAssociation as parseXfrm } from '../src/core/wire/xfrm.ts';
import { fact } from './arbitrary-facts.ts';

/** A folder of the corpus, and what reads its messages. */
export interface WireTarget {
  readonly name: string;
  readonly folder: string;
  readonly run: (bytes: Uint8Array) => void;
}

type Parser = (bytes: Uint8Array) => unknown;

/** Each parser reads the bytes or refuses them with a WireError; anything else is thrown on. */
function all(...parsers: Parser[]): (bytes: Uint8Array) => void {
  return (bytes) => {
    for (const parse of parsers) {
      try {
        parse(bytes);
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
      }
    }
  };
}

const payloads =
  (...parsers: Parser[]): Parser =>
  (bytes) => {
    for (const { payload } of parseMessages(bytes)) all(...parsers)(payload);
  };

function readIke(bytes: Uint8Array): void {
  const { header, payloads: chain } = parseIsakmp(bytes);
  for (const { body } of chain) {
    all(
      (one) => parseSecurityAssociation(header.majorVersion, one),
      (one) => parseNotify(header.majorVersion, one),
    )(body);
  }
}

const territory = { wanAddress: parseIpv4('198.51.100.2'), isLan: () => true };

/** A copy of every kind, in one observer that lives for the one input. */
function observe(bytes: Uint8Array): void {
  const observer = new Observer();
  observer.handle({ kind: 'territory', territory }, 0);
  for (const what of COPY_KINDS) observer.handle({ kind: 'copy', what, packet: bytes, held: null }, 0);
}

export const wireTargets: readonly WireTarget[] = [
  { name: 'ah', folder: 'ah', run: all(parseAh) },
  { name: 'arp', folder: 'arp', run: all(parseArp) },
  { name: 'dns', folder: 'dns', run: all(parseDns) },
  { name: 'esp', folder: 'esp', run: all(parseEsp) },
  { name: 'gre', folder: 'gre', run: all(parseGre) },
  { name: 'icmp', folder: 'icmp', run: all(parseIcmp) },
  { name: 'ipv4', folder: 'ipv4', run: all(parseIpv4Packet) },
  { name: 'ipv6', folder: 'ipv6', run: all(parseIpv6Packet) },
  { name: 'isakmp', folder: 'isakmp', run: all(parseIsakmpHeader, readIke) },
  { name: 'l2tp', folder: 'l2tp', run: all(parseL2tp, parseL2tpIp) },
  {
    name: 'netlink',
    folder: 'netlink',
    run: all(
      payloads(parseConntrack, parseExpectation, parseConntrackStats, glanceAtConntrack),
      payloads(parseLink, parseAddress, parseRoute, parseXfrm),
      payloads(parseNflogPacket, parseElements, parseCounter),
    ),
  },
  { name: 'openvpn', folder: 'openvpn', run: all(parseOpenvpn, parseOpenvpnTcp) },
  { name: 'port4500', folder: 'port4500', run: all(parsePort4500) },
  { name: 'pptp', folder: 'pptp', run: all(parsePptp, (bytes) => createPptpStream().push(bytes)) },
  { name: 'stun', folder: 'stun', run: all(parseStun) },
  { name: 'tcp', folder: 'tcp', run: all(parseTcp) },
  { name: 'tls', folder: 'tls', run: all(parseClientHello) },
  { name: 'udp', folder: 'udp', run: all(parseUdp) },
  { name: 'wireguard', folder: 'wireguard', run: all(parseWireguard) },
  { name: 'recognise', folder: 'tls', run: (bytes) => void recognise('tcp', 443, bytes) },
  { name: 'observer', folder: 'ipv4', run: observe },
];

/** A machine that hears any facts in any order, some of them at the same moment. */
export interface MachineTarget {
  readonly name: string;
  /** Plays one conversation. */
  readonly run: (seed: number) => void;
}

const FACTS = 200;

const conversation = (seed: number) => fc.sample(fact, { seed, numRuns: FACTS });

export const machineTargets: readonly MachineTarget[] = [
  {
    name: 'esp-pairing',
    run: (seed) => {
      const machine = new EspPairing();
      for (const [index, one] of conversation(seed).entries()) {
        const now = index * (seed % 700);
        machine.handle(one, now);
        const next = machine.nextWake();
        if (next !== null && next <= now) machine.wake(now);
      }
    },
  },
  {
    name: 'sessions',
    run: (seed) => {
      const machine = new SessionMachine({ nextId: 1, espIdleMs: 60_000 });
      for (const [index, one] of conversation(seed).entries()) {
        const now = index * (seed % 700);
        machine.handle(one, now);
        const next = machine.nextWake();
        if (next !== null && next <= now) machine.wake(now);
      }
    },
  },
];
