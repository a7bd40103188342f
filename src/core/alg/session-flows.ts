// Conntrack entries as parts of sessions: which session an entry belongs to, what passed, and what
// its end means. Entries of the ports that a switch governs open a session by themselves, so that
// one that began unobserved is seen; of others only those that were recognised count.
import type { FlowSeen, Flow, Recognised } from './fact.ts';
import { MOST_NEGOTIATING, natTraversal, rawKey, natTKey } from './ipsec-sessions.ts';
import { l2tpKey, l2tpOfPort } from './l2tp-tunnels.ts';
import type { Instant } from './machine.ts';
import { ofControl, pptpKey, pptpOfCall } from './pptp-calls.ts';
import { addTraffic, flowKey, type FlowPart, type SessionRecord, type Traffic } from './session-record.ts';
import type { SessionTable } from './session-table.ts';

const TCP = 6;
const UDP = 17;
const GRE = 47;
const L2TP = 115;
const TCP_ESTABLISHED = 3;
/** FIN_WAIT, the first of the states in which one end has hung up. */
const TCP_FIN_WAIT = 4;
const TCP_CLOSE = 8;
/** What a server says before it has agreed to anything: a TLS alert or nothing. A certificate alone is more. */
const AGREED_BYTES = 700;
/** One that is hung up on once may have been given up by its user. */
const HUNG_UP_TWICE = 2;

export function handleFlow(table: SessionTable, { change, flow }: FlowSeen, now: Instant): void {
  const session = table.findAlias(flowKey(flow.client, flow.server, flow)) ?? adopt(table, change, flow, now);
  if (!session) return;
  const part = table.flow(session, flow);
  if (!part) return;
  count(table, session, part, flow, change, now);
  if (isHungUp(session, part, flow)) hangUp(table, session, part, flow);
  else if (change === 'end') flowEnded(table, session, part, flow, now);
}

/** Writes down what has passed since the entry was last looked at. */
function count(
  table: SessionTable,
  session: SessionRecord,
  part: FlowPart,
  flow: Flow,
  change: FlowSeen['change'],
  now: Instant,
): void {
  const isAnother = part.id !== flow.id && part.id !== 0;
  const isNew = part.id !== flow.id && change === 'new' && !flow.answered;
  part.id = flow.id;
  if (flow.timeoutSeconds !== null) part.expiresAt = now + flow.timeoutSeconds * 1000;
  const answeredNow = flow.answered && !part.answered;
  part.answered = flow.answered;
  const out = grown(session.past.out, part.out, flow.out, isAnother);
  const back = grown(session.past.in, part.in, flow.in, isAnother);
  table.touch(session);
  // What keeps a control connection alive says nothing of the data beside it.
  const isBeside = session.protocol === 'pptp' && part.protocol === TCP && session.phase === 'open';
  if (isBeside) {
    if (out.packets > 0) session.lastOut = now;
    if (back.packets > 0) session.lastIn = now;
    return;
  }
  if (out.packets > 0 || isNew) table.heard(session, 'out', now, out);
  if (back.packets > 0 || answeredNow) table.heard(session, 'in', now);
  if (opensByItself(session) && session.phase !== 'open' && flow.answered) {
    const isAgreed = session.refusal === null || part.in.bytes >= AGREED_BYTES;
    if (isAgreed && (part.protocol === UDP || flow.tcpState === null || flow.tcpState === TCP_ESTABLISHED)) {
      session.phase = 'open';
      session.refusal = null;
      session.restarts = 0;
    }
  }
  // strongSwan's ESP goes on by itself after IPsec was off, with nothing negotiated anew.
  const goesOn = session.protocol === 'ipsec-nat-t' && part.in.packets > MOST_NEGOTIATING;
  if (goesOn && session.phase === 'opening' && session.refusal === null) session.phase = 'open';
}

function opensByItself({ protocol }: SessionRecord): boolean {
  return !['pptp', 'l2tp', 'l2tpv3', 'ipsec', 'ipsec-nat-t'].includes(protocol);
}

/** A TCP connection that has ended, in which the server has said next to nothing. */
function isHungUp(session: SessionRecord, part: FlowPart, flow: Flow): boolean {
  return (
    opensByItself(session) &&
    part.protocol === TCP &&
    session.flows.every((one) => one.in.bytes < AGREED_BYTES) &&
    flow.answered &&
    flow.in !== null &&
    flow.in.bytes < AGREED_BYTES &&
    flow.tcpState !== null &&
    flow.tcpState >= TCP_FIN_WAIT
  );
}

/** By this name the session goes on when its device tries again, from another port. */
function hungUpAlias({
  protocol,
  client,
  server,
  serverPort,
}: Pick<SessionRecord | Recognised, 'protocol' | 'client' | 'server' | 'serverPort'>): string {
  return `hung-up ${protocol} ${client} ${server} ${serverPort}`;
}

function hangUp(table: SessionTable, session: SessionRecord, part: FlowPart, flow: Flow): void {
  table.dropFlow(session, part);
  table.alias(session, hungUpAlias(session));
  session.restarts += 1;
  session.phase = session.restarts >= HUNG_UP_TWICE ? 'refused' : 'opening';
  session.refusal = `The server took the TCP connection and ended it before anything was agreed, ${session.restarts === 1 ? 'once' : `${session.restarts} times`} so far; ${flow.in!.bytes} octets came from it.`;
  session.silence = null;
  table.touch(session);
}

