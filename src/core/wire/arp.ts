// ARP for IPv4 over Ethernet, behind the Ethernet header: who has an address. RFC 826.
import { ipv4Bytes, ipv4FromBytes, type Ipv4Address } from '../address.ts';
import { Reader, WireError, Writer } from './bytes.ts';

export const arpOperations = { request: 1, reply: 2 } as const;

const ETHERNET = 1;
const IPV4 = 0x0800;
const MAC_BYTES = 6;
const ADDRESS_BYTES = 4;
const LENGTH = 28;

/** The MAC addresses are of six octets. */
export interface ArpPacket {
  readonly operation: number;
  readonly senderMac: Uint8Array;
  readonly sender: Ipv4Address;
  readonly targetMac: Uint8Array;
  readonly target: Ipv4Address;
}

/** Reads a packet; what pads it to the least frame is left alone. */
export function parseArp(bytes: Uint8Array): ArpPacket {
  const reader = new Reader(bytes);
  const hardware = reader.u16();
  const protocol = reader.u16();
  const sizes = reader.u16();
  // RFC 826: other hardware and other protocols have other lengths.
  if (hardware !== ETHERNET || protocol !== IPV4 || sizes !== MAC_BYTES * 256 + ADDRESS_BYTES) {
    throw new WireError('unsupported', 0, `ARP of hardware ${hardware}, protocol ${protocol}`);
  }
  return {
    operation: reader.u16(),
    senderMac: reader.bytes(MAC_BYTES),
    sender: ipv4FromBytes(reader.bytes(ADDRESS_BYTES)),
    targetMac: reader.bytes(MAC_BYTES),
    target: ipv4FromBytes(reader.bytes(ADDRESS_BYTES)),
  };
}

export function emitArp({ operation, senderMac, sender, targetMac, target }: ArpPacket): Uint8Array {
  return new Writer(LENGTH)
    .u16(ETHERNET)
    .u16(IPV4)
    .u8(MAC_BYTES)
    .u8(ADDRESS_BYTES)
    .u16(operation)
    .put(senderMac)
    .put(ipv4Bytes(sender))
    .put(targetMac)
    .put(ipv4Bytes(target)).bytes;
}
