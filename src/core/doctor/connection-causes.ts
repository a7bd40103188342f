// Causes that lie in one connection: its server, its way there, what the two ends agreed. Judged from
// what the session machine has kept of it and from what the server answered to a few probes just now.
import { isInPrefix, parseIpv4, PRIVATE_NETWORKS } from '../address.ts';
import type { Instant } from '../alg/machine.ts';
import type { SessionProtocol, SessionRecord } from '../alg/session-record.ts';
import { PROTOCOL_NAMES } from '../alg/protocol-names.ts';
import type { Verdict } from '../probe/attempt.ts';
import { speaks } from '../probe/probes.ts';
import type { Cause, Finding } from './finding.ts';

/** What a server, and the way to it, answered to the gateway itself just now. */
export interface Reach {
  readonly server: string;
  /** By the ids of the probes. */
  readonly verdicts: Readonly<Record<string, Verdict>>;
  /** What each probe has seen, as a sentence. */
  readonly details: Readonly<Record<string, string>>;
  /** Whether it answers a ping as large as the WAN carries; null where it answers no small one either. */
  readonly ping: { readonly large: 'answered' | 'refused' | 'lost'; readonly bytes: number } | null;
}

export interface Connections {
  readonly now: Instant;
  readonly sessions: readonly Readonly<SessionRecord>[];
  readonly reach: readonly Reach[];
  /** Whether another NAT is known to be behind the gateway: then private addresses may be reached by the WAN. */
  readonly isBehindNat: boolean;
  /** What a device is called, such as `Anna's phone (192.168.1.11)`. */
  readonly nameOf: (session: Readonly<SessionRecord>) => string;
}

/** First messages are sent again within four seconds: who has not answered by now will not. */
const ANSWER_MS = 8_000;
/** IKE has agreed, and the first data is due. */
const DATA_MS = 15_000;
/** A NAT that keeps a mapping for less is broken, and no keepalive helps (RFC 4787 4.3 wants two minutes). */
const IDLE_GAP_MS = 30_000;
/** So many servers silent to one protocol are not all down. */
const SEVERAL_SERVERS = 2;

/** The probes that speak a session's protocol. */
const PROBES_OF: Readonly<Partial<Record<SessionProtocol, readonly string[]>>> = {
  ipsec: ['ikev2', 'ikev1', 'ikev2-source-500'],
  'ipsec-nat-t': ['ikev2', 'ikev1', 'ikev2-4500'],
  pptp: ['pptp'],
  l2tp: ['l2tp'],
  openvpn: ['openvpn-udp', 'openvpn-tcp'],
  sstp: ['sstp'],
  softether: ['softether', 'softether-5555', 'softether-992'],
  anyconnect: ['anyconnect'],
};

/** What is blocked when a protocol is, in words for a provider's support. */
const WIRE: Readonly<Partial<Record<SessionProtocol, string>>> = {
  ipsec: 'UDP 500 or ESP (IP protocol 50)',
  'ipsec-nat-t': 'UDP 500 or UDP 4500',
  pptp: 'TCP 1723 or GRE (IP protocol 47)',
  l2tp: 'UDP 1701',
};

/** What is wrong with connections, in no order. */
export function connectionFindings(connections: Connections): Finding[] {
  const { sessions } = connections;
  const failing = sessions.filter(({ state }) => state === 'failing' || state === 'negotiating');
  return [
    ...failing.flatMap((session) => judge(session, connections) ?? []),
    ...sessions.flatMap((session) => withoutData(session, connections) ?? []),
    ...sessions.flatMap((session) => tooLarge(session, connections) ?? []),
  ];
}

type Tell = (cause: Cause, what: string, evidence: string, remedy: string) => Finding;

function teller(session: Readonly<SessionRecord>, { nameOf }: Connections): Tell {
  const title = PROTOCOL_NAMES[session.protocol];
  return (cause, what, evidence, remedy) => ({
    cause,
    level: 'fault',
    what: `${title} of ${nameOf(session)} to ${session.server} ${what}.`,
    evidence,
    remedy,
    session: String(session.id),
    device: session.client,
  });
}

function judge(session: Readonly<SessionRecord>, connections: Connections): Finding | null {
  if (session.phase === 'refused' || session.refusal !== null) {
    return teller(session, connections)(
      'server-refuses',
      'is refused by its server',
      [session.refusal ?? 'The server refused the connection.', ...alertOf(session, connections)].join(' '),
      'Correct what the server names, on the device or on the server; its log says more.',
    );
  }
  return session.phase === 'opening' ? unanswered(session, connections) : silentData(session, connections);
}

