// Live sessions through the lab's gateway: streams of numbered packets, sent at a steady rate and
// noted where they arrive, so that it is known which packet passed last, which was lost and which
// reached somebody else. Knows the headers that a gateway looks at; what is inside is a number.
import { emitEsp } from '../src/core/wire/esp.ts';
import { emitGre } from '../src/core/wire/gre.ts';
import { ipProtocols, parseIpv4Packet } from '../src/core/wire/ipv4.ts';
import { RawSocket, UdpSocket } from '../lab/sockets.ts';
import type { Host, Household } from '../lab/topologies/household.ts';
import { until } from '../lab/wait.ts';
import { LinuxError } from '../src/linux/libc.ts';

const MAGIC = 0x6e756d62;
/** The number stands at the end of the packet: what is before it is the header's matter. */
const TRAILER_BYTES = 12;
export const PAYLOAD_BYTES = 64;
/** Whoever was held up longer does not catch up: a burst would not be steady traffic. */
const HELD_UP_MS = 5;

export type Kind = 'ESP' | 'UDP 4500' | 'UDP 1701' | 'GRE' | 'TCP 1723';

/** Packets of one direction of one session. */
export class Stream {
  readonly kind: Kind;
  readonly to: Host;
  /** When each packet was sent, by `performance.now()`. */
  readonly sentAt: number[] = [];
  readonly #arrived: number[] = [];
  readonly #id: number;
  readonly #send: (payload: Uint8Array, number: number) => void;
  readonly onArrival: (sourcePort: number) => void;

  constructor(
    id: number,
    kind: Kind,
    to: Host,
    send: (payload: Uint8Array, number: number) => void,
    onArrival: (sourcePort: number) => void = () => {},
  ) {
    this.#id = id;
    this.kind = kind;
    this.to = to;
    this.#send = send;
    this.onArrival = onArrival;
  }

