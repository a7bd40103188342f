// L2TP outside of IPsec, as sessions: one for each port of a device towards a server, with the
// tunnels in it. Data messages are not looked at: conntrack counts them. RFC 2661 3.2, 4.4 and 5,
// RFC 3931 3. L2TP inside IPsec is encrypted and cannot be seen.
import type { Address, L2tpSeen } from './fact.ts';
import type { Instant } from './machine.ts';
import type { SessionRecord, TunnelPart } from './session-record.ts';
import type { SessionTable } from './session-table.ts';
import { l2tpCallResult, l2tpError, l2tpStopResult } from './session-words.ts';
import { Reader } from '../wire/bytes.ts';
import { l2tpMessageType } from '../wire/l2tp.ts';
import { avpNumber, l2tpAvpTypes, l2tpMessageTypes, type L2tpAvp } from '../wire/l2tp-avp.ts';

/** A device with more tunnels than this to one server from one port has not been met. */
const MOST_TUNNELS = 8;
const MOST_CALLS = 8;

export function l2tpKey(client: Address, clientPort: number | null, server: Address): string {
  return `l2tp ${client} ${clientPort ?? '-'} ${server}`;
}

/** The session that this port of a device has with a server, whatever port the server answers from. */
export function l2tpOfPort(
  table: SessionTable,
  client: Address,
  clientPort: number,
  server: Address,
): SessionRecord | null {
  return table.find(l2tpKey(client, clientPort, server));
}

export function handleL2tp(table: SessionTable, fact: L2tpSeen, now: Instant): void {
  const { client, clientPort, server, serverPort, message, from } = fact;
  const isStraightOnIp = clientPort === null;
  const protocol = message.version === 3 ? 'l2tpv3' : 'l2tp';
  const key = isStraightOnIp ? `l2tpv3 ${client} ${server}` : l2tpKey(client, clientPort, server);
  let session = table.find(key);
  if (!session) {
    if (from === 'wan') return;
    session = table.open({ key, protocol, client, server, serverPort: isStraightOnIp ? null : 1701 }, now);
    if (!session) return;
  }
  if (session.protocol !== protocol) table.rename(session, key, protocol);
  table.heard(session, from === 'lan' ? 'out' : 'in', now);
  if (from === 'wan' && serverPort !== null && serverPort !== session.serverPort) {
    session.serverPort = serverPort;
    table.note(session, `The server answers from port ${serverPort} and not from 1701.`);
  }
  follow(table, session, fact, now);
  describe(session);
}

