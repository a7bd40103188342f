// The sessions that live, what finds them, and the limits of the table. The trackers write into its
// records through it, so that whatever they touch is judged anew and told. Knows no protocol.
import type { Address, Flow } from './fact.ts';
import type { Instant } from './machine.ts';
import {
  addTraffic,
  flowKey,
  switchOfProtocol,
  type FlowPart,
  type SaPart,
  type SessionProtocol,
  type SessionRecord,
  type SwitchName,
  type Traffic,
} from './session-record.ts';
import { judge } from './session-judgement.ts';

/** What becomes of the sessions. The records are the machine's own: who keeps one copies it. */
export type SessionEffect =
  | { readonly kind: 'began'; readonly session: SessionRecord }
  /** State or trouble differ. */
  | { readonly kind: 'turned'; readonly session: SessionRecord; readonly from: SessionRecord['state'] }
  /** A line for its history. */
  | { readonly kind: 'noted'; readonly session: SessionRecord; readonly what: string }
  | { readonly kind: 'ended'; readonly session: SessionRecord; readonly reason: string }
  /** A session that is no longer shown and leaves no history: it became part of another. */
  | { readonly kind: 'merged'; readonly session: SessionRecord; readonly into: SessionRecord }
  /** What the kernel must forget of a session that was ended on request. */
  | { readonly kind: 'release'; readonly session: SessionRecord }
  /** A device has more sessions than are kept for one; said once a minute. */
  | { readonly kind: 'crowded'; readonly client: Address; readonly limit: number };

export interface SessionLimits {
  /** Of all devices together: some 60 MB. */
  readonly sessions: number;
  /** So that no device can take the room of the others. */
  readonly perDevice: number;
  /** SoftEther uses up to 32 TCP connections, and has a few that are closing. */
  readonly flowsPerSession: number;
  /** Rekeying leaves old ones behind for as long as the kernel keeps them. */
  readonly sasPerSession: number;
}

export const SESSION_LIMITS: SessionLimits = {
  sessions: 16_384,
  perDevice: 1_024,
  flowsPerSession: 64,
  sasPerSession: 64,
};

/** IKE SAs that a session is found by; a rekey leaves one behind. */
const MOST_ALIASES = 8;
/** Control connections that linger after the last message: seconds to minutes. */
const MOST_OUTLIVED = 4_096;
const CROWDED_EVERY_MS = 60_000;

export interface SessionDraft {
  readonly key: string;
  readonly protocol: SessionProtocol;
  readonly guessed?: boolean;
  readonly client: Address;
  readonly server: Address;
  readonly serverPort: number | null;
  readonly serverName?: string | null;
}

export class SessionTable {
  readonly #limits: SessionLimits;
  readonly #sessions = new Map<number, SessionRecord>();
  readonly #byKey = new Map<string, SessionRecord>();
  /** By conntrack entry, IKE initiator SPI and ESP SPI. */
  readonly #byAlias = new Map<string, SessionRecord>();
  readonly #perDevice = new Map<Address, Set<SessionRecord>>();
  readonly #touched = new Set<SessionRecord>();
  /** Of an earlier run, and not yet seen to live. */
  readonly #unconfirmed = new Set<SessionRecord>();
  readonly #unconfirmedParts = new Set<FlowPart | SaPart>();
  readonly #lookAgain = new Map<SessionRecord, Instant>();
  readonly #crowdedSaid = new Map<Address, Instant>();
  /** Sessions with a server, of one protocol. */
  readonly #perServer = new Map<string, number>();
  /** Entries that outlive their session, by conntrack's id: they open no new one. */
  readonly #outlived = new Map<string, number>();
  #nextId: number;
  #effects: SessionEffect[] = [];
  #earliest: Instant = Infinity;
  disabled: ReadonlySet<SwitchName> = new Set();
  espIdleMs: number;

  constructor(nextId: number, espIdleMs: number, limits: SessionLimits) {
    this.#nextId = nextId;
    this.espIdleMs = espIdleMs;
    this.#limits = limits;
  }

  get size(): number {
    return this.#sessions.size;
  }

  all(): IterableIterator<SessionRecord> {
    return this.#sessions.values();
  }

  get(id: number): SessionRecord | null {
    return this.#sessions.get(id) ?? null;
  }

  find(key: string): SessionRecord | null {
    return this.#byKey.get(key) ?? null;
  }

  findAlias(alias: string): SessionRecord | null {
    return this.#byAlias.get(alias) ?? null;
  }