  send(): void {
    const payload = new Uint8Array(PAYLOAD_BYTES);
    const view = new DataView(payload.buffer, PAYLOAD_BYTES - TRAILER_BYTES);
    view.setUint32(0, MAGIC);
    view.setUint32(4, this.#id);
    view.setUint32(8, this.sentAt.length);
    this.sentAt.push(performance.now());
    try {
      this.#send(payload, this.sentAt.length - 1);
    } catch (error) {
      // The gateway's refusal of an earlier packet, reported to this one: it is lost, too.
      if (!(error instanceof LinuxError)) throw error;
    }
  }

  /** Returns false for a packet that has been here before. */
  note(number: number): boolean {
    this.#arrived[number] = (this.#arrived[number] ?? 0) + 1;
    return this.#arrived[number] === 1;
  }

  /** How many of the packets from this number on, up to another, have not arrived. The latest are still under way. */
  lostSince(number: number, end = this.sentAt.length): number {
    let lost = 0;
    for (let at = number; at < end; at += 1) if (this.#arrived[at] === undefined) lost += 1;
    return lost;
  }

  /** When the last packet that arrived was sent, or null. */
  lastPassedAt(): number | null {
    for (let at = this.sentAt.length - 1; at >= 0; at -= 1)
      if (this.#arrived[at] !== undefined) return this.sentAt[at]!;
    return null;
  }

  /** When the first packet that arrived of those sent since `from` was sent, or null. */
  firstPassedAt(from: number): number | null {
    let first: number | null = null;
    for (let at = this.sentAt.length - 1; at >= 0 && this.sentAt[at]! >= from; at -= 1)
      if (this.#arrived[at] !== undefined) first = this.sentAt[at]!;
    return first;
  }
}

export class Traffic {
  readonly streams: Stream[] = [];
  /** Packets that reached another host than theirs, or came twice. */
  misdelivered = 0;
  readonly #household: Household;
  readonly #raw = new Map<string, RawSocket>();
  readonly #udp = new Map<string, UdpSocket>();
  /** Of the latest `start`, null after `stop`: an older one's next turn must not go on. */
  #running: symbol | null = null;

  constructor(household: Household) {
    this.#household = household;
    household.onClose(() => {
      this.stop();
      for (const socket of [...this.#raw.values(), ...this.#udp.values()]) socket.close();
    });
  }

  add(
    kind: Kind,
    to: Host,
    send: (payload: Uint8Array, number: number) => void,
    onArrival?: (sourcePort: number) => void,
  ): Stream {
    const stream = new Stream(this.streams.length, kind, to, send, onArrival);
    this.streams.push(stream);
    return stream;
  }

  /** What a host got, down to the number at its end. */
  arrived(host: Host, bytes: Uint8Array, sourcePort = 0): void {
    if (bytes.length < TRAILER_BYTES) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - TRAILER_BYTES, TRAILER_BYTES);
    const stream = view.getUint32(0) === MAGIC ? this.streams[view.getUint32(4)] : undefined;
    if (stream === undefined) return;
    if (stream.to !== host) this.misdelivered += 1;
    else if (stream.note(view.getUint32(8))) stream.onArrival(sourcePort);
    else this.misdelivered += 1;
  }

  /** Sends in turn from all streams, until `stop`. */
  start(packetsPerSecond: number): void {
    const gap = 1000 / packetsPerSecond;
    let due = performance.now();
    let turn = 0;
    const running = Symbol('running');
    this.#running = running;
    const pump = (): void => {
      if (this.#running !== running) return;
      const now = performance.now();
      if (now - due > HELD_UP_MS) due = now;
      for (; due <= now; due += gap) {
        this.streams[turn % this.streams.length]!.send();
        turn += 1;
      }
      setImmediate(pump);
    };
    pump();
  }

  stop(): void {
    this.#running = null;
  }

  /** Resolves when a packet sent from now on has passed on every stream. */
  async flowing(): Promise<void> {
    const from = performance.now();
    const { streams } = this;
    await until(
      'everything to pass both ways',
      () => streams.every((stream) => stream.firstPassedAt(from) !== null),
      undefined,
      () =>
        streams
          .filter((stream) => stream.firstPassedAt(from) === null)
          .map((stream) => `nothing of ${stream.kind} to ${stream.to.name}`)
          .join(', '),
    );
  }

  /** ESP between a device and a server, on an SPI each way. */
  addEsp(device: Host, server: Host, spiOut: number, spiIn: number): void {
    const [near, far] = [this.raw(device, ipProtocols.esp), this.raw(server, ipProtocols.esp)];
    this.add('ESP', server, (rest, number) => {
      near.send(server.address, emitEsp({ spi: spiOut, sequence: number + 1, rest }));
    });
    this.add('ESP', device, (rest, number) => {
      far.send(this.#household.wan, emitEsp({ spi: spiIn, sequence: number + 1, rest }));
    });
  }

  /** UDP between equal ports; the server answers to where the device was last heard from. */
  addUdp(kind: 'UDP 4500' | 'UDP 1701', device: Host, server: Host): void {
    const port = Number(kind.slice(4));
    const [near, far] = [this.#udpSocket(device, port), this.#udpSocket(server, port)];
    let mapped = port;
    this.add(
      kind,
      server,
      (payload) => near.send(server.address, port, payload),
      (sourcePort) => {
        mapped = sourcePort;
      },
    );
    this.add(kind, device, (payload) => far.send(this.#household.wan, mapped, payload));
  }

  /** The data of PPTP, for calls that come and go: `callIds` says under which IDs packets are sent now. */
  addGre(device: Host, server: Host, callIds: () => { up: number; down: number }): void {
    const [near, far] = [this.raw(device, ipProtocols.gre), this.raw(server, ipProtocols.gre)];
    const packet = (callId: number, sequence: number, payload: Uint8Array): Uint8Array =>
      emitGre({ version: 1, callId, sequence, acknowledgment: null, payload });
    this.add('GRE', server, (payload, number) => {
      near.send(server.address, packet(callIds().up, number, payload));
    });
    this.add('GRE', device, (payload, number) => {
      far.send(this.#household.wan, packet(callIds().down, number, payload));
    });
  }

  raw(host: Host, protocol: number): RawSocket {
    const key = `${host.name} ${protocol}`;
    let socket = this.#raw.get(key);
    if (!socket) {
      socket = new RawSocket(host, protocol, (packet) => this.arrived(host, parseIpv4Packet(packet).payload));
      this.#raw.set(key, socket);
    }
    return socket;
  }

  #udpSocket(host: Host, port: number): UdpSocket {
    const key = `${host.name} ${port}`;
    let socket = this.#udp.get(key);
    if (!socket) {
      socket = new UdpSocket(host, port, ({ payload, sourcePort }) =>
        this.arrived(host, payload, sourcePort),
      );
      this.#udp.set(key, socket);
    }
    return socket;
  }
}
