// A raw socket of one IP protocol, connected to one IPv4 address: sends payloads, hears whole packets of
// that address, and hears what ICMP says about what was sent (raw(7)). Needs CAP_NET_RAW.
import type { Ipv4Address } from '../core/address.ts';
import {
  AF_INET,
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
  const buffer = new Uint8Array(LARGEST_PACKET);
  let closed = false;
  const unwatch = watchReadable(fd, () => {
    // The listener may close the socket at any packet.
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
  return {
    send: (payload) => {
      sendTo(fd, payload, null, attempted);
    },
    close: () => {
      if (closed) return;
      closed = true;
      unwatch();
      closeDescriptor(fd);
    },
  };
}
