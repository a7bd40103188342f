// Who has failed to log in too often waits: five failures, fifteen minutes, counted for each address and for
// each account by itself. An attempt counts as a failure from its beginning until it has succeeded, so that
// many at once gain nothing.
import { Failure } from '../failure.ts';

const MOST_FAILURES = 5;
const LOCKED_MS = 15 * 60_000;
/** An attacker may have a whole network of addresses; the oldest are forgotten. */
const MOST_KEYS = 10_000;

interface Count {
  failures: number;
  /** When it is forgotten. */
  until: number;
  /** What was counted along: of an account the addresses, of which there are no more than failures. */
  readonly along: Set<string>;
}

export class LockOut {
  readonly #counts = new Map<string, Count>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Counts an attempt; throws Failure when one of the keys is locked. */
  begin(keys: readonly string[]): void {
    const now = this.#now();
    for (const key of keys) {
      const count = this.#counts.get(key);
      if (!count) continue;
      if (count.until <= now) this.#counts.delete(key);
      else if (count.failures >= MOST_FAILURES) throw locked(Math.ceil((count.until - now) / 1000));
    }
    for (const key of keys) {
      const { failures, along } = this.#counts.get(key) ?? { failures: 0, along: new Set<string>() };
      this.#counts.delete(key);
      if (this.#counts.size >= MOST_KEYS) this.#counts.delete(this.#counts.keys().next().value!);
      for (const other of keys) if (other !== key && along.size < MOST_FAILURES) along.add(other);
      this.#counts.set(key, { failures: failures + 1, until: now + LOCKED_MS, along });
    }
  }

  /** The attempt was no failure, and no success yet. */
  takeBack(keys: readonly string[]): void {
    for (const key of keys) {
      const count = this.#counts.get(key);
      if (count) count.failures -= 1;
    }
  }

  forget(keys: readonly string[]): void {
    for (const key of keys) this.#counts.delete(key);
  }

  /** With what was counted along: whoever failed at an account until it was opened anew may try again. */
  forgetWhole(key: string): void {
    this.forget([key, ...(this.#counts.get(key)?.along ?? [])]);
  }
}

function locked(seconds: number): Failure {
  const minutes = Math.ceil(seconds / 60);
  return new Failure(
    'locked-out',
    `Logging in has failed ${MOST_FAILURES} times. Wait ${minutes === 1 ? 'a minute' : `${minutes} minutes`}, or reset the password at the machine itself: throughway user reset-password NAME.`,
    [],
    seconds,
  );
}
