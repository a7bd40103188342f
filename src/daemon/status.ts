// The shape of `GET /api/v1/status`, which the command line and the page show.
import type { Passthrough } from '../core/config/schema.ts';

export interface InterfaceStatus {
  readonly name: string;
  readonly state: 'up' | 'down' | 'missing';
  /** With their prefix length, link-local ones left out. */
  readonly addresses: readonly string[];
}

export interface DropStatus {
  readonly name: string;
  readonly sentence: string;
  readonly packets: number;
  readonly bytes: number;
}

/** What the daemon has seen of what passes, since it started. */
export interface ObservationStatus {
  /** Passive copies of packets that were read. */
  readonly copies: number;
  /** Copies that were lost because too many came at once; no packet was. */
  readonly missed: number;
  /** Copies that are not what their ports say. */
  readonly unreadable: number;
  readonly facts: number;
  /** Packets that wait here for their turn or their pair. */
  readonly held: number;
  /** ESP pairs that were put into the kernel. */
  readonly paired: number;
}

export interface Status {
  readonly version: string;
  /** `attention`: there are problems to read. */
  readonly state: 'ok' | 'attention';
  /** RFC 3339. */
  readonly started_at: string;
  readonly passthrough: Passthrough;
  readonly ike_source_port: 'translate' | 'preserve';
  readonly wan: InterfaceStatus;
  readonly lan: readonly InterfaceStatus[];
  /** How the daemon speaks to nftables. */
  readonly nft: 'libnftables' | 'nft';
  /** Whole sentences: what is wrong and what to do. */
  readonly problems: readonly string[];
  readonly drops: readonly DropStatus[];
  /** Left out while nothing is observed yet. */
  readonly observation?: ObservationStatus | undefined;
}
