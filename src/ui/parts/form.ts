// One request at a time, with its state for the page: what buttons, faults and notices need.
import { useState } from 'preact/hooks';
import { ApiError } from '../api/client.ts';

/** As the daemon has it; said before it refuses. */
export const LEAST_PASSWORD = 10;

export interface Request {
  readonly isBusy: boolean;
  readonly error: unknown;
  /** What is wrong with one field. */
  readonly about: (field: string) => string | undefined;
  /** Resolves to whether it succeeded. */
  readonly send: (work: () => Promise<unknown>) => Promise<boolean>;
  readonly clear: () => void;
}

/** After a refusal: the first field that is wrong takes the focus, so that it is seen and heard. */
export function focusFault(form: HTMLElement | null): void {
  requestAnimationFrame(() => form?.querySelector<HTMLElement>('[aria-invalid=true]')?.focus());
}

export function useRequest(): Request {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  return {
    isBusy,
    error,
    about: (field) => (error instanceof ApiError ? error.about(field) : undefined),
    send: async (work) => {
      setBusy(true);
      setError(null);
      try {
        await work();
        return true;
      } catch (failure) {
        setError(failure);
        return false;
      } finally {
        setBusy(false);
      }
    },
    clear: () => setError(null),
  };
}
