// What the daemon does about what passes: the kernel's copies and lists go through the observer, which
// makes facts of them; each fact is told to the machines, and what they want is done. While it runs
// it keeps the kernel's "daemon_alive" fresh, so that the kernel asks instead of guessing; when it
// stops, the kernel goes on by itself.
import type { Ipv4Address } from '../core/address.ts';
import type { CopyKind } from '../core/alg/copy.ts';
import type { Fact, PairingEffect } from '../core/alg/fact.ts';
import type { Territory } from '../core/alg/flow-table.ts';
import type { Instant, Machine } from '../core/alg/machine.ts';
import { Observer, type Observation as Input } from '../core/alg/observer.ts';
import { renderFact, renderPairingEffect } from '../core/alg/transcript.ts';
import { OBSERVATION_GROUP } from '../core/policy/observe.ts';
import { TABLE_NAME } from '../core/policy/ruleset.ts';
import { ALIVE_KEY, ALIVE_MS, RELEASE_MARK, TRANSLATE_MARK } from '../core/policy/turns.ts';
import { LinuxError } from '../linux/libc.ts';
import { TableReader, type ElementStep } from '../linux/nft-table.ts';
import { PacketSender } from '../linux/packet-sender.ts';
import { HeldPackets } from './held-packets.ts';
import { KernelSources, type SourceOptions } from './kernel-sources.ts';
import type { Log } from './log.ts';
import { PairingEffects } from './pairing-effects.ts';
import type { ObservationStatus } from './status.ts';

/** A third of what the kernel waits. */
const TICK_MS = ALIVE_MS / 3;

export interface ObservationOptions {
  readonly log: Log;
  /** Whether every fact is written to the log. */
  readonly debug: boolean;
  /** Null: the kernel pairs by itself. */
  readonly pairing: Machine<Fact, PairingEffect> | null;
  /** How long a pair lives in the kernel without a packet. */
  readonly espIdleMs: () => number;
  readonly isIkePreserved: () => boolean;
  /** Told each fact, and each decision, in order. */
  readonly onFact: (fact: Fact, now: Instant) => void;
  readonly onDecision: (effect: PairingEffect, now: Instant) => void;
  /** All that the kernel knew has been told. */
  readonly onTakenOver: (now: Instant) => void;
  readonly onTrouble: (key: string, sentence: string | null) => void;
  /** As of KernelSources. */
  readonly countsBeside: SourceOptions['countsBeside'];
  readonly onClose: () => void;
}

/** A connection that an earlier run recognised by its first packets, which do not come again. */
type RememberedFlow = Extract<Input, { kind: 'remembered' }>['flow'];

export class Observation {
  readonly #options: ObservationOptions;
  readonly #observer = new Observer();
  readonly #held = new HeldPackets();
  readonly #table = new TableReader(TABLE_NAME);
  readonly #tracked = new PacketSender(TRANSLATE_MARK);
  readonly #untracked = new PacketSender(RELEASE_MARK);
  readonly #sources: KernelSources;
  readonly #effects: PairingEffects;
  #wanAddress: Ipv4Address | null = null;
  #tick: NodeJS.Timeout | null = null;
  #wake: NodeJS.Timeout | null = null;
  #facts = 0;

