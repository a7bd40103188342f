// TCP connections with tagged segments in both directions: for every VPN that is "just TCP". A server
// keeps the connections that came, in order.
import type { Socket } from 'node:net';
import { connectTcp, listenTcp } from '../sockets.ts';
import type { Host, Household } from '../topologies/household.ts';
import { claim, until } from '../wait.ts';

/** One end of a connection. */
export class TcpEnd {
  readonly host: Host;
  readonly #household: Household;
  readonly #socket: Socket;
  #received = Buffer.alloc(0);

  constructor(household: Household, host: Host, socket: Socket) {
    this.#household = household;
    this.host = host;
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
    });
    socket.on('error', () => {});
    household.onClose(() => socket.destroy());
  }

  /** Sends one tagged segment that only `to` may get, and returns it. */
  send(to: Host, prefix: Uint8Array = new Uint8Array(0)): Uint8Array {
    const what = `TCP from ${this.host.name} to ${to.name}`;
    const payload = Buffer.concat([prefix, this.#household.ledger.tag(what, to.name)]);
    this.#socket.write(payload);
    return payload;
  }

  /** Resolves when exactly these payloads have come, in order. */
  async verify(payloads: readonly Uint8Array[]): Promise<void> {
    const wanted = Buffer.concat(payloads);
    await until(`${wanted.length} octets at ${this.host.name}`, () => this.#received.length >= wanted.length);
    claim(this.#received.equals(wanted), `the stream at ${this.host.name} is the one that was sent`);
  }
}

export class TcpServer {
  readonly host: Host;
  readonly port: number;
  readonly ends: TcpEnd[] = [];
  readonly #household: Household;

  constructor(household: Household, host: Host, port: number) {
    this.#household = household;
    this.host = host;
    this.port = port;
    const listener = listenTcp(host, port, (socket) => this.ends.push(new TcpEnd(household, host, socket)));
    household.onClose(() => listener.close());
  }

  /** Resolves to both ends of a connection of this device; one after the other. */
  async accept(device: Host, sourcePort = 0): Promise<{ near: TcpEnd; far: TcpEnd }> {
    const before = this.ends.length;
    const socket = await connectTcp(device, this.host.address, this.port, sourcePort);
    const near = new TcpEnd(this.#household, device, socket);
    const far = await until('the connection at the server', () => this.ends[before]);
    return { near, far };
  }
}