function follow(
  table: SessionTable,
  session: SessionRecord,
  { from, message }: L2tpSeen,
  now: Instant,
): void {
  const { avps } = message;
  const header = message.version === 2 ? message.tunnelId : message.controlConnectionId;
  const assigned = avpNumber(
    avps,
    message.version === 2 ? l2tpAvpTypes.assignedTunnelId : l2tpAvpTypes.assignedControlConnectionId,
  );
  // The id in the header is the one that the receiver has assigned.
  const tunnel = session.tunnels.find((one) =>
    from === 'wan' ? one.client === header : header !== 0 && one.server === header,
  );
  const assignedSession = avpNumber(
    avps,
    message.version === 2 ? l2tpAvpTypes.assignedSessionId : l2tpAvpTypes.localSessionId,
  );
  switch (l2tpMessageType(message)) {
    case l2tpMessageTypes.startControlConnectionRequest: {
      if (from !== 'lan' || assigned === null) return;
      if (session.tunnels.some((one) => one.client === assigned)) return;
      if (session.tunnels.length >= MOST_TUNNELS) session.tunnels.shift();
      session.tunnels.push({ client: assigned, server: null, sessions: [] });
      table.note(session, `The device asks for a tunnel; its tunnel id is ${assigned}.`);
      return;
    }
    case l2tpMessageTypes.startControlConnectionReply: {
      if (from !== 'wan' || !tunnel) return;
      tunnel.server = assigned;
      session.refusal = null;
      if (session.phase === 'refused') session.phase = 'opening';
      table.note(session, `The server accepts the tunnel; its tunnel id is ${assigned ?? 'not told'}.`);
      return;
    }
    case l2tpMessageTypes.outgoingCallRequest:
    case l2tpMessageTypes.incomingCallRequest: {
      if (from !== 'lan' || !tunnel || assignedSession === null) return;
      if (tunnel.sessions.some((one) => one.client === assignedSession)) return;
      if (tunnel.sessions.length >= MOST_CALLS) tunnel.sessions.shift();
      tunnel.sessions.push({ client: assignedSession, server: null });
      return;
    }
    case l2tpMessageTypes.outgoingCallReply:
    case l2tpMessageTypes.incomingCallReply: {
      if (from !== 'wan' || !tunnel) return;
      const call = callOf(tunnel, message);
      if (call) call.server = assignedSession;
      session.phase = 'open';
      session.refusal = null;
      table.note(session, 'The server accepts the call.');
      return;
    }
    case l2tpMessageTypes.callDisconnectNotify: {
      const words = resultOf(avps, l2tpCallResult);
      table.note(session, `${from === 'lan' ? 'The device' : 'The server'} ends a call: ${words}.`);
      if (from === 'wan' && session.phase === 'opening') refuse(session, words);
      const ids = session.tunnels.flatMap((one) => one.sessions);
      if (session.phase === 'open' && ids.length <= 1) session.phase = 'opening';
      return;
    }
    case l2tpMessageTypes.stopControlConnection: {
      const words = resultOf(avps, l2tpStopResult);
      const stopped =
        tunnel ?? session.tunnels.find((one) => assigned === (from === 'lan' ? one.client : one.server));
      const who = from === 'lan' ? 'The device' : 'The server';
      if (from === 'wan' && session.phase !== 'open') {
        refuse(session, words);
        return;
      }
      if (stopped) session.tunnels.splice(session.tunnels.indexOf(stopped), 1);
      if (session.tunnels.length === 0) table.end(session, `${who} ended the tunnel: ${words}.`, now);
      else table.note(session, `${who} ended one of its tunnels: ${words}.`);
      return;
    }
    default:
  }
}

function refuse(session: SessionRecord, words: string): void {
  session.phase = 'refused';
  session.refusal = `The server refused the connection: ${words}.`;
}

function callOf(tunnel: TunnelPart, message: L2tpSeen['message']): TunnelPart['sessions'][number] | null {
  const id =
    message.version === 2 ? message.sessionId : avpNumber(message.avps, l2tpAvpTypes.remoteSessionId);
  return tunnel.sessions.find((one) => one.client === id) ?? tunnel.sessions.at(-1) ?? null;
}

/** RFC 2661 4.4.2: result code, then perhaps an error code, then perhaps a text. */
function resultOf(avps: readonly L2tpAvp[], words: (code: number) => string): string {
  const found = avps.find((one) => one.vendorId === 0 && one.type === l2tpAvpTypes.resultCode);
  if (!found || found.hidden || found.value.length < 2) return 'it gave no reason';
  const reader = new Reader(found.value);
  const result = words(reader.u16());
  const error = reader.remaining >= 2 ? l2tpError(reader.u16()) : '';
  const text = String.fromCharCode(...reader.rest().subarray(0, 120)).replaceAll(/[^ -~]/g, '');
  return [result, error && `(${error})`, text && `"${text}"`].filter((one) => one !== '').join(' ');
}

function describe(session: SessionRecord): void {
  const pair = (near: number, far: number | null): string => `${near} / ${far ?? '?'}`;
  const [tunnels, calls] = [session.tunnels, session.tunnels.flatMap((one) => one.sessions)];
  const put = (name: string, text: string): void => {
    if (text === '') delete session.details[name];
    else session.details[name] = text;
  };
  put('tunnel ids, device / server', tunnels.map((one) => pair(one.client, one.server)).join(', '));
  put('session ids, device / server', calls.map((one) => pair(one.client, one.server)).join(', '));
}
