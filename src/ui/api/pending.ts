// The change on probation, if there is one; the page that makes it and the countdown share it.
import { signal } from '@preact/signals';
import type { PendingChange } from '../../daemon/api/config.ts';

export const pending = signal<PendingChange | null>(null);
