// IPv6 sockets of the lab's hosts, beside those of sockets.ts. A raw IPv6 socket gives the payload
// and not the header (RFC 3542 3), so the source comes from the socket's address.
import type { Server, Socket } from 'node:net';
import { ipv6Bytes, ipv6FromBytes, type Ipv6Address } from '../src/core/address.ts';
import { AF_INET6, bindSocket, openSocket, SOCK_DGRAM, SOCK_RAW, socketName } from '../src/linux/libc.ts';
import type { Namespace } from './namespaces.ts';
import { Endpoint, openTcp, sendWaiting, serveTcp } from './sockets.ts';

const SOCKADDR_IN6_BYTES = 28;

/** Where a host's IPv6 sockets are opened and from which address they speak; null is any. */
export interface Ipv6Place {
  readonly namespace: Namespace;
  readonly ipv6: Ipv6Address | null;
}

/** sockaddr_in6. */
function inet6Address(address: Ipv6Address | null, port: number): Uint8Array {
  const bytes = new Uint8Array(SOCKADDR_IN6_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_INET6, true);
  view.setUint16(2, port);
  if (address !== null) bytes.set(ipv6Bytes(address), 8);
  return bytes;
}

function sourceOf(from: Uint8Array): { source: Ipv6Address; sourcePort: number } {
  return { source: ipv6FromBytes(from.subarray(8, 24)), sourcePort: (from[2]! << 8) | from[3]! };
}

/** What came to an IPv6 socket; a raw one has no port. */
export interface Ipv6Datagram {
  readonly source: Ipv6Address;
  readonly sourcePort: number;
  readonly payload: Uint8Array;
}

/** Opens and binds in the place's namespace. */
function openBound(place: Ipv6Place, type: number, protocol: number, port: number): number {
  return place.namespace.inside(() => {
    const fd = openSocket(AF_INET6, type, protocol);
    bindSocket(fd, inet6Address(place.ipv6, port), `type ${type} on [${place.ipv6}]:${port}`);
    return fd;
  });
}

export class RawIpv6Socket extends Endpoint {
  /** `onPacket` gets what stands behind the headers of IPv6, for ICMPv6 with a right checksum. */
  constructor(place: Ipv6Place, protocol: number, onPacket: (packet: Ipv6Datagram) => void) {
    super(openBound(place, SOCK_RAW, protocol, 0));
    this.watch(SOCKADDR_IN6_BYTES, (payload, from) => onPacket({ ...sourceOf(from), payload }));
  }

  /** The kernel writes the IPv6 header, and the checksum of ICMPv6. */
  send(destination: Ipv6Address, payload: Uint8Array): void {
    sendWaiting(this.fd, payload, inet6Address(destination, 0), `raw packet to ${destination}`);
  }
}

export class UdpIpv6Socket extends Endpoint {
  readonly port: number;

  /** Port 0 takes a free one. */
  constructor(place: Ipv6Place, port: number, onDatagram: (datagram: Ipv6Datagram) => void) {
    super(openBound(place, SOCK_DGRAM, 0, port));
    this.port = sourceOf(socketName(this.fd, SOCKADDR_IN6_BYTES)).sourcePort;
    this.watch(SOCKADDR_IN6_BYTES, (payload, from) => onDatagram({ ...sourceOf(from), payload }));
  }

  send(destination: Ipv6Address, port: number, payload: Uint8Array): void {
    sendWaiting(this.fd, payload, inet6Address(destination, port), `UDP to [${destination}]:${port}`);
  }
}

/** Resolves to a connected socket; rejects with LinuxError (ECONNREFUSED, EACCES …). */
export function connectTcpIpv6(place: Ipv6Place, destination: Ipv6Address, port: number): Promise<Socket> {
  const attempted = `TCP ${place.ipv6} to [${destination}]:${port}`;
  return openTcp(
    place.namespace,
    AF_INET6,
    inet6Address(place.ipv6, 0),
    inet6Address(destination, port),
    attempted,
  );
}

/** Listens; `onConnection` gets each accepted socket. The caller closes the server. */
export function listenTcpIpv6(
  place: Ipv6Place,
  port: number,
  onConnection: (socket: Socket) => void,
): Server {
  const attempted = `TCP [${place.ipv6}]:${port}`;
  return serveTcp(place.namespace, AF_INET6, inet6Address(place.ipv6, port), attempted, onConnection);
}
