// IPsec as sessions: what one device has with one server, its IKE SAs and its raw ESP associations,
// or NAT-T. A new IKE SA or a rekeyed one continues the session. What a server refuses in the clear
// is told; what is encrypted can only be judged by its shape. RFC 2408, RFC 2409, RFC 7296, RFC 3947.
import type {
  Address,
  EspCounted,
  EspForgotten,
  EspLearned,
  EspPassed,
  EspSent,
  IkeSeen,
  PairingEffect,
} from './fact.ts';
import type { Instant } from './machine.ts';
import { inboundAlias, type SessionTable } from './session-table.ts';
import { trafficOf, type SessionRecord } from './session-record.ts';
import { IKE_RETRIES, ikeError } from './session-words.ts';
import { WireError } from '../wire/bytes.ts';
import { exchangeTypes, payloadTypesV1, payloadTypesV2 } from '../wire/isakmp.ts';
import { parseNotify } from '../wire/isakmp-payloads.ts';

/** RFC 7296 3.10.1, RFC 2408 3.14.1: what is larger is a status and no error. */
const MOST_ERROR = 16_383;
/**
 * An IKE_AUTH response that agrees carries identity, proof, proposal and two selectors: over 200
 * octets with any cipher. One that only notifies of an error stays below this.
 */
const LEAST_AGREEMENT_BYTES = 120;

/** Packets of the server; more of them are no negotiation any more. */
export const MOST_NEGOTIATING = 20;

export const rawKey = (client: Address, server: Address): string => ['ipsec', client, server].join(' ');
export const natTKey = (client: Address, server: Address): string =>
  ['ipsec-nat-t', client, server].join(' ');

/** The session that uses port 4500: the one there is, or a raw one that has met a NAT. */
export function natTraversal(table: SessionTable, client: Address, server: Address): SessionRecord | null {
  const key = natTKey(client, server);
  const found = table.find(key);
  const raw = table.find(rawKey(client, server));
  // ESP that goes raw stays raw, though the device may have both.
  if (!raw || raw.sas.length > 0) return found;
  if (found) {
    for (const alias of raw.aliases) table.alias(found, alias);
    table.merge(raw, found);
    return found;
  }
  table.rename(raw, key, 'ipsec-nat-t');
  raw.serverPort = 4500;
  table.note(raw, 'Both ends know of the NAT: they go on with UDP port 4500.');
  return raw;
}

export function handleIke(table: SessionTable, fact: IkeSeen, now: Instant): void {
  const { from, port, message } = fact;
  const { header } = message;
  const spi = header.initiatorSpi.toString(16).padStart(16, '0');
  const alias = `ike ${fact.server} ${spi}`;
  const named = table.findAlias(alias);
  const client = fact.client ?? named?.client ?? null;
  // Of the server's answers to nobody nothing is known.
  if (client === null) return;
  let session = named?.client === client ? named : null;
  if (port === 4500 && session?.protocol !== 'ipsec-nat-t')
    session = natTraversal(table, client, fact.server);
  session ??= table.find(rawKey(client, fact.server));
  if (!session && port === 500) session = table.find(natTKey(client, fact.server));
  if (!session) {
    if (from === 'wan') return;
    const isNatT = port === 4500;
    const key = (isNatT ? natTKey : rawKey)(client, fact.server);
    const protocol = isNatT ? 'ipsec-nat-t' : 'ipsec';
    session = table.open({ key, protocol, client, server: fact.server, serverPort: port }, now);
    if (!session) return;
  }
  const isNewSa = table.findAlias(alias) !== session;
  table.alias(session, alias);
  table.heard(session, from === 'lan' ? 'out' : 'in', now);
  const isOld = header.majorVersion === 1;
  const word = isOld ? 'cookie' : 'SPI';
  session.details['IKE version'] = String(header.majorVersion);
  session.details[`initiator ${word}`] = spi;
  if (header.responderSpi !== 0n)
    session.details[`responder ${word}`] = header.responderSpi.toString(16).padStart(16, '0');
  if (isNewSa && from === 'lan' && isFirst(header.exchangeType)) begun(table, session);
  if (from === 'wan') answered(table, session, fact);
}

function isFirst(exchange: number): boolean {
  return (
    exchange === exchangeTypes.ikeSaInit ||
    exchange === exchangeTypes.mainMode ||
    exchange === exchangeTypes.aggressiveMode
  );
}

