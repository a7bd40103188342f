// A failure that a person must act on, as the one sentence they read: what happened, with the value
// in quotes, what is allowed, what to do. Thrown by the daemon's parts, printed by the command line,
// sent by the API as problem+json with its code.
import type { Problem } from '../core/config/problem.ts';

/** Stable names: scripts and the page tell failures apart by them. */
export type FailureCode =
  | 'config-invalid'
  | 'config-unreadable'
  | 'config-unwritable'
  | 'no-permission'
  | 'already-running'
  | 'setup-failed'
  | 'nft-missing'
  | 'nft-too-old'
  | 'kernel-feature-missing'
  | 'kernel-refused'
  | 'socket-unusable'
  | 'bad-request'
  | 'busy'
  | 'host-unknown'
  | 'not-found'
  | 'internal';

export class Failure extends Error {
  readonly code: FailureCode;
  readonly problems: readonly Problem[];

  constructor(code: FailureCode, message: string, problems: readonly Problem[] = []) {
    super(message);
    this.name = 'Failure';
    this.code = code;
    this.problems = problems;
  }
}

/** The words of any thrown thing. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
