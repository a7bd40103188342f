// A host that sends and receives tagged UDP from one port: for everything that is "just UDP", such as
// NAT-T, OpenVPN and WireGuard, and for the sentinel that tells when a path is quiet.
import type { Ipv4Address } from '../../src/core/address.ts';
import { UdpSocket, type Datagram } from '../sockets.ts';
import type { Host, Household } from '../topologies/household.ts';

export class UdpPeer {
  readonly host: Host;
  readonly port: number;
  readonly received: Datagram[] = [];
  readonly #household: Household;
  readonly #socket: UdpSocket;

  constructor(household: Household, host: Host, port: number) {
    this.#household = household;
    this.host = host;
    this.#socket = new UdpSocket(host, port, (datagram) => this.received.push(datagram));
    this.port = this.#socket.port;
    household.onClose(() => this.#socket.close());
  }

  /** Sends one tagged datagram that only `to` may get; `prefix` comes before the tag. */
  send(
    destination: Ipv4Address,
    port: number,
    to: Host | null,
    prefix: Uint8Array = new Uint8Array(0),
    length?: number,
  ): Uint8Array {
    const what = `UDP ${this.port} to ${destination}:${port} of ${this.host.name}`;
    const payload = Buffer.concat([prefix, this.#household.ledger.tag(what, to?.name ?? null, length)]);
    this.sendBytes(destination, port, payload);
    return payload;
  }

  /** Sends a payload as it is. */
  sendBytes(destination: Ipv4Address, port: number, payload: Uint8Array): void {
    this.#socket.send(destination, port, payload);
  }
}
