// The parts of the daemon's benchmark by name. Each builds what it needs in the lab's namespaces, with
// the real daemon, and takes it away again.
import { measureApi } from './api.ts';
import { measureMemory, measureStartUp } from './daemon-cost.ts';
import { measureElements } from './elements.ts';
import type { Figures } from './figures.ts';
import { measureFlood, measureObserving, measureSoak } from './observing.ts';
import { measureReloads, measureSpoofing } from './reloads.ts';
import { measureSessions } from './sessions.ts';
import { measureSwitching } from './switching.ts';

/** How often each switch is thrown. */
const SWITCHES = 20;

export const daemonParts = {
  switching: () => measureSwitching(SWITCHES),
  reloads: measureReloads,
  spoofing: measureSpoofing,
  elements: measureElements,
  'start-up': measureStartUp,
  memory: measureMemory,
  sessions: measureSessions,
  observing: measureObserving,
  flood: measureFlood,
  soak: measureSoak,
  api: measureApi,
} as const satisfies Record<string, () => Promise<Figures>>;

export type DaemonPart = keyof typeof daemonParts;

export const daemonPartNames = Object.keys(daemonParts) as DaemonPart[];
