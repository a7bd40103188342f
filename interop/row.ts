// What a row of the matrix is: real programs for server and devices, how they connect, what makes them
// renew their keys. Rows say nothing of gateways; play.ts plays each one through Throughway and through
// plain Linux masquerade.
import type { Protocol } from '../src/core/config/schema.ts';
import type { TreeName } from './trees.ts';
import type { World } from './world.ts';

export interface MachineKind {
  /** A set of namespaces, or a User-Mode Linux with a kernel of its own. */
  readonly kind: 'cell' | 'uml';
  readonly tree: TreeName;
}

/** A device's connection, as its two ends see it. */
export interface Tunnel {
  /** The server's address inside the tunnel, which the device pings and transfers with. */
  readonly serverInside: string;
  /** The device's address inside the tunnel. */
  readonly deviceInside: string;
}

export interface Rekey {
  /** Such as `client renews the CHILD_SA`. */
  readonly title: string;
  /** Resolves when every device has new keys; throws Disproved when that does not happen. */
  play(world: World): Promise<void>;
}

/** What rows and trials share: who takes part. */
export interface Setting {
  /** Such as `openvpn-udp`; what `--only` takes. */
  readonly id: string;
  readonly title: string;
  /** Debian packages whose versions stand in the matrix. */
  readonly packages: readonly string[];
  readonly server: MachineKind;
  readonly device: MachineKind;
  readonly devices: number;
  /** Whether it belongs to the part that takes under five minutes. */
  readonly isFast: boolean;
  /** More lines of the gateway's configuration. */
  readonly config?: string;
}

/** Programs that are no VPN, such as a scanner; each step says what it saw, and throws Disproved. */
export interface Trial extends Setting {
  readonly steps: readonly { readonly title: string; play(world: World): Promise<string> }[];
}

export interface Row extends Setting {
  /** How many of them the ordinary stages connect; all, unless it says otherwise. */
  readonly connected?: number;
  /** The passthrough that governs it, or null when it passes with all of them off. */
  readonly governedBy: Protocol | null;
  /** Megabytes of the transfer each way; 16 unless it says otherwise. */
  readonly megabytes?: number;
  /** Starts the server. */
  prepare(world: World): Promise<void>;
  /** Connects a device, also again after `disconnect`; throws Disproved when it cannot. */
  connect(world: World, index: number): Promise<Tunnel>;
  disconnect(world: World, index: number): Promise<void>;
  readonly rekeys: readonly Rekey[];
  /** What else is to be seen on a gateway that is Throughway; throws Disproved. */
  readonly checks?: readonly Check[];
}

export interface Check {
  readonly title: string;
  play(world: World): Promise<void>;
}

export const CELL: MachineKind = { kind: 'cell', tree: 'main' };
export const UML: MachineKind = { kind: 'uml', tree: 'main' };
export const LIBRESWAN: MachineKind = { kind: 'uml', tree: 'libreswan' };
