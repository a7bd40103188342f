// Hosts that speak IPv6: tagged UDP, tagged payloads of any IP protocol, and ICMPv6. All of it goes
// from one host's address to another's, since nothing is translated.
import type { Ipv6Address } from '../../src/core/address.ts';
import { parseIpv6Packet, type Ipv6Packet } from '../../src/core/wire/ipv6.ts';
import type { Ends } from '../../src/core/wire/transport-checksum.ts';
import { RawIpv6Socket, UdpIpv6Socket, type Ipv6Datagram } from '../sockets-ipv6.ts';
import type { Host, Household } from '../topologies/household.ts';

/** Types and codes that the scenarios meet (RFC 4443 3.1, 4.1, 4.2). */
export const icmpv6 = {
  protocol: 58,
  destinationUnreachable: 1,
  administrativelyProhibited: 1,
  echoRequest: 128,
  echoReply: 129,
} as const;

export class UdpIpv6Peer {
  readonly host: Host;
  readonly port: number;
  readonly received: Ipv6Datagram[] = [];
  readonly #household: Household;
  readonly #socket: UdpIpv6Socket;

  constructor(household: Household, host: Host, port: number) {
    this.#household = household;
    this.host = host;
    this.#socket = new UdpIpv6Socket(host, port, (datagram) => this.received.push(datagram));
    this.port = this.#socket.port;
    household.onClose(() => this.#socket.close());
  }

  /** Sends one tagged datagram to `host`, which gets it or, when not `arrives`, nobody. */
  send(host: Host, port: number, arrives = true): void {
    const what = `UDP ${this.port} to [${host.ipv6}]:${port} of ${this.host.name}`;
    this.#socket.send(host.ipv6, port, this.#household.ledger.tag(what, arrives ? host.name : null));
  }
}

/** Makes of a tag the bytes behind the IPv6 header. */
export type Wrap = (tag: Uint8Array, ends: Ends) => Uint8Array;

export class RawIpv6Peer {
  readonly host: Host;
  readonly protocol: number;
  readonly received: Ipv6Datagram[] = [];
  readonly #household: Household;
  readonly #socket: RawIpv6Socket;
  readonly #wrap: Wrap;

  constructor(household: Household, host: Host, protocol: number, wrap: Wrap) {
    this.#household = household;
    this.host = host;
    this.protocol = protocol;
    this.#wrap = wrap;
    this.#socket = new RawIpv6Socket(host, protocol, (packet) => this.received.push(packet));
    household.onClose(() => this.#socket.close());
  }

  /** Sends one tagged packet to `host`, which gets it or, when not `arrives`, nobody. */
  send(host: Host, arrives = true): void {
    const what = `protocol ${this.protocol} to ${host.ipv6} of ${this.host.name}`;
    const tag = this.#household.ledger.tag(what, arrives ? host.name : null);
    this.#socket.send(host.ipv6, this.#wrap(tag, { source: this.host.ipv6, destination: host.ipv6 }));
  }
}

export interface ReceivedIcmpv6Error {
  readonly source: Ipv6Address;
  readonly type: number;
  readonly code: number;
  readonly about: Ipv6Packet;
}

export class Icmpv6Peer {
  readonly errors: ReceivedIcmpv6Error[] = [];
  readonly repliesFrom: Ipv6Address[] = [];
  readonly #socket: RawIpv6Socket;

  constructor(household: Household, host: Host) {
    this.#socket = new RawIpv6Socket(host, icmpv6.protocol, ({ source, payload }) => {
      const [type, code] = [payload[0]!, payload[1]!];
      if (type === icmpv6.echoReply) this.repliesFrom.push(source);
      // RFC 4443 2.1: the high bit tells information from errors, which quote a packet (2.4 c).
      else if (type < 128)
        this.errors.push({ source, type, code, about: parseIpv6Packet(payload.subarray(8)) });
    });
    household.onClose(() => this.#socket.close());
  }

  /** An identifier below 256. */
  ping(destination: Ipv6Address, identifier: number): void {
    this.#socket.send(destination, Uint8Array.of(icmpv6.echoRequest, 0, 0, 0, 0, identifier, 0, 1));
  }
}
