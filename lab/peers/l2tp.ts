// L2TP version 2 over UDP: a client (LAC) that opens tunnels and sessions, and a server (LNS) that may
// answer from a port of its own choice (RFC 2661 8.1). Control messages are true to the RFC as far as
// a NAT can see, and the request for a tunnel is sent again until it is answered (5.8). Data is a tag.
import { Writer } from '../../src/core/wire/bytes.ts';
import { emitL2tp, l2tpMessageType, parseL2tp, type L2tpControl } from '../../src/core/wire/l2tp.ts';
import {
  avp,
  avpNumber,
  avpU16,
  avpU32,
  l2tpAvpTypes,
  l2tpMessageTypes,
  type L2tpAvp,
} from '../../src/core/wire/l2tp-avp.ts';
import type { Ipv4Address } from '../../src/core/address.ts';
import { UdpSocket, type Datagram } from '../sockets.ts';
import type { Host, Household } from '../topologies/household.ts';
import { claimEqual, until } from '../wait.ts';

export const L2TP_PORT = 1701;
/** RFC 2661 5.8: the first repetition comes after a second. */
const REPEAT_MS = 1000;

const types = l2tpMessageTypes;

/** Where an end speaks from and to; a port of the other end may move with its first answer. */
interface Path {
  readonly socket: UdpSocket;
  readonly address: Ipv4Address;
  port: number;
}

/** One end of a tunnel with one session in it: all that a lab needs. */
export class L2tpEnd {
  readonly host: Host;
  readonly path: Path;
  /** The id that this end has given: what comes for the tunnel carries it, and its session the same. */
  readonly id: number;
  peerId = 0;
  readonly control: { readonly type: number | null; readonly message: L2tpControl }[] = [];
  readonly data: Uint8Array[] = [];
  #ns = 0;
  #nr = 0;

  constructor(host: Host, path: Path, id: number) {
    this.host = host;
    this.path = path;
    this.id = id;
  }

  hear(datagram: Datagram): void {
    const message = parseL2tp(datagram.payload);
    if (message.version !== 2) return;
    if (message.kind === 'data') {
      this.data.push(datagram.payload);
      return;
    }
    const type = l2tpMessageType(message);
    // RFC 2661 5.8: a repetition is acknowledged and otherwise ignored; a bare acknowledgment has no number.
    if (type !== null) {
      if (message.ns !== this.#nr) return;
      this.#nr += 1;
    }
    this.control.push({ type, message });
  }

  /** Sends one control message, and returns it for a repetition. */
  say(type: number, avps: readonly L2tpAvp[], inSession = false): Uint8Array {
    const bytes = emitL2tp({
      kind: 'control',
      version: 2,
      tunnelId: this.peerId,
      sessionId: inSession ? this.peerId : 0,
      ns: this.#ns,
      nr: this.#nr,
      avps: [avpU16(l2tpAvpTypes.messageType, type), ...avps],
    });
    this.#ns += 1;
    this.send(bytes);
    return bytes;
  }

  /** A data message of the session, with this payload. */
  carry(payload: Uint8Array): Uint8Array {
    const { peerId: tunnelId, peerId: sessionId } = this;
    const header = { kind: 'data', version: 2, priority: false, length: null, sequence: null } as const;
    const bytes = emitL2tp({ ...header, tunnelId, sessionId, offsetBytes: null, payload });
    this.send(bytes);
    return bytes;
  }

  send(bytes: Uint8Array): void {
    this.path.socket.send(this.path.address, this.path.port, bytes);
  }

  /** Resolves to the first control message of this type. */
  async heard(type: number): Promise<L2tpControl> {
    const found = await until(
      `L2TP message type ${type} at ${this.host.name}`,
      () => this.control.find((one) => one.type === type),
      undefined,
      () => this.control.map((one) => one.type).join(', '),
    );
    return found.message;
  }
}

export class L2tpServer {
  readonly host: Host;
  readonly ends: L2tpEnd[] = [];
  /** Where each datagram came from that began a tunnel. */
  readonly callers: Datagram[] = [];
  readonly #answering: UdpSocket;
  /** How each tunnel's request was answered, to be said again. */
  readonly #replies = new Map<L2tpEnd, Uint8Array>();

  /** Listens on 1701 and answers from `answerPort`. */
  constructor(household: Household, host: Host, answerPort = L2TP_PORT) {
    this.host = host;
    const sockets = [...new Set([L2TP_PORT, answerPort])].map(
      (port) => new UdpSocket(host, port, (datagram) => this.#hear(datagram)),
    );
    this.#answering = sockets.at(-1)!;
    household.onClose(() => sockets.forEach((socket) => socket.close()));
  }

  #hear(datagram: Datagram): void {
    const message = parseL2tp(datagram.payload);
    if (message.version !== 2) return;
    if (message.kind === 'control' && message.tunnelId === 0) return this.#begin(datagram, message);
    const end = this.ends.find(({ id }) => id === message.tunnelId);
    end?.hear(datagram);
    const type = message.kind === 'control' ? l2tpMessageType(message) : null;
    if (end && type === types.incomingCallRequest) {
      end.say(types.incomingCallReply, [avpU16(l2tpAvpTypes.assignedSessionId, end.id)], true);
    }
    return undefined;
  }

