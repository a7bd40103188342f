// A host that sends and receives ESP on a raw socket (RFC 4303): no keys, the payload is the tag.
import type { Ipv4Address } from '../../src/core/address.ts';
import { emitEsp, parseEsp, type EspPacket } from '../../src/core/wire/esp.ts';
import { ipProtocols, parseIpv4Packet } from '../../src/core/wire/ipv4.ts';
import { RawSocket } from '../sockets.ts';
import type { Host, Household } from '../topologies/household.ts';

export interface ReceivedEsp extends EspPacket {
  readonly source: Ipv4Address;
}

export interface EspOptions {
  /** Of the payload, in bytes. */
  readonly length?: number;
  readonly sequence?: number;
}

export class EspPeer {
  readonly host: Host;
  readonly received: ReceivedEsp[] = [];
  readonly #household: Household;
  readonly #socket: RawSocket;
  readonly #sequences = new Map<string, number>();

  constructor(household: Household, host: Host) {
    this.#household = household;
    this.host = host;
    this.#socket = new RawSocket(host, ipProtocols.esp, (bytes) => {
      const packet = parseIpv4Packet(bytes);
      this.received.push({ ...parseEsp(packet.payload), source: packet.source });
    });
    household.onClose(() => this.#socket.close());
  }

  /** Sends one tagged packet that only `to` may get (null: nobody); the sequence counts up for each destination and SPI. */
  send(destination: Ipv4Address, spi: number, to: Host | null, options: EspOptions = {}): void {
    this.sendBytes(destination, this.packet(destination, spi, to, options));
  }

  /** As `send`, but the IP payload is returned for the scenario to send in a way of its own. */
  packet(destination: Ipv4Address, spi: number, to: Host | null, options: EspOptions = {}): Uint8Array {
    const key = `${destination} ${spi}`;
    const sequence = options.sequence ?? (this.#sequences.get(key) ?? 0) + 1;
    this.#sequences.set(key, sequence);
    const what = `ESP 0x${spi.toString(16)} #${sequence} of ${this.host.name}`;
    const rest = this.#household.ledger.tag(what, to?.name ?? null, options.length);
    return emitEsp({ spi, sequence, rest });
  }

  /** Sends an IP payload as it is. */
  sendBytes(destination: Ipv4Address, payload: Uint8Array): void {
    this.#socket.send(destination, payload);
  }
}