/** The device negotiates a new IKE SA. */
function begun(table: SessionTable, session: SessionRecord): void {
  if (session.phase === 'open' && hasPassed(session)) {
    table.note(session, 'The device negotiates a new IKE SA.');
    return;
  }
  if (session.phase === 'open') {
    session.phase = 'opening';
    session.restarts += 1;
    session.refusal =
      'The device begins again and again without any data having passed: the server probably does not accept its identity, password or certificate. That part is encrypted; the log of the server says why.';
  }
  table.note(session, 'The device begins to negotiate.');
}

/** Whether the tunnel has carried more than its own negotiation. */
function hasPassed(session: SessionRecord): boolean {
  if (session.protocol === 'ipsec') return session.sas.some((sa) => sa.traffic.packets > 0);
  return trafficOf(session).in.packets > MOST_NEGOTIATING;
}

function answered(table: SessionTable, session: SessionRecord, { message }: IkeSeen): void {
  const { header, payloads } = message;
  const error = refusalIn(message);
  if (error !== null && !IKE_RETRIES.has(error)) {
    const { name, what } = ikeError(error);
    const sentence = `The server refused with ${name}: ${what}.`;
    if (session.phase === 'open') {
      table.note(session, sentence);
      return;
    }
    if (session.refusal !== sentence) table.note(session, sentence);
    session.phase = 'refused';
    session.refusal = sentence;
    return;
  }
  const { exchangeType, majorVersion, messageId, length } = header;
  if (majorVersion === 2 && exchangeType === exchangeTypes.ikeAuth) {
    if (messageId === 1 && length < LEAST_AGREEMENT_BYTES && session.phase !== 'open') {
      session.phase = 'refused';
      session.refusal =
        'The server probably refused the identity, the pre-shared key or the certificate of the device: its answer is too short to be an agreement. It is encrypted; the log of the server says why.';
      return;
    }
    agree(table, session, 'The server answers the authentication.');
    return;
  }
  const isPhaseTwo = exchangeType === exchangeTypes.quickMode || exchangeType === exchangeTypes.createChildSa;
  if (isPhaseTwo) agree(table, session, 'The server answers the negotiation of the tunnel.');
  // It speaks to the device again after it had refused.
  else if (session.phase === 'refused' && error === null && payloads.length > 0) session.phase = 'opening';
}

function agree(table: SessionTable, session: SessionRecord, what: string): void {
  if (session.phase === 'open') return;
  session.phase = 'open';
  if (session.restarts === 0) session.refusal = null;
  table.note(session, what);
}

/** The number of an error that stands in the clear, or null. */
function refusalIn({ header, payloads }: IkeSeen['message']): number | null {
  const version = header.majorVersion;
  const wanted = version === 1 ? payloadTypesV1.notification : payloadTypesV2.notify;
  for (const payload of payloads) {
    if (payload.type !== wanted) continue;
    try {
      const { type } = parseNotify(version, payload.body);
      if (type > 0 && type <= MOST_ERROR) return type;
    } catch (error) {
      // Half a notification tells nothing.
      if (!(error instanceof WireError)) throw error;
    }
  }
  return null;
}

type EspFact = EspSent | EspPassed | EspLearned | EspCounted | EspForgotten;

export function handleEsp(table: SessionTable, fact: EspFact, now: Instant): void {
  const { client, server } = fact;
  if (fact.kind === 'esp-forgotten') {
    const session = table.find(rawKey(client, server));
    const part = session?.sas.find((sa) => sa.spi === fact.spi && sa.direction === fact.direction);
    if (session && part) table.dropSa(session, part);
    return;
  }
  const session = ofEsp(table, client, server, now);
  if (!session) return;
  if (fact.kind === 'esp-sent') {
    table.sa(session, 'out', fact.packet.spi, now).lastSeen = now;
    table.heard(session, 'out', now);
    session.espSilence ??= { since: now, packets: 0 };
    session.espSilence.packets += 1;
  } else if (fact.kind === 'esp-passed') {
    // Whether it is for this device is not proved, so it ends no silence.
    session.lastIn = now;
  } else if (fact.kind === 'esp-learned') {
    // After a restart the kernel tells of pairs whose evidence the journal has kept.
    const known = session.sas.find((sa) => sa.spi === fact.spi && sa.direction === 'in');
    if (known?.confidence) {
      table.sa(session, 'in', fact.spi, now);
      return;
    }
    const evidence = 'The kernel gave it to the device that had waited longest for this server.';
    paired(table, session, fact.spi, 'ambiguous', evidence, now);
  } else count(table, session, fact, now);
}

