// Gives memory back that is not needed any more. V8 collects when it runs short, not when there is nothing
// to do, and the C library keeps what it was given; a daemon that was busy for a moment would hold
// tens of megabytes of nothing for days.
import { flushCompileCache } from 'node:module';
import { trimAllocator } from '../linux/libc.ts';

/** Behind the start: the page is served and the first things have been learned. */
const SETTLED_MS = 2_000;

/** Less is not worth the pause. */
const WORTH_BYTES = 8_000_000;

let restedAt = 0;

/**
 * Nothing else is done meanwhile, for a tenth of a second or more on a busy machine: so only when there is
 * something to give back, and only for those to call who see that nothing is going on.
 */
export function rest(): void {
  if (process.memoryUsage.rss() < restedAt + WORTH_BYTES) return;
  // There with --expose-gc, which bin/throughway gives. The gentler kinds leave half of it.
  globalThis.gc?.({ execution: 'sync', type: 'major', flavor: 'last-resort' });
  trimAllocator();
  restedAt = process.memoryUsage.rss();
}

const SOON_MS = 5_000;
let soon: NodeJS.Timeout | null = null;

/** For what needs much for a moment, such as to plan and load a ruleset: rests when it has not been called for a while. */
export function restSoon(): void {
  soon ??= setTimeout(rest, SOON_MS).unref();
  soon.refresh();
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
