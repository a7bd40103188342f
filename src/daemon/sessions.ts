// The live sessions as the daemon keeps them: tells the session machine what was observed, writes what
// becomes of the sessions into the journal, and gives them to the API. Knows the clock, which the
// machine does not, and no socket. After a restart the journal's sessions go on with those parts of
// them that the kernel still has.
import type { Flow, PairingEffect } from '../core/alg/fact.ts';
import {
  shiftInstants,
  switchOfProtocol,
  type SessionRecord,
  type SwitchName,
} from '../core/alg/session-record.ts';
import { renderSessionEffect, renderSessionInput } from '../core/alg/session-transcript.ts';
import type { SessionEffect } from '../core/alg/session-table.ts';
import { PROTOCOL_NAMES } from '../core/alg/protocol-names.ts';
import { SessionMachine, type SessionInput } from '../core/alg/sessions.ts';
import { renderPairingEffect } from '../core/alg/transcript.ts';
import type { Protocol } from '../core/config/schema.ts';
import type { Session, SessionProtocol, SessionState, SessionStory } from './api/session.ts';
import type { Devices } from './devices.ts';
import type { EventLog } from './event-log.ts';
import { Failure } from './failure.ts';
import type { Journal } from './journal.ts';
import type { Log } from './log.ts';
import { rest } from './rest.ts';
import { describeSession, describeStory } from './session-shape.ts';
import type { Trace } from './trace.ts';

/** Soon after something happened; several things in a moment are written at once. */
const WRITE_AFTER_MS = 200;
/** What has passed is in the kernel too, so it need not be written often: memory cards wear out. */
const WRITE_TRAFFIC_EVERY_MS = 300_000;
/** So many leave megabytes behind that V8 would not look at for a long time. */
const MANY_CHANGES = 2_000;
const REST_MS = 2_000;
/** Clocks are set by small steps all the time; a machine without one starts in 1970. */
const CLOCK_STEP_MS = 5_000;
/** Ended sessions that the API gives at once. */
const MOST_ENDED_SHOWN = 1_000;

/** What was taken from the kernel when a session was ended. */
export interface Released {
  /** Conntrack entries. */
  readonly connections: number;
  /** ESP associations whose device was forgotten. */
  readonly associations: number;
}

export interface SessionFilter {
  /** Id, address or name. */
  readonly device?: string | undefined;
  readonly protocol?: SessionProtocol | undefined;
  readonly state?: SessionState | undefined;
  /** Those that have ended too. */
  readonly ended?: boolean | undefined;
}

type RecognisedFlow = Pick<Flow, 'protocol' | 'client' | 'server' | 'clientPort' | 'serverPort'>;

