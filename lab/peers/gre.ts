// A host that sends and receives GRE on a raw socket: version 1, the data of PPTP (RFC 2637 4.1),
// and version 0 (RFC 2784). The payload is the tag; no PPP inside.
import type { Ipv4Address } from '../../src/core/address.ts';
import {
  emitGre,
  parseGre,
  type GrePacket,
  type GreTunnelPacket,
  type PptpGrePacket,
} from '../../src/core/wire/gre.ts';
import { ipProtocols, parseIpv4Packet } from '../../src/core/wire/ipv4.ts';
import { RawSocket, type Place } from '../sockets.ts';
import type { Host, Household } from '../topologies/household.ts';

export interface ReceivedGre {
  readonly source: Ipv4Address;
  readonly packet: GrePacket;
  /** The whole packet behind the IP header. */
  readonly bytes: Uint8Array;
  /** When it was read, by `performance.now()`. */
  readonly atMs: number;
}

/** The header of a packet to send; `callId` is the receiver's. */
export type GreHeader = Omit<GreTunnelPacket, 'payload'> | Omit<PptpGrePacket, 'payload' | 'payloadLength'>;

export class GrePeer {
  readonly host: Host;
  readonly place: Place;
  readonly received: ReceivedGre[] = [];
  readonly #household: Household;
  readonly #socket: RawSocket;

  /** `place` is one of the host's addresses, its first unless said otherwise. */
  constructor(household: Household, host: Host, place: Place = host) {
    this.#household = household;
    this.host = host;
    this.place = place;
    this.#socket = new RawSocket(place, ipProtocols.gre, (raw) => {
      const { source, payload } = parseIpv4Packet(raw);
      this.received.push({ source, packet: parseGre(payload), bytes: payload, atMs: performance.now() });
    });
    household.onClose(() => this.#socket.close());
  }

  /** Sends one tagged packet that only `to` may get (null: nobody), and returns its bytes. */
  send(destination: Ipv4Address, header: GreHeader, to: Host | null, length?: number): Uint8Array {
    const about = header.version === 1 ? `to Call ID ${header.callId}` : 'version 0';
    const what = `GRE ${about} #${header.sequence} from ${this.place.address}`;
    const bytes = emitGre({ ...header, payload: this.#household.ledger.tag(what, to?.name ?? null, length) });
    this.sendBytes(destination, bytes);
    return bytes;
  }

  /** Sends an IP payload as it is. */
  sendBytes(destination: Ipv4Address, payload: Uint8Array): void {
    this.#socket.send(destination, payload);
  }

  /** The packets of PPTP that came under this Call ID, in order. */
  ofCall(callId: number): ReceivedGre[] {
    return this.received.filter(({ packet }) => packet.version === 1 && packet.callId === callId);
  }
}
