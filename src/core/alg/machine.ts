// The contract of every protocol machine: what happened and when goes in, what to do comes out. A
// machine knows no clock, no socket and no other machine; the daemon feeds it and performs its effects.

/** Milliseconds on a clock that never goes back. */
export type Instant = number;

export interface Machine<Input, Effect> {
  handle(input: Input, now: Instant): Effect[];
  /** When `wake` should next be called, or null for never. */
  nextWake(): Instant | null;
  wake(now: Instant): Effect[];
}
