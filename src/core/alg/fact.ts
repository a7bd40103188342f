// What is observed, as the machines hear it: past tense, wire formats already read, the LAN device
// already known where the packet or conntrack shows it. Facts are made by observer.ts out of passive
// copies, conntrack events and the counters of map elements; nothing of a payload is in them.
import type { Ipv4Address, Ipv6Address, Port } from '../address.ts';
import type { EspPacket, Spi } from '../wire/esp.ts';
import type { IsakmpMessage } from '../wire/isakmp.ts';
import type { L2tpControl, L2tpV3Control } from '../wire/l2tp.ts';
import type { PptpMessage } from '../wire/pptp.ts';

export type Address = Ipv4Address | Ipv6Address;

/** Which side a packet came from. */
export type Side = 'lan' | 'wan';

/** One IKE message. `client` is null when only the machine can know it, by the SPIs of the header. */
export interface IkeSeen {
  readonly kind: 'ike';
  readonly from: Side;
  readonly client: Address | null;
  readonly server: Address;
  /** The server's port: 500, or 4500 behind the non-ESP marker. */
  readonly port: 500 | 4500;
  readonly message: IsakmpMessage;
  /** Not null: it is another device's turn, and the message waits under this number. */
  readonly held: number | null;
}

/** A device sent ESP on an SPI that is not in `esp_out`: each of its packets, until an effect puts it there. */
export interface EspSent {
  readonly kind: 'esp-sent';
  readonly client: Ipv4Address;
  readonly server: Ipv4Address;
  readonly packet: EspPacket;
  /** Not null: it is another device's turn, and the packet waits under this number. */
  readonly held: number | null;
}

/**
 * ESP of a server on an SPI that belongs to nobody. With `held`, the packet waits under that number
 * until an effect delivers or drops it.
 */
export interface EspArrived {
  readonly kind: 'esp-arrived';
  readonly server: Ipv4Address;
  readonly packet: EspPacket;
  readonly held: number | null;
}

/** ESP of a server passed to `client` by `esp_trial`: a pair that is not proved yet. */
export interface EspPassed {
  readonly kind: 'esp-passed';
  readonly client: Ipv4Address;
  readonly server: Ipv4Address;
  readonly packet: EspPacket;
}

/** Sequence 1 on an inbound SPI that is `client`'s already: made anew, or another device chose the same. */
export interface EspBegunAgain {
  readonly kind: 'esp-begun-again';
  readonly client: Ipv4Address;
  readonly server: Ipv4Address;
  readonly spi: Spi;
}

/** The kernel paired by its own rules: an element stands in `esp_in` that no effect put there. */
export interface EspLearned {
  readonly kind: 'esp-learned';
  readonly server: Ipv4Address;
  readonly spi: Spi;
  readonly client: Ipv4Address;
}

/** How much passed on one SA since its element was made; from the elements' counters, now and then. */
export interface EspCounted {
  readonly kind: 'esp-counted';
  readonly direction: 'out' | 'in';
  readonly client: Ipv4Address;
  readonly server: Ipv4Address;
  readonly spi: Spi;
  readonly packets: number;
  readonly bytes: number;
}

/** An element of `esp_in` or `esp_out` expired or was deleted by somebody else. */
export interface EspForgotten {
  readonly kind: 'esp-forgotten';
  readonly direction: 'out' | 'in';
  readonly client: Ipv4Address;
  readonly server: Ipv4Address;
  readonly spi: Spi;
}

/** One connection of conntrack, as the LAN device sees it. */
export interface Flow {
  /** Conntrack's own id; unique while the entry lives. */
  readonly id: number;
  readonly protocol: number;
  readonly client: Address;
  readonly server: Address;
  /** Null for protocols without; in PPTP's GRE the Call IDs. */
  readonly clientPort: number | null;
  readonly serverPort: number | null;
  /** The port on the WAN address that stands for the client's, or null. */
  readonly wanPort: number | null;
  readonly answered: boolean;
  readonly assured: boolean;
  readonly tcpState: number | null;
  readonly timeoutSeconds: number | null;
  /** Milliseconds since 1970, or null. */
  readonly startedUnixMs: number | null;
  readonly out: { readonly packets: number; readonly bytes: number } | null;
  readonly in: { readonly packets: number; readonly bytes: number } | null;
}

export interface FlowSeen {
  readonly kind: 'flow';
  readonly change: 'new' | 'update' | 'end';
  readonly flow: Flow;
}

