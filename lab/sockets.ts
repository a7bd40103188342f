// Sockets of the lab's hosts: raw IP, UDP, TCP and whole frames, each made inside its host's
// namespace and read by this process. What comes in is handed on at once; nothing is kept here.
import { createServer, Socket, type Server } from 'node:net';
import { ipv4FromBytes, type Ipv4Address } from '../src/core/address.ts';
import {
  AF_INET,
  AF_PACKET,
  bindSocket,
  closeDescriptor,
  connectSocket,
  getSocketInt,
  inetAddress,
  LinuxError,
  listenSocket,
  openSocket,
  receiveInto,
  sendTo,
  setSocketInt,
  SOCK_DGRAM,
  SOCK_RAW,
  SOCK_STREAM,
  socketName,
  SOL_SOCKET,
  watchReadable,
  whenWritable,
} from '../src/linux/libc.ts';
import type { Namespace } from './namespaces.ts';

// asm-generic/socket.h, linux/in.h
const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const SO_RCVBUFFORCE = 33;
const SO_RCVBUF = 8;
const IPPROTO_IP = 0;
const IP_HDRINCL = 3;
const IP_MTU_DISCOVER = 10;
const IP_PMTUDISC_DONT = 0;
const IPPROTO_RAW = 255;
const ETH_P_ALL = 0x0003;
const LARGEST_PACKET = 65_536;
const BUFFER_BYTES = 8 << 20;

/** Where a host's sockets are opened and from which address they speak. */
export interface Place {
  readonly namespace: Namespace;
  readonly address: Ipv4Address;
}

/** A descriptor that is read whenever something has come, and closed with the household. */
export abstract class Endpoint {
  protected readonly fd: number;
  #unwatch: (() => void) | null = null;
  readonly #buffer = new Uint8Array(LARGEST_PACKET);

  protected constructor(fd: number) {
    this.fd = fd;
    try {
      setSocketInt(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES);
    } catch {
      // Not root of the machine: the ordinary limit must do.
      setSocketInt(fd, SOL_SOCKET, SO_RCVBUF, BUFFER_BYTES);
    }
  }

  protected watch(addressLength: number, onPacket: (bytes: Uint8Array, address: Uint8Array) => void): void {
    this.#unwatch = watchReadable(this.fd, () => {
      const address = new Uint8Array(addressLength);
      for (;;) {
        let length: number | null;
        try {
          length = receiveInto(this.fd, this.#buffer, address);
        } catch (error) {
          // An ICMP error about something sent before (ECONNREFUSED), or a link that went down.
          if (error instanceof LinuxError) continue;
          throw error;
        }
        if (length === null) return;
        onPacket(this.#buffer.slice(0, length), address);
      }
    });
  }

  close(): void {
    this.#unwatch?.();
    closeDescriptor(this.fd);
  }
}

export class RawSocket extends Endpoint {
  /** `onPacket` gets whole IPv4 packets of this protocol that come to the place's address. */
  constructor(place: Place, protocol: number, onPacket: (packet: Uint8Array) => void) {
    super(
      place.namespace.inside(() => {
        const fd = openSocket(AF_INET, SOCK_RAW, protocol);
        bindSocket(fd, inetAddress(place.address, 0), `raw ${protocol} on ${place.address}`);
        return fd;
      }),
    );
    setSocketInt(this.fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
    this.watch(0, onPacket);
  }

  /** Sends a payload; the kernel writes the IP header and fragments what is too long. */
  send(destination: Ipv4Address, payload: Uint8Array): void {
    sendWaiting(this.fd, payload, inetAddress(destination, 0), `raw packet to ${destination}`);
  }
}

/** Sends whole IPv4 packets as they are, whatever their source address says. */
export class PacketSender {
  readonly #fd: number;

