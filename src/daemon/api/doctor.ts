// The shape of `POST /api/v1/doctor`, which the command line and the page show.
import type { Finding } from '../../core/doctor/finding.ts';

export interface DoctorReport {
  readonly state: 'well' | 'warning' | 'fault';
  /** Most likely culprit first. */
  readonly findings: readonly (Finding & {
    /** Where the manual goes on, on the gateway's own page. */
    readonly manual: string;
  })[];
  readonly took_ms: number;
}