/** One whole message of a PPTP control connection, put together from the stream. */
export interface PptpSeen {
  readonly kind: 'pptp';
  readonly from: Side;
  readonly client: Address;
  readonly server: Address;
  readonly clientPort: Port;
  readonly message: PptpMessage;
}

export interface L2tpSeen {
  readonly kind: 'l2tp';
  readonly from: Side;
  readonly client: Address;
  readonly server: Address;
  readonly clientPort: Port | null;
  readonly serverPort: Port | null;
  readonly message: L2tpControl | L2tpV3Control;
}

/** What the first packets of a flow showed; `guessed` when another protocol could look like it. */
export interface Recognised {
  readonly kind: 'recognised';
  readonly protocol: 'openvpn' | 'wireguard' | 'sstp' | 'softether' | 'anyconnect' | 'stun';
  readonly guessed: boolean;
  readonly transport: 'udp' | 'tcp';
  readonly client: Address;
  readonly server: Address;
  readonly clientPort: Port;
  readonly serverPort: Port;
  /** The name in a TLS ClientHello, or null. */
  readonly serverName: string | null;
}

/** A device tried a protocol that is switched off; a few copies a second tell enough. */
export interface Refused {
  readonly kind: 'refused';
  readonly protocol: 'ipsec' | 'pptp' | 'l2tp';
  readonly client: Address;
  readonly server: Address;
}

/** Copies that the kernel or the reader had to leave out. */
export interface Missed {
  readonly kind: 'missed';
  readonly copies: number;
}

export type Fact =
  | IkeSeen
  | EspSent
  | EspArrived
  | EspPassed
  | EspBegunAgain
  | EspLearned
  | EspCounted
  | EspForgotten
  | FlowSeen
  | PptpSeen
  | L2tpSeen
  | Recognised
  | Refused
  | Missed;

/** How sure a pairing is; see DESIGN: only one could be meant, evidence points to one, or a guess. */
export type Confidence = 'certain' | 'probable' | 'ambiguous';

/** What the ESP pairing machine wants done; the kernel's side of it is told in ARCHITECTURE.md (one device at a time). */
export type PairingEffect =
  /** Put (server, SPI) -> client into `esp_in`, or into `esp_trial`, in place of what stands in either. */
  | {
      readonly kind: 'pair';
      readonly server: Ipv4Address;
      readonly spi: Spi;
      readonly client: Ipv4Address;
      readonly confidence: Confidence;
      /** Why, in one sentence for the session's history. */
      readonly evidence: string;
      /** The device that had it before, when this mends a wrong pair. */
      readonly instead: Ipv4Address | null;
      /** Not proved yet: goes to `esp_trial`, whose packets are copied to us. */
      readonly trial: boolean;
    }
  /** Take (server, SPI) out of `esp_in` and `esp_trial`. */
  | { readonly kind: 'unpair'; readonly server: Ipv4Address; readonly spi: Spi; readonly reason: string }
  /** Send a held inbound packet of ESP to `client`; it may be sent again later, so keep it until dropped. */
  | { readonly kind: 'deliver'; readonly held: number; readonly client: Ipv4Address }
  /** Put a settled pair into `esp_in` again if the kernel has forgotten it; else its next packet is held too. */
  | {
      readonly kind: 'mend';
      readonly server: Ipv4Address;
      readonly spi: Spi;
      readonly client: Ipv4Address;
    }
  /** Send a held IKE message or a held outbound packet of ESP on its way, and forget it. */
  | { readonly kind: 'release'; readonly held: number }
  | { readonly kind: 'drop-held'; readonly held: number }
  /** From now on it is `client`'s turn at this server, for two seconds; null: nobody's. */
  | { readonly kind: 'turn'; readonly server: Ipv4Address; readonly client: Ipv4Address | null }
  /**
   * Outbound: `known` goes to `esp_out` (fast, no copies), `watched` to `esp_watched` instead (passes, each
   * packet copied, needs no turn), `forgotten` out of both.
   */
  | {
      readonly kind: 'outbound';
      readonly client: Ipv4Address;
      readonly server: Ipv4Address;
      readonly spi: Spi;
      readonly as: 'known' | 'watched' | 'forgotten';
    }
  /** Packets of this server on SPIs that no device can have asked for, since the last such note. */
  | { readonly kind: 'flood'; readonly server: Ipv4Address; readonly packets: number }
  /** Two devices have chosen the same SPI, which no NAT can tell apart: `client` has it, `other` gets nothing. */
  | {
      readonly kind: 'collision';
      readonly server: Ipv4Address;
      readonly spi: Spi;
      readonly client: Ipv4Address;
      readonly other: Ipv4Address | null;
    };