export interface SessionsOptions {
  readonly journal: Journal;
  readonly devices: Devices;
  /** What the DNS calls a server, where that is asked for. */
  readonly serverName: (address: string) => string | null;
  readonly events: EventLog;
  readonly log: Log;
  readonly trace: Trace | null;
  /** Raw ESP that is idle for so long is forgotten by the kernel. */
  readonly espIdleMs: number;
  /** Takes a session's parts out of the kernel. */
  readonly release: (session: SessionRecord) => Promise<Released>;
}

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #machine: SessionMachine;
  /** Between the machine's clock and that of the world. */
  #epoch = Math.round(Date.now() - performance.now());
  readonly #dirty = new Set<Readonly<SessionRecord>>();
  #wakeTimer: NodeJS.Timeout | null = null;
  #wakeAt = Infinity;
  #writeTimer: NodeJS.Timeout | null = null;
  readonly #trafficTimer: NodeJS.Timeout;
  #changes = 0;
  /** Runs out when nothing has been written for a while after very much was. */
  readonly #restTimer: NodeJS.Timeout;
  #releasing: SessionRecord | null = null;

  constructor(options: SessionsOptions) {
    this.#options = options;
    const { journal, espIdleMs } = options;
    this.#machine = new SessionMachine({ nextId: journal.nextSessionId(), espIdleMs });
    const sessions = journal.liveSessions().map((one) => shiftInstants(one, -this.#epoch));
    this.hear({ kind: 'restore', sessions });
    this.#trafficTimer = setInterval(() => this.#writeTraffic(), WRITE_TRAFFIC_EVERY_MS).unref();
    this.#restTimer = setTimeout(() => this.#rest(), REST_MS).unref();
  }

  /** The records of all that live, in the journal's time. */
  *kept(): Iterable<SessionRecord> {
    for (const session of this.#machine.sessions()) yield shiftInstants(session, this.#epoch);
  }

  /** The parts of all that live, for whoever looks for them in the kernel. */
  live(): Iterable<Readonly<SessionRecord>> {
    return this.#machine.sessions();
  }

  /** The connections of protocols that no port tells. */
  *recognisedFlows(): Iterable<RecognisedFlow> {
    for (const { client, server, protocol, flows } of this.#machine.sessions()) {
      if (switchOfProtocol(protocol) !== null) continue;
      for (const { protocol, clientPort, serverPort } of flows)
        yield { protocol, client, server, clientPort, serverPort };
    }
  }

  set espIdleMs(value: number) {
    this.#machine.espIdleMs = value;
  }

  /** What was observed, or asked for. */
  hear(input: SessionInput): void {
    const now = performance.now();
    this.#options.trace?.write(now, '>>', (mask) => renderSessionInput(input, mask));
    this.#perform(this.#machine.handle(input, now), now);
  }

  /** What the pairing machine wants done. In a transcript it is said and not heard. */
  decided(effect: PairingEffect): void {
    const now = performance.now();
    this.#options.trace?.write(now, '<<', (mask) => renderPairingEffect(effect, mask));
    if (effect.kind === 'pair' || effect.kind === 'unpair' || effect.kind === 'collision')
      this.#perform(this.#machine.handle(effect, now), now);
  }

  switch(disabled: readonly SwitchName[]): void {
    this.hear({ kind: 'switches', disabled });
  }

  /** Throws Failure when there is no such session, or it has ended. Resolves to it as it was, and what the kernel forgot. */
  async end(id: string): Promise<{ session: Session; released: Released }> {
    const found = this.#machine.session(Number(id));
    if (!found || !/^\d+$/.test(id)) {
      const former = this.#kept(id);
      if (former?.endedAt != null)
        throw new Failure(
          'not-found',
          `The session "${id}" has ended already, at ${new Date(former.endedAt).toISOString()}.`,
        );
      throw unknown(id);
    }
    const session = this.#describe(found);
    this.#releasing = null;
    this.hear({ kind: 'end', id: found.id });
    const record = this.#releasing as SessionRecord | null;
    const released = record ? await this.#options.release(record) : { connections: 0, associations: 0 };
    return { session, released };
  }

  list(filter: SessionFilter = {}): Session[] {
    return [...this.each(filter)];
  }

  /**
   * The sessions that end when these protocols are turned off, as they are now: to be described by what is
   * returned, which takes its time, when the switch is thrown.
   */
  governed(protocols: readonly Protocol[]): () => Session[] {
    const records = [...this.#machine.sessions()].filter(({ protocol, state }) => {
      const governs = switchOfProtocol(protocol);
      return governs !== null && protocols.includes(governs) && state !== 'ended' && state !== 'blocked';
    });
    return () => records.map((record) => this.#describe(record));
  }

  /** As `list`, one by one: ten thousand of them at once are some megabytes. */
  *each({ device, protocol, state, ended }: SessionFilter = {}): Iterable<Session> {
    const now = performance.now();
    const isWanted = (record: Readonly<SessionRecord>): boolean =>
      (protocol === undefined || record.protocol === protocol) &&
      (state === undefined || record.state === state);
    for (const record of this.#machine.sessions()) {
      if (!isWanted(record)) continue;
      const session = this.#describe(record, now);
      if (device === undefined || isDevice(session, device)) yield session;
    }
    if (ended !== true && state !== 'ended') return;
    this.#write();
    for (const kept of this.#options.journal.endedSessions(MOST_ENDED_SHOWN)) {
      if (!isWanted(kept)) continue;
      const session = this.#describe(shiftInstants(kept, -this.#epoch), now);
      if (device === undefined || isDevice(session, device)) yield session;
    }
  }

  /** Everything known of one, also when it has ended. Throws Failure. */
  story(id: string): SessionStory {
    const live = /^\d+$/.test(id) ? this.#machine.session(Number(id)) : null;
    const kept = live ? null : this.#kept(id);
    const record = live ?? (kept && shiftInstants(kept, -this.#epoch));
    if (!record) throw unknown(id);
    this.#write();
    const history = this.#options.journal.history(record.id);
    return describeStory(record, this.#describe(record), history, this.#epoch);
  }

  /** How many of each device there are, by its address. */
  countByAddress(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { client } of this.#machine.sessions()) counts.set(client, (counts.get(client) ?? 0) + 1);
    return counts;
  }

  /** Writes all that lives, so that the next start goes on from here. */
  close(): void {
    if (this.#wakeTimer) clearTimeout(this.#wakeTimer);
    if (this.#writeTimer) clearTimeout(this.#writeTimer);
    clearInterval(this.#trafficTimer);
    clearTimeout(this.#restTimer);
    this.#writeTraffic();
  }

  #kept(id: string): SessionRecord | null {
    this.#write();
    return /^\d{1,15}$/.test(id) ? this.#options.journal.session(Number(id)) : null;
  }

  #describe(record: Readonly<SessionRecord>, now = performance.now()): Session {
    return describeSession(record, {
      device: this.#options.devices.identify(record.client),
      serverName: record.serverName === null ? this.#options.serverName(record.server) : null,
      now,
      epoch: this.#epoch,
      espIdleMs: this.#machine.espIdleMs,
    });
  }

  #perform(effects: readonly SessionEffect[], now: number): void {
    for (const effect of effects) {
      this.#options.trace?.write(now, '<<', (mask) => renderSessionEffect(effect, mask));
      this.#performOne(effect, now);
    }
    this.#scheduleWake();
  }

  #performOne(effect: SessionEffect, now: number): void {
    const { journal, devices, events } = this.#options;
    const at = Math.round(now + this.#epoch);
    if (effect.kind === 'crowded') {
      const what = `${devices.call(effect.client)} has ${effect.limit} VPN sessions, the most that are shown for one device; the others pass and are not shown.`;
      events.tell({
        kind: 'session',
        level: 'warn',
        what,
        session: null,
        device: devices.identify(effect.client).id,
      });
      return;
    }
    const { session } = effect;
    this.#touch(session);
    const tell = (level: 'info' | 'warn', what: string): void =>
      events.tell({
        kind: 'session',
        level,
        what: `${devices.call(session.client)}, ${PROTOCOL_NAMES[session.protocol]} with ${session.server}: ${what}`,
        session: String(session.id),
        device: devices.identify(session.client).id,
      });
    switch (effect.kind) {
      case 'began':
        devices.saw(session.client, session.protocol, at);
        journal.addLine(session.id, at, `It began, with ${session.server}.`);
        tell('info', 'it began.');
        break;
      case 'noted':
        journal.addLine(session.id, at, effect.what);
        break;
      case 'turned': {
        const line = session.trouble ?? STATE_LINES[session.state];
        journal.addLine(session.id, at, session.trouble ? `${capital(session.state)}: ${line}` : line);
        devices.saw(session.client, session.protocol, at);
        if (session.trouble !== null) tell('warn', session.trouble);
        else if (session.state === 'up' && effect.from !== 'idle') tell('info', 'it is up.');
        break;
      }
      case 'ended':
        journal.addLine(session.id, at, `Ended: ${effect.reason}`);
        tell('info', `it ended. ${effect.reason}`);
        break;
      case 'merged':
        this.#dirty.delete(session);
        journal.dropSession(session.id);
        break;
      case 'release':
        this.#releasing = session;
        break;
    }
  }

  #touch(session: SessionRecord): void {
    this.#changes += 1;
    this.#dirty.add(session);
    this.#writeTimer ??= setTimeout(() => this.#write(), WRITE_AFTER_MS).unref();
  }

  #write(): void {
    if (this.#writeTimer) clearTimeout(this.#writeTimer);
    this.#writeTimer = null;
    const { journal } = this.#options;
    for (const session of this.#dirty)
      journal.keepSession(session.id, () => shiftInstants(session, this.#epoch));
    this.#dirty.clear();
    journal.flush();
    this.#followClock();
    if (this.#changes >= MANY_CHANGES) this.#restTimer.refresh();
  }

  #writeTraffic(): void {
    for (const session of this.#machine.sessions()) this.#dirty.add(session);
    this.#write();
  }

  #rest(): void {
    if (this.#changes < MANY_CHANGES) return;
    this.#changes = 0;
    rest();
  }

  /** The world's clock was set: what is known keeps its distance from now. */
  #followClock(): void {
    const epoch = Math.round(Date.now() - performance.now());
    if (Math.abs(epoch - this.#epoch) > CLOCK_STEP_MS) this.#epoch = epoch;
  }

  #scheduleWake(): void {
    const next = this.#machine.nextWake();
    if (next === null || next >= this.#wakeAt) return;
    if (this.#wakeTimer) clearTimeout(this.#wakeTimer);
    this.#wakeAt = next;
    const wake = (): void => {
      this.#wakeAt = Infinity;
      this.#wakeTimer = null;
      const now = performance.now();
      this.#perform(this.#machine.wake(now), now);
    };
    this.#wakeTimer = setTimeout(wake, Math.max(1, next - performance.now())).unref();
  }
}

const STATE_LINES: Readonly<Record<SessionState, string>> = {
  negotiating: 'It is negotiated anew.',
  up: 'It is up.',
  idle: 'Nothing has passed for two minutes.',
  blocked: 'It is refused.',
  failing: 'It fails.',
  ended: 'It ended.',
};

const capital = (word: string): string => `${word[0]!.toUpperCase()}${word.slice(1)}`;

function unknown(id: string): Failure {
  return new Failure(
    'not-found',
    `There is no session "${id}". "throughway sessions --ended" lists those there are and were.`,
  );
}

function isDevice({ device }: Session, wanted: string): boolean {
  const low = wanted.toLowerCase();
  return [device.id, device.address, device.mac, device.name].some((one) => one?.toLowerCase() === low);
}