  constructor(namespace: Namespace) {
    this.#fd = namespace.inside(() => openSocket(AF_INET, SOCK_RAW, IPPROTO_RAW));
    setSocketInt(this.#fd, IPPROTO_IP, IP_HDRINCL, 1);
  }

  send(destination: Ipv4Address, packet: Uint8Array): void {
    sendWaiting(this.#fd, packet, inetAddress(destination, 0), `packet to ${destination}`);
  }

  close(): void {
    closeDescriptor(this.#fd);
  }
}

/** Sends one packet; `address` is a whole sockaddr. */
export function sendWaiting(fd: number, data: Uint8Array, address: Uint8Array, attempted: string): void {
  // A full send buffer empties by itself within microseconds on a veth pair.
  for (let attempt = 0; attempt < 10_000; attempt += 1) if (sendTo(fd, data, address, attempted)) return;
  throw new LinuxError('sendto', 'EAGAIN', attempted);
}

export interface Datagram {
  readonly source: Ipv4Address;
  readonly sourcePort: number;
  readonly payload: Uint8Array;
}

export class UdpSocket extends Endpoint {
  readonly port: number;

  /** Port 0 takes a free one. */
  constructor(place: Place, port: number, onDatagram: (datagram: Datagram) => void) {
    super(
      place.namespace.inside(() => {
        const fd = openSocket(AF_INET, SOCK_DGRAM, 0);
        setSocketInt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        bindSocket(fd, inetAddress(place.address, port), `UDP ${place.address}:${port}`);
        return fd;
      }),
    );
    setSocketInt(this.fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
    const name = socketName(this.fd, 16);
    this.port = (name[2]! << 8) | name[3]!;
    this.watch(16, (payload, from) => {
      onDatagram({
        source: ipv4FromBytes(from.subarray(4, 8)),
        sourcePort: (from[2]! << 8) | from[3]!,
        payload,
      });
    });
  }

  send(destination: Ipv4Address, port: number, payload: Uint8Array): void {
    sendWaiting(this.fd, payload, inetAddress(destination, port), `UDP to ${destination}:${port}`);
  }
}

/** Resolves to a connected socket; rejects with LinuxError (ECONNREFUSED, EHOSTUNREACH …). `sourcePort` 0 takes a free one. */
export function connectTcp(
  place: Place,
  destination: Ipv4Address,
  port: number,
  sourcePort = 0,
): Promise<Socket> {
  return openTcp(
    place.namespace,
    AF_INET,
    inetAddress(place.address, sourcePort),
    inetAddress(destination, port),
    `TCP ${place.address}:${sourcePort} to ${destination}:${port}`,
  );
}

/** As `connectTcp`, of either family: `near` and `far` are whole sockaddrs. */
export function openTcp(
  namespace: Namespace,
  family: number,
  near: Uint8Array,
  far: Uint8Array,
  attempted: string,
): Promise<Socket> {
  const fd = namespace.inside(() => {
    const opened = openSocket(family, SOCK_STREAM, 0);
    setSocketInt(opened, SOL_SOCKET, SO_REUSEADDR, 1);
    bindSocket(opened, near, attempted);
    connectSocket(opened, far, attempted);
    return opened;
  });
  return new Promise((resolve, reject) => {
    whenWritable(fd, () => {
      const error = getSocketInt(fd, SOL_SOCKET, SO_ERROR);
      if (error === 0) {
        const socket = new Socket({ fd });
        socket.setNoDelay(true);
        resolve(socket);
      } else {
        closeDescriptor(fd);
        const names: Record<number, string> = {
          104: 'ECONNRESET',
          110: 'ETIMEDOUT',
          111: 'ECONNREFUSED',
          113: 'EHOSTUNREACH',
          101: 'ENETUNREACH',
          13: 'EACCES',
        };
        reject(new LinuxError('connect', names[error] ?? `errno ${error}`, attempted));
      }
    });
  });
}

/** Listens; `onConnection` gets each accepted socket. The caller closes the server. */
export function listenTcp(place: Place, port: number, onConnection: (socket: Socket) => void): Server {
  const attempted = `TCP ${place.address}:${port}`;
  return serveTcp(place.namespace, AF_INET, inetAddress(place.address, port), attempted, onConnection);
}

/** As `listenTcp`, of either family: `near` is a whole sockaddr. */
export function serveTcp(
  namespace: Namespace,
  family: number,
  near: Uint8Array,
  attempted: string,
  onConnection: (socket: Socket) => void,
): Server {
  const fd = namespace.inside(() => {
    const opened = openSocket(family, SOCK_STREAM, 0);
    setSocketInt(opened, SOL_SOCKET, SO_REUSEADDR, 1);
    bindSocket(opened, near, attempted);
    listenSocket(opened, 256);
    return opened;
  });
  const server = createServer({ noDelay: true }, onConnection);
  server.listen({ fd });
  return server;
}

export class FrameTap extends Endpoint {
  /** `onFrame` gets every Ethernet frame that passes the interface, and whether it arrives for this host. */
  constructor(
    namespace: Namespace,
    interfaceIndex: number,
    onFrame: (frame: Uint8Array, arriving: boolean) => void,
  ) {
    super(
      namespace.inside(() => {
        const fd = openSocket(AF_PACKET, SOCK_RAW, 0);
        // sockaddr_ll: family, protocol in network order, index.
        const address = new Uint8Array(20);
        const view = new DataView(address.buffer);
        view.setUint16(0, AF_PACKET, true);
        view.setUint16(2, ETH_P_ALL);
        view.setInt32(4, interfaceIndex, true);
        bindSocket(fd, address, `tap on interface ${interfaceIndex}`);
        return fd;
      }),
    );
    // linux/if_packet.h: PACKET_HOST, as against frames for others and our own.
    const PACKET_HOST = 0;
    this.watch(20, (frame, from) => onFrame(frame, from[10] === PACKET_HOST));
  }
}
