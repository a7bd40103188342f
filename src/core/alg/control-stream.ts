// One direction of a PPTP control connection, put together from copies of its segments: they may come
// twice, out of order, or not at all when copies were left out. What is missing is not waited for for
// long, since nothing sends a copy again; reading goes on at the next segment that begins a message.
import { createPptpStream, type PptpStream } from '../wire/pptp-stream.ts';
import type { PptpMessage } from '../wire/pptp.ts';
import type { TcpSegment } from '../wire/tcp.ts';

/** Control connections carry a message now and then: more than this out of order is a loss. */
const MOST_WAITING = 4;

export class ControlStream {
  #stream: PptpStream = createPptpStream();
  #next: number | null = null;
  readonly #waiting = new Map<number, Uint8Array>();

  /** The messages that this segment completes; `isWhole` is false of a copy that was cut. */
  push({ flags, sequence, payload }: TcpSegment, isWhole: boolean): PptpMessage[] {
    if (flags.syn) {
      this.#begin((sequence + 1) >>> 0);
      return [];
    }
    if (payload.length === 0) return [];
    if (!isWhole) {
      this.#begin(null);
      return [];
    }
    if (this.#next === null) this.#begin(sequence);
    const ahead = (sequence - this.#next!) | 0;
    if (ahead > 0) {
      this.#waiting.set(sequence, payload.slice());
      if (this.#waiting.size <= MOST_WAITING) return [];
      this.#begin(sequence);
    }
    const messages = this.#take(sequence, payload);
    for (let from = this.#ready(); from !== undefined; from = this.#ready()) {
      const bytes = this.#waiting.get(from)!;
      this.#waiting.delete(from);
      messages.push(...this.#take(from, bytes));
    }
    return messages;
  }

  /** One that waits and has nothing missing before it. */
  #ready(): number | undefined {
    return [...this.#waiting.keys()].find((from) => ((from - this.#next!) | 0) <= 0);
  }

  #begin(next: number | null): void {
    this.#next = next;
    this.#stream = createPptpStream();
    this.#waiting.clear();
  }

  #take(sequence: number, payload: Uint8Array): PptpMessage[] {
    const known = (this.#next! - sequence) | 0;
    if (known >= payload.length) return [];
    const messages = this.#stream.push(payload.subarray(Math.max(0, known)));
    this.#next = (sequence + payload.length) >>> 0;
    // Out of step, for whatever reason: a message begins with most segments.
    if (this.#stream.lost) this.#begin(null);
    return messages;
  }
}
