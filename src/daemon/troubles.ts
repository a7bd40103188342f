// What is wrong now, as sentences under keys: each is told once, in the log and in the journal of events,
// and shown by `status` until it is cleared.
import { telling, type Telling } from './event-log.ts';
import type { Log } from './log.ts';

export class Troubles {
  readonly #sentences = new Map<string, string>();
  readonly #log: Log;
  readonly #tell: (event: Telling) => void;

  constructor(log: Log, tell: (event: Telling) => void) {
    this.#log = log;
    this.#tell = tell;
  }

  /** Says it under its key, or that nothing is wrong there (null). */
  set(key: string, sentence: string | null): void {
    if (sentence === null) {
      this.#sentences.delete(key);
      return;
    }
    if (this.#sentences.get(key) === sentence) return;
    this.#sentences.set(key, sentence);
    this.#log('warn', sentence);
    this.#tell(telling('system', 'warn', sentence));
  }

  /** Makes these the sentences of a group, which are their own keys. */
  setGroup(group: string, sentences: readonly string[]): void {
    const keys = new Set(sentences.map((sentence) => `${group} ${sentence}`));
    for (const key of this.#sentences.keys())
      if (key.startsWith(`${group} `) && !keys.has(key)) this.#sentences.delete(key);
    for (const sentence of sentences) this.set(`${group} ${sentence}`, sentence);
  }

  /** All of them, but those of a group. */
  list(except?: string): string[] {
    return [...this.#sentences]
      .filter(([key]) => except === undefined || !key.startsWith(`${except} `))
      .map(([, sentence]) => sentence);
  }
}
