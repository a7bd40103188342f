// Gives memory back that is not needed any more. V8 collects when it runs short, not when there is nothing
// to do, and the C library keeps what it was given; a daemon that was busy for a moment would hold
// tens of megabytes of nothing for days.
import { flushCompileCache } from 'node:module';
import { trimAllocator } from '../linux/libc.ts';

/** Behind the start: the page is served and the first things have been learned. */
const SETTLED_MS = 2_000;

/** Takes a tenth of a second with ten thousand sessions, in which nothing else is done. */
export function rest(): void {
  // There with --expose-gc, which bin/throughway gives.
  globalThis.gc?.({ execution: 'sync', type: 'major', flavor: 'last-resort' });
  trimAllocator();
}

/** Once, soon after the start: what starting alone needed goes. Returns what calls it off. */
export function restAfterStart(): () => void {
  const timer = setTimeout(() => {
    // Node writes it when a process ends, which a daemon may never do in an orderly way.
    flushCompileCache();
    rest();
  }, SETTLED_MS);
  timer.unref();
  return () => clearTimeout(timer);
}
