// Waiting for a state, never for a guess of how long it takes.
import { setTimeout as sleep } from 'node:timers/promises';

/** Long enough for a busy machine; a state that comes is seen within two milliseconds. */
const PATIENCE_MS = 5_000;

/** A scenario's claim that does not hold; the message says what was seen. */
export class Disproved extends Error {}

/** Resolves to the first value that is not null, undefined or false; throws Disproved naming `what` and the last `seen`. */
export async function until<T>(
  what: string,
  look: () => T | null | undefined | false | Promise<T | null | undefined | false>,
  patienceMs = PATIENCE_MS,
  seen: () => string = () => '',
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() > deadline)
      throw new Disproved(`waited ${patienceMs} ms in vain for: ${what}${seen() && `; seen: ${seen()}`}`);
    await sleep(2);
  }
}

export function claim(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Disproved(`does not hold: ${what}`);
}

export function claimEqual(found: unknown, wanted: unknown, what: string): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) throw new Disproved(`${what}: found ${a}, wanted ${b}`);
}