/** Of a server that hangs up: what it told the gateway itself, which asked by TLS. */
function alertOf({ protocol, server }: Readonly<SessionRecord>, { reach }: Connections): string[] {
  const details = reach.find((one) => one.server === server)?.details ?? {};
  const told = (PROBES_OF[protocol] ?? []).flatMap((id) => details[id] ?? []);
  return told.filter((one) => one.includes('refused TLS')).slice(0, 1);
}

/** The device asks and hears nothing. */
function unanswered(session: Readonly<SessionRecord>, connections: Connections): Finding | null {
  const { now, reach } = connections;
  const { silence, server, protocol } = session;
  if (silence === null || now - silence.since < ANSWER_MS) return null;
  const tell = teller(session, connections);
  const sent = `The device has sent ${silence.packets} packets in ${seconds(now, silence.since)}, and nothing came back.`;
  const isIpsec = protocol === 'ipsec' || protocol === 'ipsec-nat-t';
  if (isIpsec && (session.details['responder SPI'] ?? session.details['responder cookie']) !== undefined) {
    return tell(
      'ike-fragments-lost',
      'stops in the middle of its negotiation',
      `The server answered the first messages of IKE. ${sent} The message that follows carries certificates and is often too large for one packet.`,
      'Turn on IKE fragmentation (RFC 7383) on both ends, or use smaller certificates: fragments are lost on the way.',
    );
  }
  const found = reach.find((one) => one.server === server);
  const verdicts = found?.verdicts ?? {};
  const spoken = Object.entries(verdicts).flatMap(([id, verdict]) => (speaks(verdict) ? [id] : []));
  if (isIpsec && spoken.includes('ikev2-source-500') && !spoken.includes('ikev2')) {
    return tell(
      'source-port-500',
      'gets no answer, because the server insists on source port 500',
      `It answers the gateway from source port 500, and not from another. ${sent}`,
      'Keep the port: set ike: { source_port: preserve } in the configuration.',
    );
  }
  const rival = connections.sessions.find(
    (one) => one !== session && one.server === server && one.protocol === protocol && one.phase === 'open',
  );
  if (isIpsec && rival !== undefined) {
    return tell(
      'source-port-500',
      'gets no answer, while another device is answered: the server probably insists on source port 500',
      `${connections.nameOf(rival)} keeps that port and is answered; this device's is translated. ${sent}`,
      'Keep the port for all devices: set ike: { source_port: preserve } in the configuration.',
    );
  }
  const own = PROBES_OF[protocol] ?? [];
  if (own.some((id) => spoken.includes(id))) {
    return tell(
      'protocol-blocked',
      'gets no answer, though the server answers the gateway itself',
      `The gateway got an answer just now. ${sent}`,
      'See that nothing between the device and the gateway filters it, and try again; the server may also limit how many connections come from one address.',
    );
  }
  if (own.some((id) => verdicts[id] === 'closed')) {
    return tell(
      'other-protocol',
      'gets no answer: the server does not offer this protocol',
      `It says that the port is shut. ${sent}`,
      'Check the address of the server and which protocol its owner offers; "throughway probe" lists what it answers.',
    );
  }
  return blockedOrDown(session, connections, { spoken, isThere: found?.ping != null, sent });
}

/** Nothing of this protocol comes from the server's address. */
function blockedOrDown(
  session: Readonly<SessionRecord>,
  connections: Connections,
  {
    spoken,
    isThere,
    sent,
  }: { readonly spoken: readonly string[]; readonly isThere: boolean; readonly sent: string },
): Finding {
  const { protocol } = session;
  const tell = teller(session, connections);
  const wire = WIRE[protocol];
  const same = connections.sessions.filter((one) => one.protocol === protocol);
  const silent = new Set(
    same.filter((one) => one.phase === 'opening' && one.silence !== null).map((one) => one.server),
  );
  const works = same.some((one) => one.phase === 'open' && one.lastIn !== null);
  if (wire !== undefined && silent.size >= SEVERAL_SERVERS && !works) {
    return tell(
      'provider-blocks',
      `gets no answer, like those to ${silent.size - 1} other servers: the provider or a router on the way probably blocks ${wire}`,
      sent,
      'Ask the provider, or use a protocol that passes everywhere, such as SSTP or OpenVPN over TCP 443.',
    );
  }
  if (spoken.length > 0) {
    return tell(
      'other-protocol',
      'gets no answer: the server answers only another protocol',
      `It answers ${spoken.join(', ')}, and not ${PROTOCOL_NAMES[protocol]}. ${sent}`,
      'Set the device to a protocol that the server answers; "throughway probe" lists them.',
    );
  }
  if (isThere) {
    return tell(
      'protocol-blocked',
      'gets no answer, though the server is there',
      `It answers a ping. ${sent}`,
      `The server does not offer this protocol, or something on the way blocks ${wire ?? 'it'}; try another protocol.`,
    );
  }
  if (isPrivate(session.server) && !connections.isBehindNat) {
    return tell(
      'server-private',
      'gets no answer: the address of the server is a private one, which the internet does not carry',
      `${session.server} is private (RFC 1918); it may be an address inside the VPN, or of a network that the LAN overlaps. ${sent}`,
      'Give the device the public name or address of the server. Where the VPN uses the network of the LAN as well, change the one of the LAN.',
    );
  }
  return tell(
    'server-silent',
    'gets no answer, and the server answers nothing else either',
    sent,
    'Check the address of the server and whether it is up; ask its owner.',
  );
}

