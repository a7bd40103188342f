// `--trace FILE`: what the machines hear and what they want done, as lines of a transcript, which the
// tests can play again. Addresses are masked on request, each by the same other one everywhere. When
// the file cannot be written or has grown large, the trace ends and the gateway goes on.
import { closeSync, openSync, writeSync } from 'node:fs';
import { maskAddresses, unmasked, type Mask } from '../core/alg/transcript-forms.ts';
import { renderLine } from '../core/alg/transcript.ts';
import { Failure, reasonOf } from './failure.ts';
import type { Log } from './log.ts';

/** Some ten million lines: nobody reads more, and a forgotten trace must not fill the disk. */
const MOST_BYTES = 1 << 30;
const WRITE_AT_BYTES = 65_536;
const WRITE_EVERY_MS = 1_000;

export class Trace {
  readonly #mask: Mask;
  readonly #log: Log;
  readonly #path: string;
  #fd: number | null;
  #waiting = '';
  #written = 0;
  readonly #timer: NodeJS.Timeout;

  /** Throws Failure when the file cannot be opened. */
  constructor(path: string, masked: boolean, log: Log) {
    this.#path = path;
    this.#log = log;
    this.#mask = masked ? maskAddresses() : unmasked;
    try {
      this.#fd = openSync(path, 'w', 0o600);
    } catch (error) {
      throw new Failure(
        'bad-request',
        `The trace "${path}" cannot be written (${reasonOf(error)}). Name another file with --trace FILE.`,
      );
    }
    this.#timer = setInterval(() => this.flush(), WRITE_EVERY_MS).unref();
    this.#waiting =
      '# Throughway: >> what was observed, << what became of it; in seconds since the daemon began\n';
  }

  /** `render` gives null for what a transcript does not hold. */
  write(at: number, mark: '>>' | '<<', render: (mask: Mask) => string | null): void {
    if (this.#fd === null) return;
    const rest = render(this.#mask);
    if (rest === null) return;
    this.#waiting += `${renderLine({ at, mark, rest })}\n`;
    if (this.#waiting.length >= WRITE_AT_BYTES) this.flush();
  }

  flush(): void {
    if (this.#fd === null || this.#waiting === '') return;
    const text = this.#waiting;
    this.#waiting = '';
    try {
      writeSync(this.#fd, text);
      this.#written += text.length;
      if (this.#written > MOST_BYTES) this.#stop(`it has ${MOST_BYTES} bytes`);
    } catch (error) {
      this.#stop(reasonOf(error));
    }
  }

  close(): void {
    this.flush();
    clearInterval(this.#timer);
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  #stop(reason: string): void {
    this.#log('warn', `the trace "${this.#path}" ends: ${reason}`);
    this.#waiting = '';
    this.close();
  }
}
