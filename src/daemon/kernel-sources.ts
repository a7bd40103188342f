// Everything of the kernel that is observed: copies of packets, what conntrack announces, and now and
// then the whole of conntrack and of the maps of ESP. Each becomes an input of the observer, in the
// order in which it happened: conntrack is always read before a copy that may need it.
import type { CopyKind } from '../core/alg/copy.ts';
import { HELD_KINDS } from '../core/alg/copy.ts';
import { readEspElement, type EspElement } from '../core/alg/esp-element.ts';
import type { Instant } from '../core/alg/machine.ts';
import type { Observation } from '../core/alg/observer.ts';
import { wholeCount, type Count } from '../core/policy/fast-counts.ts';
import { copyKindOf, OBSERVATION_GROUP } from '../core/policy/observe.ts';
import type { ConntrackGlance } from '../core/wire/ctnetlink.ts';
import type { NftElement } from '../core/wire/nft-elements.ts';
import type { NflogPacket } from '../core/wire/nflog.ts';
import { openConntrackEvents, type ConntrackEvents } from '../linux/conntrack-events.ts';
import { streamConntrack } from '../linux/conntrack.ts';
import { LinuxError } from '../linux/libc.ts';
import { openNflog, type NflogReader } from '../linux/nflog.ts';
import type { TableReader } from '../linux/nft-table.ts';

/** Figures of running sessions are this old at the most, on a gateway that is not busy. */
const LIST_MS = 5_000;
/** Lists take at most a fortieth of the time, however long they are. */
const REST_FACTOR = 40;
/** After announcements were lost; they are lost again when it is done too often. */
const RELIST_MS = 500;

/**
 * What is held back for another device's turn is copied at once, and the message that took the turn only
 * behind more rules, perhaps on another processor: its copy may come later, and must be heard first.
 */
const OVERTAKEN_MS = 4;
const isOvertaken = (kind: CopyKind): boolean =>
  kind === 'ike-held-lan' || kind === 'ike-held-wan' || kind === 'esp-held-out';

export interface SourceOptions {
  readonly table: TableReader;
  readonly wants: (glance: ConntrackGlance) => boolean;
  /** Every input in its order. */
  readonly onInput: (input: Observation) => void;
  /** A packet that waits here now; gives its number. */
  readonly hold: (kind: CopyKind, packet: Uint8Array) => number;
  /** What cannot be read, or null when it can again. */
  readonly onTrouble: (sentence: string | null) => void;
  /** What an element of the maps of ESP does not count of its pair, because it took the fast path. */
  readonly countsBeside: (direction: 'out' | 'in', element: NftElement) => Count;
  readonly now: () => Instant;
}

export interface SourceCounts {
  copies: number;
  missed: number;
}

export class KernelSources {
  readonly counts: SourceCounts = { copies: 0, missed: 0 };
  readonly #options: SourceOptions;
  #nflog: NflogReader | null = null;
  #conntrack: ConntrackEvents | null = null;
  #timer: NodeJS.Timeout | null = null;
  #listing: Promise<void> | null = null;
  #overrun = false;
  #closed = false;

  constructor(options: SourceOptions) {
    this.#options = options;
  }

  /** Resolves when all that the kernel knows has been told. Throws LinuxError when copies cannot be had. */
  async open(): Promise<void> {
    const { wants, onInput } = this.#options;
    // Announcements first, so that nothing begins unseen while the list is read.
    this.#conntrack = openConntrackEvents({
      wants,
      onChange: (change, entry) => onInput({ kind: 'conntrack', change, entry }),
      onOverrun: () => {
        this.#overrun = true;
        this.#schedule(RELIST_MS);
      },
    });
    try {
      this.#nflog = await openNflog({
        group: OBSERVATION_GROUP,
        onPacket: (packet) => this.#take(packet),
        onMissed: (copies) => {
          this.counts.missed += copies;
          onInput({ kind: 'missed', copies });
        },
      });
    } catch (error) {
      this.#conntrack.close();
      throw error;
    }
    await this.#list();
  }

  close(): void {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#nflog?.close();
    this.#conntrack?.close();
  }

  #take({ prefix, payload }: NflogPacket): void {
    this.counts.copies += 1;
    const what = copyKindOf(prefix);
    if (what === null) return;
    if (what === 'wan' || what === 'ike-held-wan') this.#conntrack?.receiveNow();
    const held = HELD_KINDS.has(what) ? this.#options.hold(what, payload) : null;
    const input: Observation = { kind: 'copy', what, packet: payload, held };
    if (isOvertaken(what)) setTimeout(() => this.#closed || this.#options.onInput(input), OVERTAKEN_MS);
    else this.#options.onInput(input);
  }

  #schedule(ms: number): void {
    if (this.#closed) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#list(), ms);
    this.#timer.unref();
  }

  /** Tells everything anew; one list at a time. */
  #list(): Promise<void> {
    this.#listing ??= this.#listNow().finally(() => {
      this.#listing = null;
    });
    return this.#listing;
  }

  async #listNow(): Promise<void> {
    const { now, onTrouble } = this.#options;
    const began = now();
    this.#overrun = false;
    try {
      await this.#listConntrack();
      await this.#listElements('in', ['esp_in', 'esp_trial']);
      await this.#listElements('out', ['esp_out', 'esp_watched']);
      onTrouble(null);
    } catch (error) {
      if (!(error instanceof LinuxError)) throw error;
      // Somebody else has deleted our table; it is put back at once.
      if (!this.#closed && error.errno !== 'ENOENT') {
        onTrouble(`What passes cannot be read from the kernel, so sessions are shown late: ${error.message}`);
      }
    }
    this.#schedule(this.#overrun ? RELIST_MS : Math.max(LIST_MS, (now() - began) * REST_FACTOR));
  }

  async #listConntrack(): Promise<void> {
    const { wants, onInput } = this.#options;
    onInput({ kind: 'conntrack-list', at: 'begin' });
    const isComplete = await streamConntrack(wants, (entry) =>
      onInput({ kind: 'conntrack', change: 'update', entry }),
    );
    if (isComplete && !this.#closed) onInput({ kind: 'conntrack-list', at: 'end' });
  }

  async #listElements(direction: 'in' | 'out', sets: readonly string[]): Promise<void> {
    const { countsBeside } = this.#options;
    const elements: EspElement[] = [];
    let isComplete = true;
    for (const set of sets) {
      isComplete &&= await this.#options.table.listElements(set, (element) => {
        const { counter } = element;
        const isPair = set === `esp_${direction}`;
        const read = readEspElement(direction, {
          ...element,
          counter: counter && isPair ? wholeCount(counter, countsBeside(direction, element)) : counter,
        });
        if (read) elements.push(read);
      });
    }
    if (isComplete && !this.#closed) this.#options.onInput({ kind: 'elements', direction, elements });
  }
}
