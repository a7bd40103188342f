// Raw sockets of one IP protocol (raw(7)): connected to one IPv4 address, which hears whole packets of that
// address and what ICMP says about what was sent; or open to all. Need CAP_NET_RAW.
import type { Ipv4Address } from '../core/address.ts';
import {
  AF_INET,
  bindSocket,
  closeDescriptor,
  connectSocket,
  inetAddress,
  LinuxError,
  openSocket,
  receiveInto,
  sendTo,
  setSocketInt,
  SOCK_RAW,
  watchReadable,
} from './libc.ts';

const LARGEST_PACKET = 65_536;
// linux/in.h: never in pieces, whatever the path is said to carry
const IPPROTO_IP = 0;
const IP_MTU_DISCOVER = 10;
const IP_PMTUDISC_PROBE = 3;

export interface RawListener {
  /** A whole IPv4 packet that came from the address. */
  onPacket(packet: Uint8Array): void;
  /** The errno that an ICMP error became, such as `ENOPROTOOPT` or `EHOSTUNREACH`. */
  onRefused(errno: string): void;
}

export interface RawSocket {
  /** The kernel writes the IP header. Throws LinuxError. */
  send(payload: Uint8Array): void;
  close(): void;
}

/** `whole`: what is sent may not be cut into pieces. Throws LinuxError, `EPERM` without the right to do so. */
export function openRawSocket(
  protocol: number,
  address: Ipv4Address,
  listener: RawListener,
  whole = false,
): RawSocket {
  const attempted = `raw protocol ${protocol} to ${address}`;
  const fd = openSocket(AF_INET, SOCK_RAW, protocol);
  try {
    if (whole) setSocketInt(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
    connectSocket(fd, inetAddress(address, 0), attempted);
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
  return {
    send: (payload) => {
      sendTo(fd, payload, null, attempted);
    },
    close: hear(fd, listener),
  };
}

/** Reads until what is returned closes the descriptor, which may be at any packet. */
function hear(fd: number, listener: RawListener): () => void {
  const buffer = new Uint8Array(LARGEST_PACKET);
  let closed = false;
  const unwatch = watchReadable(fd, () => {
    for (;;) {
      if (closed) return;
      try {
        const length = receiveInto(fd, buffer);
        if (length === null) return;
        listener.onPacket(buffer.slice(0, length));
      } catch (error) {
        if (!(error instanceof LinuxError)) throw error;
        listener.onRefused(error.errno);
      }
    }
  });
  return () => {
    if (closed) return;
    closed = true;
    unwatch();
    closeDescriptor(fd);
  };
}

export interface OpenRawSocket {
  /** The kernel writes the IP header. Throws LinuxError. */
  send(address: Ipv4Address, payload: Uint8Array): void;
  close(): void;
}

/** Hears whole packets of this protocol to `address` (null: to any of this machine) from anybody. Throws LinuxError. */
export function listenRaw(
  protocol: number,
  address: Ipv4Address | null,
  onPacket: (packet: Uint8Array) => void,
): OpenRawSocket {
  const fd = openSocket(AF_INET, SOCK_RAW, protocol);
  try {
    bindSocket(fd, inetAddress(address, 0), `raw protocol ${protocol}`);
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
  return {
    send: (to, payload) => {
      sendTo(fd, payload, inetAddress(to, 0), `raw protocol ${protocol} to ${to}`);
    },
    // What ICMP says of an answer that was sent: nobody waits for it.
    close: hear(fd, { onPacket, onRefused: () => undefined }),
  };
}
