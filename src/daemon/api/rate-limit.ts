// How often one address may ask: a bucket for each that fills again with time. It is there so that a program
// gone wild does not take the daemon from the others; who guesses passwords is stopped elsewhere.
import { isIPv6 } from 'node:net';
import { Failure } from '../failure.ts';

const PER_SECOND = 1_000;
const BURST = 2_000;
/** The oldest are forgotten, and begin with a full bucket. */
const MOST_ADDRESSES = 4_096;

interface Bucket {
  left: number;
  at: number;
}

export class RateLimit {
  readonly #buckets = new Map<string, Bucket>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Throws Failure when the address has asked too often. */
  count(address: string): void {
    const key = networkOf(address);
    const now = this.#now();
    const bucket = this.#buckets.get(key) ?? { left: BURST, at: now };
    bucket.left = Math.min(BURST, bucket.left + ((now - bucket.at) / 1000) * PER_SECOND) - 1;
    bucket.at = now;
    if (!this.#buckets.has(key)) {
      if (this.#buckets.size >= MOST_ADDRESSES) this.#buckets.delete(this.#buckets.keys().next().value!);
      this.#buckets.set(key, bucket);
    }
    if (bucket.left >= 0) return;
    bucket.left = 0;
    throw new Failure(
      'too-many-requests',
      `More than ${PER_SECOND} requests a second came from "${address}". Ask less often.`,
      [],
      1,
    );
  }
}

/** A device has a whole /64 of IPv6 addresses. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('::');
  const front = head.split(':').filter(Boolean);
  const back = tail === undefined ? [] : tail.split(':').filter(Boolean);
  const groups = [...front, ...Array<string>(Math.max(0, 8 - front.length - back.length)).fill('0'), ...back];
  return groups.slice(0, 4).join(':');
}
