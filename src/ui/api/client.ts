// Requests to the daemon's API. A refusal becomes an ApiError with the daemon's own sentence and its list
// of problems, each with the field it is about.
import { signal } from '@preact/signals';
import type { Problem } from '../../core/config/problem.ts';
import { t } from '../text/text.ts';

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly problems: readonly Problem[];
  /** Seconds until another attempt makes sense, where the daemon said so. */
  readonly retryAfterSeconds: number | null;

  constructor(
    status: number,
    code: string,
    detail: string,
    problems: readonly Problem[] = [],
    retryAfterSeconds: number | null = null,
  ) {
    super(detail);
    this.status = status;
    this.code = code;
    this.problems = problems;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  /** What is wrong with one field. */
  about(field: string): string | undefined {
    const found = this.problems.filter(({ path }) => isAbout(path, field));
    return found.length === 0 ? undefined : found.map(sentence).join(' ');
  }
}

/** Whether a problem's path ends with a field, or with an item of the list that it holds. */
export function isAbout(path: string, field: string): boolean {
  const whole = path.replace(/\[\d+\]$/, '');
  return whole === field || whole.endsWith(`.${field}`);
}

/** Whether the daemon answers at all. */
export const reachable = signal(true);

/** Called when the daemon says that nobody is logged in (any more). */
let onLoggedOut = (): void => undefined;

export function whenLoggedOut(heard: () => void): void {
  onLoggedOut = heard;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

const PATIENCE_MS = 30_000;

/** Resolves to the answer, `undefined` when it has no body; throws ApiError. */
export async function call<T>(
  method: Method,
  path: string,
  body?: unknown,
  signal: AbortSignal = AbortSignal.timeout(PATIENCE_MS),
): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      signal,
      cache: 'no-store',
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
  } catch (error) {
    if (signal.reason instanceof DOMException && signal.reason.name === 'AbortError') throw error;
    reachable.value = false;
    throw new ApiError(0, 'unreachable', t('error.unreachable'));
  }
  reachable.value = true;
  const text = await response.text();
  if (response.ok) return (text === '' ? undefined : parse(text, response)) as T;
  if (response.status === 401) onLoggedOut();
  throw refusal(response, text);
}

function parse(text: string, response: Response): unknown {
  const type = response.headers.get('content-type') ?? '';
  return type.includes('json') ? JSON.parse(text) : text;
}

function refusal(response: Response, text: string): ApiError {
  const wait = Number(response.headers.get('retry-after') ?? Number.NaN);
  const seconds = Number.isFinite(wait) ? wait : null;
  try {
    const { code, detail, problems } = JSON.parse(text) as {
      code?: string;
      detail?: string;
      problems?: Problem[];
    };
    if (typeof detail === 'string')
      return new ApiError(response.status, code ?? 'unknown', detail, problems, seconds);
  } catch {
    // No problem+json: something between the page and the daemon answered.
  }
  const detail = t('error.strange', { status: response.status });
  return new ApiError(response.status, 'unknown', detail, [], seconds);
}

/** One line of a problem, as the command line writes it too. */
export function sentence({ message, hint }: Problem): string {
  return `${message}. ${hint}${hint.endsWith('?') || hint.endsWith('.') ? '' : '.'}`;
}