  #begin(datagram: Datagram, request: L2tpControl): void {
    const { source, sourcePort } = datagram;
    const peerId = avpNumber(request.avps, l2tpAvpTypes.assignedTunnelId)!;
    const known = this.ends.find(
      ({ path, peerId: theirs }) => theirs === peerId && path.address === source && path.port === sourcePort,
    );
    const id = known?.id ?? 0x6001 + this.ends.length;
    const end =
      known ?? new L2tpEnd(this.host, { socket: this.#answering, address: source, port: sourcePort }, id);
    end.peerId = peerId;
    end.hear(datagram);
    // The reply to a repetition is sent again as it was.
    if (known) {
      end.send(this.#replies.get(end)!);
      return;
    }
    this.ends.push(end);
    this.callers.push(datagram);
    this.#replies.set(end, end.say(types.startControlConnectionReply, tunnelAvps(id)));
  }
}

/** A device's UDP port from which it opens tunnels. */
export class L2tpClient {
  readonly host: Host;
  readonly #household: Household;
  readonly #socket: UdpSocket;
  readonly #ends: L2tpEnd[] = [];

  constructor(household: Household, host: Host, port = L2TP_PORT) {
    this.#household = household;
    this.host = host;
    this.#socket = new UdpSocket(host, port, (datagram) => {
      const message = parseL2tp(datagram.payload);
      if (message.version !== 2) return;
      const end = this.#ends.find(({ id }) => id === message.tunnelId);
      if (!end) return;
      // RFC 2661 8.1: from then on the client sends to the port that the answer came from.
      end.path.port = datagram.sourcePort;
      end.hear(datagram);
    });
    household.onClose(() => this.#socket.close());
  }

  /** Resolves when the tunnel and a session in it stand. `id` is the tunnel id that the client gives. */
  async open(server: L2tpServer, id: number): Promise<L2tpSession> {
    const path = { socket: this.#socket, address: server.host.address, port: L2TP_PORT };
    const end = new L2tpEnd(this.host, path, id);
    this.#ends.push(end);
    const request = end.say(types.startControlConnectionRequest, tunnelAvps(id));
    const repeating = setInterval(() => end.send(request), REPEAT_MS);
    const reply = await end.heard(types.startControlConnectionReply).finally(() => clearInterval(repeating));
    end.peerId = avpNumber(reply.avps, l2tpAvpTypes.assignedTunnelId)!;
    end.say(types.startControlConnectionConnected, []);
    end.say(types.incomingCallRequest, [
      avpU16(l2tpAvpTypes.assignedSessionId, id),
      avpU32(l2tpAvpTypes.callSerialNumber, 1),
    ]);
    await end.heard(types.incomingCallReply);
    const about = [avpU32(l2tpAvpTypes.connectSpeed, 1), avpU32(l2tpAvpTypes.framingType, 1)];
    end.say(types.incomingCallConnected, about, true);
    const far = server.ends.find((one) => one.id === end.peerId)!;
    await far.heard(types.incomingCallConnected);
    return new L2tpSession(this.#household, end, far);
  }
}

/** Both ends of a session; what goes in at one must come out at the other, octet for octet. */
export class L2tpSession {
  readonly near: L2tpEnd;
  readonly far: L2tpEnd;
  readonly #household: Household;
  readonly #sent: { readonly up: Uint8Array[]; readonly down: Uint8Array[] } = { up: [], down: [] };

  constructor(household: Household, near: L2tpEnd, far: L2tpEnd) {
    this.#household = household;
    this.near = near;
    this.far = far;
  }

  up(): void {
    this.#sent.up.push(this.near.carry(this.#tag(this.near, this.far.host)));
  }

  down(): void {
    this.#sent.down.push(this.far.carry(this.#tag(this.far, this.near.host)));
  }

  /** A HELLO each way (RFC 2661 6.5). */
  async hello(): Promise<void> {
    this.near.say(types.hello, []);
    this.far.say(types.hello, []);
    await this.near.heard(types.hello);
    await this.far.heard(types.hello);
  }

  /** The client ends the tunnel (RFC 2661 6.4). */
  async stop(): Promise<void> {
    const result = avpU16(l2tpAvpTypes.resultCode, 1);
    this.near.say(types.stopControlConnection, [avpU16(l2tpAvpTypes.assignedTunnelId, this.near.id), result]);
    await this.far.heard(types.stopControlConnection);
  }

  async verify(): Promise<void> {
    for (const [end, sent] of [
      [this.far, this.#sent.up],
      [this.near, this.#sent.down],
    ] as const) {
      const where = `tunnel ${end.id} at ${end.host.name}`;
      await until(`${sent.length} packets in ${where}`, () => end.data.length >= sent.length);
      claimEqual(end.data.length, sent.length, `packets in ${where}`);
      for (const [index, bytes] of sent.entries())
        claimEqual(hex(end.data[index]!), hex(bytes), `packet ${index + 1} in ${where}`);
    }
  }

  #tag(from: L2tpEnd, to: Host): Uint8Array {
    return this.#household.ledger.tag(`L2TP of tunnel ${from.id} from ${from.host.name}`, to.name);
  }
}

/** What a request for a tunnel and its reply say of their sender (RFC 2661 6.1, 6.2). */
function tunnelAvps(id: number): L2tpAvp[] {
  return [
    avpU16(l2tpAvpTypes.protocolVersion, 0x0100),
    avp(l2tpAvpTypes.hostName, new Writer(3).put(Buffer.from('lab')).bytes),
    avpU32(l2tpAvpTypes.framingCapabilities, 3),
    avpU16(l2tpAvpTypes.assignedTunnelId, id),
    avpU16(l2tpAvpTypes.receiveWindowSize, 4),
  ];
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
