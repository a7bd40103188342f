// What the API's answers look like, for those who call it: the command line and the page.
import type { Passthrough, Protocol } from '../../core/config/schema.ts';
import type { Endings } from './config.ts';

export type { Status } from '../status.ts';

/** The answer to `PUT /api/v1/passthrough`: what is in force, and how many connections ended for it. */
export interface PassthroughChange extends Passthrough {
  readonly ended: Partial<Record<Protocol, number>>;
  readonly ended_sessions: Endings['sessions'];
}