/** How much more there is; counters that began anew, or are another entry's, are added to what is past. */
function grown(past: Traffic, part: Traffic, seen: Traffic | null, isAnother: boolean): Traffic {
  if (seen === null) return { packets: 0, bytes: 0 };
  if (isAnother || seen.packets < part.packets) {
    addTraffic(past, part);
    part.packets = part.bytes = 0;
  }
  const more = { packets: seen.packets - part.packets, bytes: seen.bytes - part.bytes };
  part.packets = seen.packets;
  part.bytes = seen.bytes;
  return more;
}

/** The session of an entry that none is known to have, opened where the port says what it is. */
function adopt(
  table: SessionTable,
  change: FlowSeen['change'],
  flow: Flow,
  now: Instant,
): SessionRecord | null {
  const { client, server, clientPort, serverPort, protocol } = flow;
  const known = (): SessionRecord | null => {
    if (protocol === UDP && serverPort === 500)
      return table.find(rawKey(client, server)) ?? table.find(natTKey(client, server));
    if (protocol === UDP && serverPort === 4500) return natTraversal(table, client, server);
    if (protocol === UDP && clientPort !== null) return l2tpOfPort(table, client, clientPort, server);
    if (protocol === GRE) return pptpOfCall(table, flow);
    return null;
  };
  // What it has carried was counted when its session ended, or was never seen.
  if (change === 'end') return null;
  const found = known();
  if (found) return found;
  if (table.hasOutlived(flow)) return null;
  const open = (
    key: string,
    name: SessionRecord['protocol'],
    port: number | null = serverPort,
  ): SessionRecord | null => {
    const session =
      table.find(key) ?? table.open({ key, protocol: name, client, server, serverPort: port }, now);
    // It ran before anybody looked, so its negotiation is over.
    if (session && flow.assured) session.phase = 'open';
    return session;
  };
  if (protocol === UDP && serverPort === 500) return open(rawKey(client, server), 'ipsec');
  if (protocol === UDP && serverPort === 4500) return open(natTKey(client, server), 'ipsec-nat-t');
  if (protocol === UDP && serverPort === 1701) return open(l2tpKey(client, clientPort, server), 'l2tp');
  if (protocol === TCP && serverPort === 1723) return open(pptpKey(client, clientPort, server), 'pptp');
  if (protocol === L2TP) return open(`l2tpv3 ${client} ${server}`, 'l2tpv3', null);
  return null;
}

function flowEnded(
  table: SessionTable,
  session: SessionRecord,
  part: FlowPart,
  flow: Flow,
  now: Instant,
): void {
  const wasAnswered = part.answered || session.lastIn !== null;
  table.dropFlow(session, part);
  // The switch took the entry away; what is refused is shown as long as the device tries.
  if (session.state === 'blocked') return;
  if (part.protocol === TCP && session.protocol === 'pptp') {
    const why = !wasAnswered
      ? 'The server did not answer on TCP port 1723.'
      : flow.tcpState === TCP_CLOSE && session.phase === 'opening'
        ? 'The server refused the TCP connection.'
        : 'The control connection ended.';
    for (const call of ofControl(table, session.key)) table.end(call, why, now);
    return;
  }
  // A call without GRE for a while is still a call; IPsec goes on with ESP or with another port.
  if (session.flows.length > 0 || session.sas.length > 0 || session.protocol === 'pptp') return;
  if (part.protocol === TCP) {
    table.end(session, wasAnswered ? 'The connection was closed.' : 'The server did not answer.', now);
  } else if (session.phase === 'open') {
    table.end(session, 'Nothing passed for so long that the gateway forgot it.', now);
  }
}

/** Reconnecting from another port continues the session; for the others each port is one of its own. */
const ONE_PER_SERVER: ReadonlySet<Recognised['protocol']> = new Set(['wireguard', 'softether', 'anyconnect']);

/** Opens the session of a protocol that has no switch, by what its first packets show. */
export function handleRecognised(table: SessionTable, fact: Recognised, now: Instant): void {
  const { protocol, client, server, clientPort, serverPort, serverName } = fact;
  if (protocol === 'stun') return;
  const place = protocol === 'wireguard' ? ` ${serverPort}` : '';
  const key = ONE_PER_SERVER.has(protocol)
    ? `${protocol} ${client} ${server}${place}`
    : `${protocol} ${fact.transport} ${client} ${clientPort} ${server} ${serverPort}`;
  const flow = { protocol: fact.transport === 'tcp' ? TCP : UDP, client, server, clientPort, serverPort };
  const holder = table.findAlias(flowKey(client, server, flow));
  // What the port had said already is not taken back by a guess.
  if (holder && (holder.key === key || fact.guessed)) {
    table.heard(holder, 'out', now);
    return;
  }
  const { guessed } = fact;
  const session =
    table.find(key) ??
    table.findAlias(hungUpAlias(fact)) ??
    table.open({ key, protocol, guessed, client, server, serverPort, serverName }, now);
  if (!session) return;
  session.serverName ??= serverName;
  if (!guessed) session.guessed = false;
  const part = table.flow(session, flow);
  if (part) part.expiresAt ??= now + UNHEARD_MS;
  session.details['transport'] = fact.transport.toUpperCase();
  table.heard(session, 'out', now);
}

/** Until conntrack says how long the entry lives. */
const UNHEARD_MS = 300_000;