  ofDevice(client: Address): Iterable<SessionRecord> {
    return this.#perDevice.get(client) ?? [];
  }

  /** A new session, or null when there is no room for it. One that was refused before goes on. */
  open(draft: SessionDraft, now: Instant): SessionRecord | null {
    const governing = switchOfProtocol(draft.protocol);
    // IPsec has one key for each device and server in any case.
    const isByPort = governing === 'pptp' || governing === 'l2tp';
    const refused = isByPort ? this.find(placeholderKey(governing, draft.client, draft.server)) : null;
    if (refused && refused.key !== draft.key) {
      this.rename(refused, draft.key, draft.protocol);
      return refused;
    }
    if (!this.#makeRoom(draft.client, now)) return null;
    const session: SessionRecord = {
      id: this.#nextId,
      key: draft.key,
      protocol: draft.protocol,
      guessed: draft.guessed ?? false,
      client: draft.client,
      server: draft.server,
      serverPort: draft.serverPort,
      serverName: draft.serverName ?? null,
      since: now,
      endedAt: null,
      state: 'negotiating',
      trouble: null,
      phase: 'opening',
      refusal: null,
      warning: null,
      restarts: 0,
      lastOut: null,
      lastIn: null,
      silence: null,
      espSilence: null,
      flows: [],
      sas: [],
      tunnels: [],
      past: { out: { packets: 0, bytes: 0 }, in: { packets: 0, bytes: 0 } },
      details: {},
      aliases: [],
    };
    this.#nextId += 1;
    this.#admit(session);
    this.#effects.push({ kind: 'began', session });
    return session;
  }

  /** Takes a session of an earlier run back in. False when its id or key is taken. */
  restore(session: SessionRecord): boolean {
    if (this.#sessions.has(session.id) || this.#byKey.has(session.key)) return false;
    if (this.#sessions.size >= this.#limits.sessions) return false;
    this.#nextId = Math.max(this.#nextId, session.id + 1);
    this.#admit(session);
    this.#unconfirmed.add(session);
    for (const part of [...session.flows, ...session.sas]) this.#unconfirmedParts.add(part);
    for (const flow of session.flows) this.#byAlias.set(this.#flowAlias(session, flow), session);
    for (const sa of session.sas) this.#byAlias.set(saAlias(session, sa), session);
    for (const alias of session.aliases) this.#byAlias.set(alias, session);
    return true;
  }

  /** Ends what was restored and has not been seen since. */
  endUnconfirmed(reason: string, now: Instant): void {
    for (const session of this.#unconfirmed) {
      if (session.state !== 'blocked') this.end(session, reason, now);
    }
    for (const session of this.#sessions.values()) {
      const gone = this.#unconfirmedParts;
      for (const flow of session.flows.filter((one) => gone.has(one))) this.dropFlow(session, flow);
      for (const sa of session.sas.filter((one) => gone.has(one))) this.dropSa(session, sa);
    }
    this.#unconfirmed.clear();
    this.#unconfirmedParts.clear();
  }

  #confirm(session: SessionRecord, part: FlowPart | SaPart | null): void {
    this.#unconfirmed.delete(session);
    if (part) this.#unconfirmedParts.delete(part);
  }

  /** Whatever a tracker has changed in a record. */
  touch(session: SessionRecord): void {
    this.#touched.add(session);
  }

  note(session: SessionRecord, what: string): void {
    this.#effects.push({ kind: 'noted', session, what });
  }

  /** Something was heard: of the device (`out`) or of the server (`in`). */
  heard(session: SessionRecord, direction: 'out' | 'in', now: Instant, traffic?: Traffic): void {
    this.#confirm(session, null);
    if (direction === 'in') {
      session.lastIn = now;
      session.silence = null;
    } else {
      session.lastOut = now;
      session.silence ??= { since: now, packets: 0, bytes: 0 };
      if (traffic) addTraffic(session.silence, traffic);
    }
    this.touch(session);
  }

  rename(session: SessionRecord, key: string, protocol: SessionProtocol): void {
    this.#byKey.delete(session.key);
    this.#count(session, -1);
    session.key = key;
    session.protocol = protocol;
    this.#byKey.set(key, session);
    this.#count(session, 1);
    this.touch(session);
  }

  /** Another name that finds it; the oldest of many goes. */
  alias(session: SessionRecord, alias: string): void {
    if (this.#byAlias.get(alias) === session) return;
    this.#byAlias.set(alias, session);
    session.aliases.push(alias);
    if (session.aliases.length > MOST_ALIASES) this.#drop(session, session.aliases.shift()!);
  }

  /** The part of the session that this conntrack entry is, made if there is room. */
  flow(session: SessionRecord, flow: Pick<Flow, 'protocol' | 'clientPort' | 'serverPort'>): FlowPart | null {
    const same = session.flows.find(
      (one) =>
        one.protocol === flow.protocol &&
        one.clientPort === flow.clientPort &&
        one.serverPort === flow.serverPort,
    );
    this.#confirm(session, same ?? null);
    if (same) return same;
    if (session.flows.length >= this.#limits.flowsPerSession) return null;
    const part: FlowPart = {
      protocol: flow.protocol,
      clientPort: flow.clientPort,
      serverPort: flow.serverPort,
      id: 0,
      answered: false,
      out: { packets: 0, bytes: 0 },
      in: { packets: 0, bytes: 0 },
      expiresAt: null,
    };
    session.flows.push(part);
    this.#byAlias.set(flowKey(session.client, session.server, flow), session);
    return part;
  }

  dropFlow(session: SessionRecord, part: FlowPart): void {
    session.flows.splice(session.flows.indexOf(part), 1);
    addTraffic(session.past.out, part.out);
    addTraffic(session.past.in, part.in);
    this.#drop(session, this.#flowAlias(session, part));
    this.touch(session);
  }

  /** The association of this SPI, made if it is new; of very many the longest silent one goes. */
  sa(session: SessionRecord, direction: 'out' | 'in', spi: number, now: Instant): SaPart {
    const same = session.sas.find((one) => one.spi === spi && one.direction === direction);
    this.#confirm(session, same ?? null);
    if (same) return same;
    if (session.sas.length >= this.#limits.sasPerSession) {
      this.dropSa(
        session,
        session.sas.reduce((oldest, one) => (one.lastSeen < oldest.lastSeen ? one : oldest)),
      );
    }
    const part: SaPart = {
      direction,
      spi,
      since: now,
      lastSeen: now,
      traffic: { packets: 0, bytes: 0 },
      confidence: null,
      evidence: null,
    };
    session.sas.push(part);
    this.#byAlias.set(saAlias(session, part), session);
    this.touch(session);
    return part;
  }

  dropSa(session: SessionRecord, part: SaPart): void {
    session.sas.splice(session.sas.indexOf(part), 1);
    addTraffic(session.past[part.direction], part.traffic);
    this.#drop(session, saAlias(session, part));
    this.touch(session);
  }

  end(session: SessionRecord, reason: string, now: Instant): void {
    if (session.endedAt !== null) return;
    session.endedAt = now;
    session.state = 'ended';
    for (const flow of session.flows) this.#outlived.set(this.#flowAlias(session, flow), flow.id);
    for (const oldest of this.#outlived.keys()) {
      if (this.#outlived.size <= MOST_OUTLIVED) break;
      this.#outlived.delete(oldest);
    }
    this.#remove(session);
    this.#effects.push({ kind: 'ended', session, reason });
  }

  /** Whether this conntrack entry belonged to a session that has ended. */
  hasOutlived(flow: Flow): boolean {
    return this.#outlived.get(flowKey(flow.client, flow.server, flow)) === flow.id;
  }

  /** A session that turns out to be part of another. */
  merge(session: SessionRecord, into: SessionRecord): void {
    this.#remove(session);
    this.#effects.push({ kind: 'merged', session, into });
  }

  release(session: SessionRecord): void {
    this.#effects.push({ kind: 'release', session });
  }

  /** Judges whatever was touched, and tells what came of it all. */
  takeEffects(now: Instant): SessionEffect[] {
    for (const session of this.#touched) this.#judge(session, now);
    this.#touched.clear();
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** When `lookAgain` has something to do. */
  get nextLook(): Instant | null {
    return this.#earliest === Infinity ? null : this.#earliest;
  }

  /** Touches every session whose time has come. */
  lookAgain(now: Instant): void {
    if (now < this.#earliest) return;
    this.#earliest = Infinity;
    for (const [session, at] of this.#lookAgain) {
      if (at <= now) this.touch(session);
      else if (at < this.#earliest) this.#earliest = at;
    }
  }

  #judge(session: SessionRecord, now: Instant): void {
    if (!this.#sessions.has(session.id)) return;
    const { state, trouble, lookAgainAt, over } = judge(session, {
      now,
      disabled: this.disabled,
      espIdleMs: this.espIdleMs,
      sharesServer: (this.#perServer.get(serverKey(session)) ?? 0) > 1,
    });
    if (over !== null) {
      this.end(session, over, now);
      return;
    }
    const from = session.state;
    if (state !== from || trouble !== session.trouble) {
      session.state = state;
      session.trouble = trouble;
      this.#effects.push({ kind: 'turned', session, from });
    }
    this.#lookAgain.set(session, lookAgainAt);
    if (lookAgainAt < this.#earliest) this.#earliest = lookAgainAt;
  }

  #admit(session: SessionRecord): void {
    this.#sessions.set(session.id, session);
    this.#byKey.set(session.key, session);
    const device = this.#perDevice.get(session.client);
    if (device) device.add(session);
    else this.#perDevice.set(session.client, new Set([session]));
    this.#count(session, 1);
    this.touch(session);
  }

  #remove(session: SessionRecord): void {
    this.#sessions.delete(session.id);
    if (this.#byKey.get(session.key) === session) this.#byKey.delete(session.key);
    for (const flow of session.flows) this.#drop(session, this.#flowAlias(session, flow));
    for (const sa of session.sas) this.#drop(session, saAlias(session, sa));
    for (const alias of session.aliases) this.#drop(session, alias);
    const device = this.#perDevice.get(session.client);
    device?.delete(session);
    if (device?.size === 0) this.#perDevice.delete(session.client);
    this.#count(session, -1);
    this.#touched.delete(session);
    this.#unconfirmed.delete(session);
    this.#lookAgain.delete(session);
  }

  #count(session: SessionRecord, change: number): void {
    const key = serverKey(session);
    const count = (this.#perServer.get(key) ?? 0) + change;
    if (count > 0) this.#perServer.set(key, count);
    else this.#perServer.delete(key);
  }

  #drop(session: SessionRecord, alias: string): void {
    if (this.#byAlias.get(alias) === session) this.#byAlias.delete(alias);
  }

  #flowAlias(session: SessionRecord, flow: FlowPart): string {
    return flowKey(session.client, session.server, flow);
  }

  /** What never got an answer goes first, the oldest before others; what the server has answered stays. */
  #makeRoom(client: Address, now: Instant): boolean {
    const own = this.#perDevice.get(client);
    if (own && own.size >= this.#limits.perDevice) {
      if (this.#evict(own, now)) return true;
      this.#sayCrowded(client, now);
      return false;
    }
    if (this.#sessions.size < this.#limits.sessions) return true;
    // The device with the most sessions gives way, and it may be this one.
    let largest: Set<SessionRecord> | null = null;
    for (const device of this.#perDevice.values()) {
      if (largest === null || device.size > largest.size) largest = device;
    }
    if (largest && this.#evict(largest, now)) return true;
    if (this.#evict(this.#sessions.values(), now)) return true;
    this.#sayCrowded(client, now);
    return false;
  }

  #evict(candidates: Iterable<SessionRecord>, now: Instant): boolean {
    for (const one of candidates) {
      if (one.lastIn !== null) continue;
      this.end(one, 'It made room for newer ones: the server had never answered.', now);
      return true;
    }
    return false;
  }

  #sayCrowded(client: Address, now: Instant): void {
    const said = this.#crowdedSaid.get(client);
    if (said !== undefined && now - said < CROWDED_EVERY_MS) return;
    for (const [other, at] of this.#crowdedSaid) {
      if (now - at >= CROWDED_EVERY_MS) this.#crowdedSaid.delete(other);
    }
    this.#crowdedSaid.set(client, now);
    this.#effects.push({ kind: 'crowded', client, limit: this.#limits.perDevice });
  }
}

function serverKey(session: SessionRecord): string {
  return `${session.protocol} ${session.server}`;
}

/** What is tried while its protocol is off, and what was ended by a switch, before its ports are known again. */
export function placeholderKey(governing: SwitchName, client: Address, server: Address): string {
  return governing === 'ipsec' ? `ipsec ${client} ${server}` : `${governing} ${client} refused ${server}`;
}

export function inboundAlias(server: Address, spi: number): string {
  return `in ${server} ${spi}`;
}

/** Inbound SPIs are unique for each server, whoever the device; outbound ones for each device and server. */
function saAlias(
  { client, server }: SessionRecord,
  { direction, spi }: Pick<SaPart, 'direction' | 'spi'>,
): string {
  return direction === 'in' ? inboundAlias(server, spi) : `out ${client} ${server} ${spi}`;
}
