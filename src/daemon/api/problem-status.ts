// The HTTP status of each failure's stable code, and what the code means in one line for the reference.
import type { FailureCode } from '../failure.ts';

interface CodeFacts {
  readonly status: number;
  readonly meaning: string;
}

const INTERNAL = 500;

export const PROBLEM_CODES: Partial<Record<FailureCode, CodeFacts>> = {
  'bad-request': {
    status: 400,
    meaning:
      'What was sent is not allowed; "problems" names each field. Also: too large (413), no JSON (415).',
  },
  'not-logged-in': { status: 401, meaning: 'Log in first, or send a token.' },
  'first-run': { status: 401, meaning: 'There is no account yet: make the first one.' },
  'login-failed': { status: 401, meaning: 'Name, password, code or token are not right.' },
  'totp-required': { status: 401, meaning: 'The password is right; the second factor is missing.' },
  forbidden: { status: 403, meaning: 'The token may only read, or the route is for the machine itself.' },
  'wrong-origin': { status: 403, meaning: "Another site's page sent the request." },
  'not-found': { status: 404, meaning: 'There is no such thing.' },
  busy: { status: 409, meaning: 'As many as there can be are at it already.' },
  exists: { status: 409, meaning: 'There is one of that name already.' },
  'last-user': { status: 409, meaning: 'The last account cannot be removed.' },
  'change-pending': { status: 409, meaning: 'A change on probation waits to be confirmed or reverted.' },
  'nothing-pending': { status: 409, meaning: 'There is no change on probation.' },
  'not-first-run': { status: 409, meaning: 'There is an account already.' },
  'config-invalid': { status: 409, meaning: 'The configuration in the file is broken.' },
  'config-unreadable': { status: 409, meaning: 'The file of the configuration cannot be read.' },
  'wrong-host': { status: 421, meaning: 'The Host header names no address or name of this gateway.' },
  'host-unknown': { status: 422, meaning: 'The name of the server has no address.' },
  'locked-out': { status: 429, meaning: 'Too many failed log-ins; Retry-After says how long.' },
  'too-many-requests': { status: 429, meaning: 'Too many requests; Retry-After says how long.' },
  'kernel-refused': { status: INTERNAL, meaning: 'The kernel refused; nothing has changed.' },
  internal: { status: INTERNAL, meaning: 'A fault of the daemon; its log says more.' },
  'state-unwritable': { status: 507, meaning: 'The state directory cannot be written.' },
  'config-unwritable': { status: 507, meaning: 'The file of the configuration cannot be written.' },
};

export function statusOf(code: FailureCode): number {
  return PROBLEM_CODES[code]?.status ?? INTERNAL;
}
