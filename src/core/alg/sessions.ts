// The session machine: makes VPN sessions out of everything that is observed. It tells each fact to
// the tracker of its protocol and says what became of the sessions. Knows no packet, no kernel and
// no name of a device; the daemon keeps the journal and shows the table.
import { unreachable } from '../assert.ts';
import type { Fact, Refused } from './fact.ts';
import { handleEsp, handleIke, handlePair, type PairDecision } from './ipsec-sessions.ts';
import { handleL2tp } from './l2tp-tunnels.ts';
import type { Instant, Machine } from './machine.ts';
import { handlePptp } from './pptp-calls.ts';
import { handleFlow, handleRecognised } from './session-flows.ts';
import { switchOfProtocol, type SessionRecord, type SwitchName } from './session-record.ts';
import {
  placeholderKey,
  SESSION_LIMITS,
  SessionTable,
  type SessionEffect,
  type SessionLimits,
} from './session-table.ts';

export type SessionInput =
  | Fact
  | PairDecision
  /** Which switches are off now. */
  | { readonly kind: 'switches'; readonly disabled: readonly SwitchName[] }
  /** Somebody asked to end this session. */
  | { readonly kind: 'end'; readonly id: number }
  /** Sessions of an earlier run; what lives of them is shown by the facts that follow. */
  | { readonly kind: 'restore'; readonly sessions: readonly SessionRecord[] }
  /** All that the kernel knew has been told. */
  | { readonly kind: 'taken-over' };

export interface SessionMachineOptions {
  /** Of the next new session. */
  readonly nextId: number;
  /** Raw ESP that is idle for so long is forgotten by the kernel. */
  readonly espIdleMs: number;
  readonly limits?: SessionLimits;
}

/** A look at the sessions is never more often than this, however many deadlines there are. */
const LOOK_EVERY_MS = 1_000;

export class SessionMachine implements Machine<SessionInput, SessionEffect> {
  readonly #table: SessionTable;
  #lastLook: Instant = -Infinity;

  constructor({ nextId, espIdleMs, limits = SESSION_LIMITS }: SessionMachineOptions) {
    this.#table = new SessionTable(nextId, espIdleMs, limits);
  }

  /** All sessions that have not ended. They are the machine's own: not to be written to. */
  sessions(): IterableIterator<Readonly<SessionRecord>> {
    return this.#table.all();
  }

  session(id: number): Readonly<SessionRecord> | null {
    return this.#table.get(id);
  }

  get espIdleMs(): number {
    return this.#table.espIdleMs;
  }

  set espIdleMs(value: number) {
    this.#table.espIdleMs = value;
  }

  handle(input: SessionInput, now: Instant): SessionEffect[] {
    const table = this.#table;
    switch (input.kind) {
      case 'ike':
        handleIke(table, input, now);
        break;
      case 'esp-sent':
      case 'esp-passed':
      case 'esp-learned':
      case 'esp-counted':
      case 'esp-forgotten':
        handleEsp(table, input, now);
        break;
      case 'pair':
      case 'unpair':
      case 'collision':
        handlePair(table, input, now);
        break;
      case 'flow':
        handleFlow(table, input, now);
        break;
      case 'pptp':
        handlePptp(table, input, now);
        break;
      case 'l2tp':
        handleL2tp(table, input, now);
        break;
      case 'recognised':
        handleRecognised(table, input, now);
        break;
      case 'refused':
        this.#refused(input, now);
        break;
      case 'switches':
        this.#switch(input.disabled);
        break;
      case 'end':
        this.#end(input.id, now);
        break;
      case 'restore':
        for (const session of input.sessions) table.restore(session);
        break;
      case 'taken-over':
        table.endUnconfirmed('It ended while the gateway was not observing.', now);
        break;
      case 'esp-arrived':
      case 'esp-begun-again':
      case 'missed':
        // Whose it is, is the pairing machine's to say; what was missed shows in the next counters.
        break;
      default:
        unreachable(input);
    }
    return table.takeEffects(now);
  }

  nextWake(): Instant | null {
    const next = this.#table.nextLook;
    return next === null ? null : Math.max(next, this.#lastLook + LOOK_EVERY_MS);
  }

  wake(now: Instant): SessionEffect[] {
    this.#lastLook = now;
    this.#table.lookAgain(now);
    return this.#table.takeEffects(now);
  }

  /** A device tries what is switched off. */
  #refused({ protocol, client, server }: Refused, now: Instant): void {
    const table = this.#table;
    for (const session of table.ofDevice(client)) {
      if (session.server !== server || switchOfProtocol(session.protocol) !== protocol) continue;
      table.heard(session, 'out', now);
      return;
    }
    const key = placeholderKey(protocol, client, server);
    const serverPort = { ipsec: 500, pptp: 1723, l2tp: 1701 }[protocol];
    const session = table.open({ key, protocol, client, server, serverPort }, now);
    if (session) table.heard(session, 'out', now);
  }

  #switch(disabled: readonly SwitchName[]): void {
    const former = this.#table.disabled;
    this.#table.disabled = new Set(disabled);
    for (const session of this.#table.all()) {
      const governing = switchOfProtocol(session.protocol);
      if (governing === null || former.has(governing) === this.#table.disabled.has(governing)) continue;
      // The kernel has forgotten it in any case: it must negotiate anew.
      session.phase = 'opening';
      session.silence = session.espSilence = session.refusal = session.warning = null;
      session.tunnels = [];
      // Call IDs and cookies of what was; the next negotiation has others.
      session.details = {};
      // What its entries and pairs have carried is told with their end, a moment after they are off.
      if (!disabled.includes(governing)) this.#expectAgain(session, governing);
      this.#table.touch(session);
    }
  }

  /** The device comes back from another port: that continues this session. */
  #expectAgain(session: SessionRecord, governing: SwitchName): void {
    for (const flow of session.flows.toReversed()) this.#table.dropFlow(session, flow);
    for (const sa of session.sas.toReversed()) this.#table.dropSa(session, sa);
    const key = placeholderKey(governing, session.client, session.server);
    if (governing !== 'ipsec' && !this.#table.find(key)) this.#table.rename(session, key, session.protocol);
  }

  #end(id: number, now: Instant): void {
    const session = this.#table.get(id);
    if (!session) return;
    this.#table.release(session);
    this.#table.end(session, 'It was ended on request.', now);
  }
}