  constructor(options: ObservationOptions) {
    this.#options = options;
    this.#sources = new KernelSources({
      table: this.#table,
      wants: (glance) => this.#observer.wants(glance),
      onInput: (input) => this.#feed(input),
      hold: (kind, packet) => this.#hold(kind, packet),
      onTrouble: (sentence) => options.onTrouble('observation', sentence),
      countsBeside: options.countsBeside,
      now: () => this.#now(),
    });
    this.#effects = new PairingEffects({
      table: this.#table,
      held: this.#held,
      tracked: this.#tracked,
      untracked: this.#untracked,
      espIdleMs: options.espIdleMs,
      wanAddress: () => this.#wanAddress,
      isIkePreserved: options.isIkePreserved,
      locate: (packet) => this.#observer.locate(packet),
      onTrouble: (sentence) => options.onTrouble('pairing', sentence),
    });
  }

  /** Resolves when what the kernel knows has been taken over. */
  async start(territory: Territory, remembered: Iterable<RememberedFlow> = []): Promise<void> {
    this.setTerritory(territory);
    for (const flow of remembered) this.#feed({ kind: 'remembered', flow });
    try {
      await this.#sources.open();
    } catch (error) {
      if (!(error instanceof LinuxError)) throw error;
      const reason =
        error.errno === 'EPERM'
          ? `Another program reads the packets' copies (NFLOG group ${OBSERVATION_GROUP}); stop it.`
          : `The kernel makes no copies of packets (${error.message}); load the module "nfnetlink_log".`;
      this.#options.onTrouble(
        'observation',
        `${reason} Until then no sessions are shown, and the kernel pairs ESP alone.`,
      );
      return;
    }
    this.#options.onTakenOver(this.#now());
    await this.#renew();
    this.#tick = setInterval(() => void this.#everySecond(), TICK_MS);
    this.#tick.unref();
    this.#sleep();
  }

  setTerritory(territory: Territory): void {
    this.#wanAddress = territory.wanAddress;
    this.#feed({ kind: 'territory', territory });
  }

  get status(): ObservationStatus {
    const { counts } = this.#observer;
    return {
      copies: this.#sources.counts.copies,
      missed: this.#sources.counts.missed,
      unreadable: counts.unreadable,
      facts: this.#facts,
      held: this.#held.size,
      paired: this.#effects.counts.paired,
    };
  }

  /** The kernel is told that nobody watches any more, and pairs by itself at once. */
  async close(): Promise<void> {
    this.#options.onClose();
    this.#sources.close();
    if (this.#tick) clearInterval(this.#tick);
    if (this.#wake) clearTimeout(this.#wake);
    await this.#effects.perform([]);
    const element = { key: Uint8Array.of(ALIVE_KEY), data: null, timeoutMs: null };
    await this.#change([{ step: 'delete', set: 'daemon_alive', element }]);
    this.#table.close();
    this.#tracked.close();
    this.#untracked.close();
  }

  #now(): Instant {
    return performance.now();
  }

  #hold(kind: CopyKind, packet: Uint8Array): number {
    // The server's address: of what goes out the destination, of what comes in the source.
    const at = kind === 'ike-held-lan' || kind === 'esp-held-out' ? 16 : 12;
    return this.#held.hold(kind, packet.subarray(at, at + 4).join('.'), packet, this.#now());
  }

  #feed(input: Input): void {
    const now = this.#now();
    const facts = this.#observer.handle(input, now);
    // What was held and then told nobody anything is not waited for.
    if (facts.length === 0 && input.kind === 'copy' && input.held !== null) this.#held.drop(input.held);
    for (const fact of facts) this.#tell(fact, now);
    if (facts.length > 0) this.#sleep();
  }

  #tell(fact: Fact, now: Instant): void {
    this.#facts += 1;
    if (this.#options.debug) this.#options.log('debug', `>> ${renderFact(fact)}`);
    this.#options.onFact(fact, now);
    this.#perform(this.#options.pairing?.handle(fact, now) ?? [], now);
  }

  #perform(effects: readonly PairingEffect[], now: Instant): void {
    for (const effect of effects) {
      if (this.#options.debug) this.#options.log('debug', `<< ${renderPairingEffect(effect)}`);
      if (effect.kind === 'pair') {
        const { server, spi, client, instead } = effect;
        if (instead !== null)
          this.#feed({
            kind: 'unpaired',
            element: { direction: 'in', server, spi, client: instead, counter: null },
          });
        this.#feed({ kind: 'paired', element: { direction: 'in', server, spi, client, counter: null } });
      }
      this.#options.onDecision(effect, now);
    }
    void this.#effects.perform(effects);
  }

  /** Sleeps until the machine wants to be woken. */
  #sleep(): void {
    if (this.#wake) clearTimeout(this.#wake);
    const { pairing } = this.#options;
    const next = pairing?.nextWake() ?? null;
    if (pairing === null || next === null) return;
    this.#wake = setTimeout(
      () => {
        const now = this.#now();
        this.#perform(pairing.wake(now), now);
        this.#sleep();
      },
      Math.max(1, next - this.#now()),
    );
    this.#wake.unref();
  }

  async #everySecond(): Promise<void> {
    this.#held.expire(this.#now());
    await this.#renew();
  }

  /** Add, delete and add: an element that is there keeps its old timeout otherwise. */
  async #renew(): Promise<void> {
    if (this.#options.pairing === null) return;
    const step = (what: ElementStep['step']): ElementStep => ({
      step: what,
      set: 'daemon_alive',
      element: { key: Uint8Array.of(ALIVE_KEY), data: null, timeoutMs: ALIVE_MS },
    });
    await this.#change([step('add'), step('delete'), step('add')]);
  }

  async #change(steps: readonly ElementStep[]): Promise<void> {
    try {
      await this.#table.change(steps);
    } catch (error) {
      // Without our table there is nothing to be alive for; it is put back by the gateway.
      if (!(error instanceof LinuxError)) throw error;
    }
  }
}
