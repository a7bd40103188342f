// The shapes of `POST /api/v1/probe`, which the command line and the page show.
import type { Passthrough, Verdict } from '../../core/probe/attempt.ts';

export interface ProbeResult {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly transport: 'udp' | 'tcp' | 'tls' | 'ip';
  /** Null where the protocol has no ports. */
  readonly port: number | null;
  readonly passthrough: Passthrough;
  readonly verdict: Verdict;
  /** What was seen, in one sentence. */
  readonly detail: string;
  /** What it means for the devices behind the gateway, in one sentence. */
  readonly meaning: string;
  readonly took_ms: number;
}

export interface ProbeReport {
  readonly host: string;
  readonly addresses: readonly string[];
  readonly results: readonly ProbeResult[];
  /** Whether passthrough is needed for this server. */
  readonly conclusion: string;
  readonly took_ms: number;
}
