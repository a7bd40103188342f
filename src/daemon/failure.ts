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
  | 'not-logged-in'
  | 'first-run'
  | 'not-first-run'
  | 'login-failed'
  | 'totp-required'
  | 'forbidden'
  | 'wrong-origin'
  | 'wrong-host'
  | 'locked-out'
  | 'too-many-requests'
  | 'exists'
  | 'last-user'
  | 'change-pending'
  | 'nothing-pending'
  | 'state-unwritable'
  | 'busy'
  | 'host-unknown'
  | 'not-found'
  | 'internal';

export class Failure extends Error {
  readonly code: FailureCode;
  readonly problems: readonly Problem[];
  /** When another attempt makes sense, where that is known. */
  readonly retryAfterSeconds: number | null;

  constructor(
    code: FailureCode,
    message: string,
    problems: readonly Problem[] = [],
    retryAfterSeconds: number | null = null,
  ) {
    super(message);
    this.name = 'Failure';
    this.code = code;
    this.problems = problems;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** The words of any thrown thing. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
