// Notes every ten seconds what the sessions carried, and keeps it in a file of the state directory. Losing
// the file costs a chart and nothing else, so a failure is logged once and not thrown.
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Session, TrafficHistory } from './api/session.ts';
import { reasonOf } from './failure.ts';
import { stageFile } from './files.ts';
import type { Log } from './log.ts';
import { TrafficLog } from './traffic-history.ts';

const NOTE_EVERY_MS = 10_000;
/** Memory cards wear out; what is lost in a power cut is this much of a chart. */
const WRITE_EVERY_MS = 900_000;

export interface TrafficRecorderOptions {
  readonly path: string;
  readonly log: Log;
  readonly list: () => readonly Session[];
}

export class TrafficRecorder {
  readonly #options: TrafficRecorderOptions;
  readonly #traffic: TrafficLog;
  readonly #timers: readonly NodeJS.Timeout[];
  #isTold = false;

  constructor(options: TrafficRecorderOptions) {
    this.#options = options;
    this.#traffic = new TrafficLog(readKept(options.path));
    this.#timers = [
      setInterval(() => this.#note(), NOTE_EVERY_MS).unref(),
      setInterval(() => this.#write(), WRITE_EVERY_MS).unref(),
    ];
  }

  history(span: TrafficHistory['span']): TrafficHistory {
    return this.#traffic.history(span, Date.now());
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#note();
    this.#write();
  }

  #note(): void {
    this.#traffic.note(this.#options.list(), Date.now());
  }

  #write(): void {
    const { path, log } = this.#options;
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      stageFile(path, this.#traffic.serialize()).commit();
      this.#isTold = false;
    } catch (error) {
      if (!this.#isTold) log('warn', 'the traffic chart cannot be kept', { path, reason: reasonOf(error) });
      this.#isTold = true;
    }
  }
}

function readKept(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
