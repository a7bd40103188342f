// What passes the simulated gateway. `truth` is what the gateway cannot see: who owns the SA, and what
// is inside; only the world and its score may look at it.
import type { ChildSa } from './child-sa.ts';

export interface IkePacket {
  readonly kind: 'ike';
  /** Index of the device; conntrack's or the cookie's knowledge, for both directions. */
  readonly client: number;
  readonly from: 'lan' | 'wan';
  readonly version: 1 | 2;
  readonly exchangeType: number;
  readonly initiatorSpi: bigint;
  readonly responderSpi: bigint;
  readonly messageId: number;
  readonly response: boolean;
  /** Whether the sender began the IKE SA. */
  readonly initiator: boolean;
  readonly length: number;
  /** Nobody observes it, or it does not even pass: as of the device. */
  readonly unseen: 'no' | 'copies' | 'all';
  /** The same for a message and its retransmissions. */
  readonly identity: object;
  readonly truth: { readonly receive: () => void };
}

export interface EspPacket {
  readonly kind: 'esp';
  readonly from: 'lan' | 'wan';
  /** The sender, when it comes from the LAN. */
  readonly client: number | null;
  readonly spi: number;
  readonly sequence: number;
  readonly length: number;
  readonly truth: { readonly child: ChildSa; readonly content: unknown };
}

export type Packet = IkePacket | EspPacket;

/** What a gateway can do to the world. */
export interface Outside {
  toServer(packet: Packet): void;
  toDevice(device: number, packet: Packet): void;
  readonly now: () => number;
  after(milliseconds: number, act: () => void): void;
}

/** One way to pair, under test. */
export interface GatewayUnderTest {
  fromLan(packet: Packet): void;
  fromWan(packet: Packet): void;
  /** Whom an inbound SPI is given to now. */
  ownerOf(spi: number): number | null;
  /** Whether the user is told that this is certain. */
  isCertain(spi: number): boolean;
}