function ofEsp(table: SessionTable, client: Address, server: Address, now: Instant): SessionRecord | null {
  const key = rawKey(client, server);
  const session =
    table.find(key) ?? table.open({ key, protocol: 'ipsec', client, server, serverPort: null }, now);
  if (session) session.phase = 'open';
  return session;
}

function count(table: SessionTable, session: SessionRecord, fact: EspCounted, now: Instant): void {
  const part = table.sa(session, fact.direction, fact.spi, now);
  if (fact.packets < part.traffic.packets) {
    // The element was made anew.
    const past = session.past[fact.direction];
    past.packets += part.traffic.packets;
    past.bytes += part.traffic.bytes;
    part.traffic = { packets: 0, bytes: 0 };
  }
  const packets = fact.packets - part.traffic.packets;
  const bytes = fact.bytes - part.traffic.bytes;
  part.traffic = { packets: fact.packets, bytes: fact.bytes };
  if (packets === 0) return;
  part.lastSeen = now;
  table.heard(session, fact.direction, now, { packets, bytes });
  if (fact.direction === 'in') session.espSilence = null;
  else {
    session.espSilence ??= { since: now, packets: 0 };
    session.espSilence.packets += packets;
  }
}

/** What the pairing machine decides of whose an SPI is. */
export type PairDecision = Extract<PairingEffect, { kind: 'pair' | 'unpair' | 'collision' }>;

export function handlePair(table: SessionTable, effect: PairDecision, now: Instant): void {
  const { server, spi } = effect;
  if (effect.kind === 'pair') {
    const session = ofEsp(table, effect.client, server, now);
    if (session) paired(table, session, spi, effect.confidence, effect.evidence, now);
    return;
  }
  if (effect.kind === 'collision') {
    warnOfSameSpi(table, effect);
    return;
  }
  const holder = table.findAlias(inboundAlias(server, spi));
  const part = holder?.sas.find((sa) => sa.spi === spi && sa.direction === 'in');
  if (!holder || !part) return;
  table.dropSa(holder, part);
  table.note(holder, `SPI ${hex(spi)} of the server is no longer this device's: ${effect.reason}`);
}

function paired(
  table: SessionTable,
  session: SessionRecord,
  spi: number,
  confidence: 'certain' | 'probable' | 'ambiguous',
  evidence: string,
  now: Instant,
): void {
  const holder = table.findAlias(inboundAlias(session.server, spi));
  if (holder && holder !== session) {
    const part = holder.sas.find((sa) => sa.spi === spi && sa.direction === 'in');
    if (part) table.dropSa(holder, part);
    table.note(holder, `SPI ${hex(spi)} of the server went over to ${session.client}: ${evidence}`);
    table.note(session, `SPI ${hex(spi)} of the server came from ${holder.client}.`);
  }
  const part = table.sa(session, 'in', spi, now);
  if (part.confidence !== confidence || part.evidence !== evidence) {
    table.note(session, `SPI ${hex(spi)} of the server is for this device (${confidence}): ${evidence}`);
  }
  part.confidence = confidence;
  part.evidence = evidence;
  part.lastSeen = now;
  session.espSilence = null;
  table.heard(session, 'in', now);
}

/** The loser gets nothing, so both are told. */
function warnOfSameSpi(
  table: SessionTable,
  { server, spi, client, other }: Extract<PairDecision, { kind: 'collision' }>,
): void {
  for (const [device, rival] of [
    [client, other],
    [other, client],
  ] as const) {
    const session = device === null ? null : table.find(rawKey(device, server));
    if (!session) continue;
    const whom = rival === null ? 'another device' : rival;
    session.warning = `This device and ${whom} have chosen the same SPI ${hex(spi)} for the same server, which no NAT can tell apart: reconnect one of them.`;
    table.touch(session);
  }
}

const hex = (spi: number): string => `0x${spi.toString(16).padStart(8, '0')}`;
