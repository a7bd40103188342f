// The gateway's status, asked every few seconds while the page is looked at.
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Status } from '../../daemon/api/types.ts';
import { getStatus } from './calls.ts';

export const status = signal<Status | null>(null);

const EVERY_MS = 5000;

/** Asks at once, for after a change. */
export async function refreshStatus(): Promise<void> {
  try {
    status.value = await getStatus();
  } catch {
    // The client notes that the daemon does not answer, and the frame says so.
  }
}

/** Keeps the status fresh while the component is shown. */
export function useStatus(): void {
  useEffect(() => {
    void refreshStatus();
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') void refreshStatus();
    }, EVERY_MS);
    return () => clearInterval(timer);
  }, []);
}