/** Over UDP, where each NAT on the way keeps a mapping for a time of its own. */
const IDLES: ReadonlySet<SessionProtocol> = new Set(['ipsec-nat-t', 'l2tp', 'openvpn', 'wireguard']);

/** It is agreed, and the data does not flow. */
function silentData(session: Readonly<SessionRecord>, connections: Connections): Finding | null {
  const { now, sessions } = connections;
  const tell = teller(session, connections);
  const { protocol, espSilence, silence } = session;
  if (protocol === 'ipsec' && espSilence !== null) {
    return tell(
      'esp-one-way',
      'sends ESP and gets none back',
      `${espSilence.packets} packets of ESP left in ${seconds(now, espSilence.since)}, and none came.`,
      'The provider or the server may drop ESP (IP protocol 50), or another NAT on the way cannot pass it: let both ends use NAT-T (UDP 4500).',
    );
  }
  if (silence === null) return null;
  const idleMs = session.lastIn === null ? 0 : silence.since - session.lastIn;
  if (idleMs >= IDLE_GAP_MS && IDLES.has(protocol)) {
    return tell(
      'idle-expired',
      `has been dead since it was idle for ${Math.round(idleMs / 1000)} seconds`,
      `Nothing passed for ${Math.round(idleMs / 1000)} seconds; what the device has sent since (${silence.packets} packets in ${seconds(now, silence.since)}) got no answer. This gateway still knows the connection.`,
      `Another NAT on the way, or the server, forgets sooner than that: set the keepalive of the VPN to less (20 seconds is safe), and connect again.`,
    );
  }
  if (protocol === 'pptp') {
    return tell(
      'gre-lost',
      'has a control connection, and its data (GRE) is lost',
      `${silence.packets} packets left in ${seconds(now, silence.since)}, and none came.`,
      'The provider, or a router in front of this gateway, blocks GRE (IP protocol 47): turn on its PPTP passthrough, or use another protocol.',
    );
  }
  const rivals = sessions.filter(
    (one) => one !== session && one.protocol === protocol && one.server === session.server,
  );
  if (protocol === 'ipsec-nat-t' && session.details['IKE version'] !== '2' && rivals.length > 0) {
    return tell(
      'transport-mode-limit',
      'hears nothing, while another device uses the same server',
      `${rivals.length + 1} devices behind this gateway have IKEv1 with NAT-T to this server, as L2TP/IPsec has.`,
      'In transport mode many servers keep one device for each public address, and no gateway can cure that. Use IKEv2, or tunnel mode.',
    );
  }
  return null;
}

/** IKE is complete, and nothing else happens; the ends are content with that. */
function withoutData(session: Readonly<SessionRecord>, connections: Connections): Finding | null {
  const { protocol, phase, sas, since, refusal, espSilence } = session;
  if (protocol !== 'ipsec' || phase !== 'open' || sas.length > 0) return null;
  if (refusal !== null || espSilence !== null) return null;
  if (connections.now - since < DATA_MS) return null;
  return teller(session, connections)(
    'no-esp',
    'has agreed on a tunnel, and no data (ESP) has passed either way',
    'IKE is complete, and neither end has sent ESP.',
    'The ends may disagree on the networks behind them (traffic selectors, left and right subnet), or the network behind the VPN is the same as the one of the LAN: compare both settings.',
  );
}

/** Small packets pass, and large ones vanish without a word. */
function tooLarge(session: Readonly<SessionRecord>, connections: Connections): Finding | null {
  const ping = connections.reach.find((one) => one.server === session.server)?.ping;
  if (ping?.large !== 'lost') return null;
  return teller(session, connections)(
    'too-large',
    'loses large packets: the tunnel comes up, and then pages or files hang',
    `A ping of ${ping.bytes} bytes to the server is lost without an ICMP message, and a small one is answered.`,
    'Lower the MTU of the VPN on the device (1300 is safe), or let the provider pass ICMP "too big" (type 3 code 4).',
  );
}

function seconds(now: Instant, since: Instant): string {
  return `${Math.round((now - since) / 1000)} seconds`;
}

function isPrivate(server: string): boolean {
  const address = parseIpv4(server);
  return address !== null && PRIVATE_NETWORKS.some((prefix) => isInPrefix(address, prefix));
}
