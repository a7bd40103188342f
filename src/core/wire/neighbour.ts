// The kernel's neighbour table as rtnetlink tells it: which hardware address an IP address of a LAN
// has. linux/neighbour.h, rtnetlink(7).
import { type Ipv4Address, type Ipv6Address, ipv4FromBytes, ipv6FromBytes } from '../address.ts';
import { WireError } from './bytes.ts';
import { parseAttributes, parseHostU16, parseHostU32 } from './netlink.ts';

export const RTM_GETNEIGH = 30;

// linux/socket.h
const AF_INET = 2;
const AF_INET6 = 10;

/** struct ndmsg */
const NDMSG_LENGTH = 12;
const NDA_DST = 1;
const NDA_LLADDR = 2;
/** Ethernet, Wi-Fi and whatever looks like them. */
const MAC_BYTES = 6;

// NUD_: states in which the hardware address is not known.
const NUD_INCOMPLETE = 0x01;
const NUD_FAILED = 0x20;
const NUD_NOARP = 0x40;

export interface Neighbour {
  /** Of the interface. */
  readonly index: number;
  readonly address: Ipv4Address | Ipv6Address;
  /** Six bytes in lower case, with colons. */
  readonly mac: string;
}

/** A neighbour whose hardware address is known, or null for any other entry. */
export function parseNeighbour(payload: Uint8Array): Neighbour | null {
  if (payload.length < NDMSG_LENGTH) throw new WireError('truncated', payload.length, 'ndmsg');
  const family = payload[0]!;
  const index = parseHostU32(payload, 4);
  const state = parseHostU16(payload, 8);
  if ((state & (NUD_INCOMPLETE | NUD_FAILED | NUD_NOARP)) !== 0) return null;
  const attributes = parseAttributes(payload, NDMSG_LENGTH);
  const [address, mac] = [attributes.get(NDA_DST), attributes.get(NDA_LLADDR)];
  if (!address || mac?.length !== MAC_BYTES) return null;
  if (family === AF_INET && address.length === 4) {
    return { index, address: ipv4FromBytes(address), mac: macFromBytes(mac) };
  }
  if (family === AF_INET6 && address.length === 16) {
    return { index, address: ipv6FromBytes(address), mac: macFromBytes(mac) };
  }
  return null;
}

/** The payload that asks for all of them. */
export function emitNeighbourDump(): Uint8Array {
  return new Uint8Array(NDMSG_LENGTH);
}

/** `bytes` holds exactly six of them. */
function macFromBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}
