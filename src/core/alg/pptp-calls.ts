// PPTP as sessions: each call of a control connection is one. Call IDs are matched leniently, because
// a copy may be taken before or behind the kernel's translation of them. RFC 2637 2 and 3.
import type { Address, Flow, PptpSeen } from './fact.ts';
import type { Instant } from './machine.ts';
import type { SessionRecord } from './session-record.ts';
import type { SessionTable } from './session-table.ts';
import {
  pptpCallResult,
  pptpDisconnectResult,
  pptpError,
  pptpStartResult,
  pptpStopReason,
} from './session-words.ts';
import { PPTP_OK } from '../wire/pptp.ts';

const CLIENT_ID = 'Call ID of the device';
const SERVER_NAME = 'name of the server';
const SERVER_ID = 'Call ID of the server';

export function pptpKey(client: Address, clientPort: number | null, server: Address): string {
  return `pptp ${client} ${clientPort ?? '-'} ${server}`;
}

/** The control connection's part of a key; further calls have a number behind it. */
const controlOf = (key: string): string => key.split(' #')[0]!;

/** All calls of the control connection that `key` belongs to. */
export function ofControl(table: SessionTable, key: string): SessionRecord[] {
  const control = controlOf(key);
  const first = table.find(control);
  const client = control.split(' ')[1] as Address;
  return [...table.ofDevice(client)].filter((one) => one === first || controlOf(one.key) === control);
}

/** The call that a GRE flow carries: by its Call IDs, else the only one that has none yet. */
export function pptpOfCall(table: SessionTable, flow: Flow): SessionRecord | null {
  const calls = [...table.ofDevice(flow.client)].filter(
    (one) => one.protocol === 'pptp' && one.server === flow.server,
  );
  const [client, server] = [String(flow.clientPort), String(flow.serverPort)];
  const exact = calls.filter((one) => one.details[CLIENT_ID] === client || one.details[SERVER_ID] === server);
  const candidates = exact.length > 0 ? exact : calls.filter((one) => !one.flows.some(isGre));
  return candidates.length === 1 ? candidates[0]! : null;
}

const isGre = ({ protocol }: { protocol: number }): boolean => protocol === 47;

export function handlePptp(table: SessionTable, fact: PptpSeen, now: Instant): void {
  const { client, clientPort, server, message, from } = fact;
  const key = pptpKey(client, clientPort, server);
  let calls = ofControl(table, key);
  if (calls.length === 0) {
    // What the server says of a connection that is over already opens nothing.
    if (from === 'wan') return;
    const opened = table.open({ key, protocol: 'pptp', client, server, serverPort: 1723 }, now);
    if (!opened) return;
    calls = [opened];
  }
  for (const call of calls) hear(table, call, from, now);
  const [first] = calls;
  switch (message.kind) {
    case 'start-reply': {
      if (message.resultCode !== PPTP_OK) {
        refuse(table, calls, pptpStartResult(message.resultCode), message.errorCode);
        return;
      }
      const name = [message.vendorName, message.hostName].filter((text) => /^[ -~]{1,64}$/.test(text));
      for (const call of calls) if (name.length > 0) call.details[SERVER_NAME] = name.join(' ');
      table.note(
        first!,
        `The server accepts the control connection${name.length > 0 ? ` (${name.join(' ')})` : ''}.`,
      );
      return;
    }
    case 'outgoing-call-request': {
      if (from === 'lan') request(table, calls, fact, message.callId, now);
      return;
    }
    case 'outgoing-call-reply': {
      const call = awaiting(calls, String(message.peerCallId));
      if (!call) return;
      if (message.resultCode !== PPTP_OK) {
        refuse(table, [call], pptpCallResult(message.resultCode), message.errorCode);
        return;
      }
      call.details[SERVER_ID] = String(message.callId);
      call.phase = 'open';
      call.refusal = null;
      table.note(call, `The server accepts the call; its Call ID is ${message.callId}.`);
      return;
    }
    case 'call-clear-request': {
      const call = calls.find((one) => one.details[CLIENT_ID] === String(message.callId)) ?? only(calls);
      if (from === 'lan' && call) table.end(call, 'The device hung up.', now);
      return;
    }
    case 'call-disconnect-notify': {
      const call = calls.find((one) => one.details[SERVER_ID] === String(message.callId)) ?? only(calls);
      const why = reason(pptpDisconnectResult(message.resultCode), message.errorCode);
      if (call) table.end(call, `The server ended the call: ${why}.`, now);
      return;
    }
    case 'stop-request': {
      const who = from === 'lan' ? 'The device' : 'The server';
      for (const call of calls)
        table.end(call, `${who} ended the control connection: ${pptpStopReason(message.reason)}.`, now);
      return;
    }
    default:
  }
}

/** A call's control messages do not say that its GRE comes through. */
function hear(table: SessionTable, call: SessionRecord, from: 'lan' | 'wan', now: Instant): void {
  if (call.phase !== 'open') table.heard(call, from === 'lan' ? 'out' : 'in', now);
  else if (from === 'lan') call.lastOut = now;
  else call.lastIn = now;
  table.touch(call);
}

function request(
  table: SessionTable,
  calls: readonly SessionRecord[],
  { client, server, clientPort }: PptpSeen,
  callId: number,
  now: Instant,
): void {
  const id = String(callId);
  if (calls.some((one) => one.details[CLIENT_ID] === id)) return;
  const unused = calls.find((one) => one.details[CLIENT_ID] === undefined);
  const key = `${pptpKey(client, clientPort, server)} #${id}`;
  const call = unused ?? table.open({ key, protocol: 'pptp', client, server, serverPort: 1723 }, now);
  if (!call) return;
  call.details[CLIENT_ID] = id;
  if (!unused) {
    // A control connection has one flow, which keeps all its calls.
    for (const part of calls[0]!.flows)
      if (part.protocol === 6) call.flows.push({ ...part, out: zero(), in: zero() });
    const name = calls[0]!.details[SERVER_NAME];
    if (name !== undefined) call.details[SERVER_NAME] = name;
    table.heard(call, 'out', now);
  }
  table.note(call, `The device asks for a call; its Call ID is ${id}.`);
}

const zero = (): { packets: number; bytes: number } => ({ packets: 0, bytes: 0 });

/** The call that a reply is for: by its Call ID, else the first that waits for one. */
function awaiting(calls: readonly SessionRecord[], peerCallId: string): SessionRecord | null {
  const waiting = calls.filter(
    (one) => one.details[CLIENT_ID] !== undefined && one.details[SERVER_ID] === undefined,
  );
  return waiting.find((one) => one.details[CLIENT_ID] === peerCallId) ?? waiting[0] ?? null;
}

function only(calls: readonly SessionRecord[]): SessionRecord | null {
  return calls.length === 1 ? calls[0]! : null;
}

function reason(result: string, errorCode: number): string {
  const error = pptpError(errorCode);
  return error === '' ? result : `${result} (${error})`;
}

function refuse(
  table: SessionTable,
  calls: readonly SessionRecord[],
  result: string,
  errorCode: number,
): void {
  for (const call of calls) {
    call.phase = 'refused';
    call.refusal = `The server refused the connection: ${reason(result, errorCode)}.`;
    table.touch(call);
  }
}
