// What state a session is in, what is wrong with it and when to look again: from what was seen of it
// alone. Pure of any protocol's messages; those are read by the trackers. RFC 4787 has the timeouts.
import type { Instant } from './machine.ts';
import {
  switchOfProtocol,
  type SessionRecord,
  type SessionState,
  type SwitchName,
} from './session-record.ts';
import { PROTOCOL_NAMES } from './protocol-names.ts';

/** A first message is sent again after one to four seconds; who has not answered by now is not there. */
export const ANSWER_MS = 8_000;
/** An established peer answers within a round trip, or acknowledges within ten seconds (WireGuard). */
const SILENCE_MS = 20_000;
/** ESP without an answer for so long is no slow server. */
const ESP_SILENCE_MS = 15_000;
const SILENT_PACKETS = 5;
/** Keepalives of NAT-T (29 octets) and WireGuard (60) get no answer; what is larger does. */
const KEEPALIVE_BYTES = 64;
/** No packet for so long: idle. Longer than most keepalives. */
export const IDLE_MS = 120_000;
/** A session whose device has stopped trying is over after this. */
const GIVEN_UP_MS = 180_000;
/** How long a refused attempt of a disabled protocol is shown. */
const BLOCKED_MS = 600_000;
/** For entries whose end was not heard of. */
const EXPIRY_GRACE_MS = 90_000;

export interface Judgement {
  readonly state: SessionState;
  readonly trouble: string | null;
  /** When the judgement may be another without anything having been seen. */
  readonly lookAgainAt: Instant;
  /** Why it is over, or null. */
  readonly over: string | null;
}

export interface Surroundings {
  readonly now: Instant;
  readonly disabled: ReadonlySet<SwitchName>;
  /** Raw ESP that is idle for so long is forgotten by the kernel. */
  readonly espIdleMs: number;
  /** Another device has the same kind of session with the same server. */
  readonly sharesServer: boolean;
}

export function judge(session: SessionRecord, around: Surroundings): Judgement {
  const { now } = around;
  const lastSeen = Math.max(session.since, session.lastOut ?? -Infinity, session.lastIn ?? -Infinity);
  const governing = switchOfProtocol(session.protocol);
  const title = PROTOCOL_NAMES[session.protocol];
  if (governing !== null && around.disabled.has(governing)) {
    const page = { ipsec: 'IPSec', pptp: 'PPTP', l2tp: 'L2TP' }[governing];
    return {
      state: 'blocked',
      trouble: `${page} Passthrough is disabled, so the gateway refuses it.`,
      lookAgainAt: lastSeen + BLOCKED_MS,
      over: now >= lastSeen + BLOCKED_MS ? `The device stopped trying while ${page} was disabled.` : null,
    };
  }
  const gone = expiryAt(session, lastSeen, around.espIdleMs);
  const over = now < gone.at ? null : gone.why;
  const settle = (state: SessionState, trouble: string | null, next: Instant = Infinity): Judgement => ({
    state,
    trouble: trouble ?? session.warning,
    lookAgainAt: Math.min(gone.at, next > now ? next : Infinity),
    over,
  });
  if (session.phase === 'refused') return settle('failing', session.refusal);
  if (session.phase === 'opening') {
    const answerBy = session.silence ? session.silence.since + ANSWER_MS : Infinity;
    if (now >= answerBy) return settle('failing', noAnswer(session, title));
    if (session.restarts >= 2 && session.refusal !== null) return settle('failing', session.refusal);
    return settle('negotiating', null, answerBy);
  }
  const { espSilence, silence } = session;
  if (espSilence && espSilence.packets >= SILENT_PACKETS) {
    const at = espSilence.since + ESP_SILENCE_MS;
    if (now >= at && now - (session.lastOut ?? now) < IDLE_MS) {
      const why = `ESP leaves for ${session.server} and nothing returns. The server may have no route back, or drop it, or another NAT on the way mixes devices up; NAT-T (UDP 4500) on both ends avoids that.`;
      return settle('failing', why);
    }
    if (now < at) return settle('up', null, at);
  }
  const idleAt = lastSeen + IDLE_MS;
  if (silence && silence.packets >= SILENT_PACKETS && silence.bytes / silence.packets > KEEPALIVE_BYTES) {
    const at = silence.since + SILENCE_MS;
    if (now < at) return settle('up', null, at);
    if (now < idleAt) return settle('failing', silentServer(session, title, around.sharesServer), idleAt);
  }
  return now >= idleAt ? settle('idle', null) : settle('up', null, idleAt);
}

function noAnswer({ server, serverPort, protocol }: SessionRecord, title: string): string {
  const where = serverPort === null ? server : `${server} port ${serverPort}`;
  const rival =
    protocol === 'ipsec'
      ? ' Some networks block UDP 500.'
      : protocol === 'pptp'
        ? ' Some networks block TCP 1723.'
        : '';
  return `${where} does not answer. The server may be down, the address wrong, or ${title} blocked on the way.${rival}`;
}

function silentServer(session: SessionRecord, title: string, sharesServer: boolean): string {
  const begin = `Nothing comes from ${session.server} any more, though the device keeps sending.`;
  if (session.protocol === 'ipsec-nat-t' && sharesServer && session.details['IKE version'] !== '2')
    return `${begin} Another device behind this gateway has IPsec with the same server: in L2TP/IPsec many servers keep only one device for each public address, which only the server can cure.`;
  if (session.protocol === 'pptp')
    return `${begin} The control connection stands, so GRE (IP protocol 47) is probably lost on the way.`;
  return `${begin} The server may have ended the ${title} session without saying so.`;
}

/** When it is over if nothing more is seen. */
function expiryAt(
  session: SessionRecord,
  lastSeen: Instant,
  espIdleMs: number,
): { at: Instant; why: string } {
  const forgotten = 'Nothing passed for so long that the gateway forgot it.';
  let at = -Infinity;
  for (const flow of session.flows) {
    at = Math.max(at, flow.expiresAt === null ? Infinity : flow.expiresAt + EXPIRY_GRACE_MS);
  }
  for (const sa of session.sas) at = Math.max(at, sa.lastSeen + espIdleMs + EXPIRY_GRACE_MS);
  if (at > -Infinity) return { at, why: forgotten };
  // Nothing in the kernel holds it: it is being negotiated, has failed, or its end was not heard of.
  const why = session.phase === 'open' ? forgotten : 'The device stopped trying.';
  return { at: lastSeen + GIVEN_UP_MS, why };
}
