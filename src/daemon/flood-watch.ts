// Tells of ESP on SPIs that belong to nobody: one event for a flood, however many packets it has, with
// the server it comes from where that is known; and a few such packets, which are nothing unusual, once
// in a while. The kernel counts all of them, and copies only some.

const LOOK_MS = 5_000;
/** More in one look is no leftover of a tunnel that has gone. */
const FLOOD_PACKETS = 1_000;
/** A flood has ended when so many looks saw less. */
const QUIET_LOOKS = 12;
/** Single packets are told again after this. */
const SAY_AGAIN_MS = 3_600_000;

export interface FloodWatchOptions {
  /** How many have been dropped in all. */
  readonly read: () => Promise<number>;
  readonly tell: (what: string) => void;
}

export class FloodWatch {
  readonly #options: FloodWatchOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #servers = new Map<string, number>();
  #before: number | null = null;
  #quiet = QUIET_LOOKS;
  #saidAt = -Infinity;

  constructor(options: FloodWatchOptions) {
    this.#options = options;
    void this.look();
    this.#timer = setInterval(() => void this.look(), LOOK_MS).unref();
  }

  /** Copies tell where some of it comes from. */
  heard(server: string, packets: number): void {
    if (this.#servers.size >= 64 && !this.#servers.has(server)) return;
    this.#servers.set(server, (this.#servers.get(server) ?? 0) + packets);
  }

  async look(): Promise<void> {
    let packets: number;
    try {
      packets = await this.#options.read();
    } catch {
      // The table is being put back; the next look sees it.
      return;
    }
    const grown = this.#before === null ? 0 : packets - this.#before;
    this.#before = packets;
    const wasFlood = this.#quiet < QUIET_LOOKS;
    this.#quiet = grown >= FLOOD_PACKETS ? 0 : Math.min(QUIET_LOOKS, this.#quiet + 1);
    if (!wasFlood && this.#quiet === 0) this.#tellFlood(grown);
    else if (!wasFlood && grown > 0) this.#tellFew(grown);
    if (this.#quiet === QUIET_LOOKS) this.#servers.clear();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #tellFlood(packets: number): void {
    const [server] = [...this.#servers].toSorted(([, a], [, b]) => b - a)[0] ?? [];
    const from = server === undefined ? 'the internet' : `the address of the server ${server}`;
    this.#saidAt = performance.now();
    this.#options.tell(
      `A flood of ESP comes from ${from}, on SPIs that no device has: ${packets.toLocaleString('en')} packets within ${LOOK_MS / 1000} seconds so far. It is dropped, and running connections are not touched.`,
    );
  }

  #tellFew(packets: number): void {
    const now = performance.now();
    if (now - this.#saidAt < SAY_AGAIN_MS) return;
    this.#saidAt = now;
    this.#options.tell(
      `${packets.toLocaleString('en')} packets of ESP on an SPI that belongs to no device were dropped; some are normal after a restart, while a device has not sent yet.`,
    );
  }
}
