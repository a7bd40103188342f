// Our own mistakes, told apart from the peer's, the operator's and the kernel's: both functions
// end in a crash on purpose, and the next start reconciles from the kernel's real state.

/** Crashes when something we are sure of is not so; `message` says what was believed. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`internal error: ${message}`);
}

/** Marks the branch that the types say cannot be reached; the compiler checks the claim. */
export function unreachable(value: never): never {
  throw new Error(`internal error: unexpected ${JSON.stringify(value)}`);
}
