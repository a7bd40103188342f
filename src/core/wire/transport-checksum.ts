// The checksum that UDP and TCP share: over a pseudo header of addresses, protocol and length,
// then the segment. Knows nothing of where a segment keeps its checksum.
// RFC 9293 3.1 and RFC 768 over IPv4, RFC 8200 8.1 over IPv6.

import { assert } from '../assert.ts';
import { ipv4Bytes, ipv6Bytes, type Ipv4Address, type Ipv6Address } from '../address.ts';
import { internetChecksum, Writer } from './bytes.ts';

/** The two ends of a segment, both of one family. */
export interface Ends {
  readonly source: Ipv4Address | Ipv6Address;
  readonly destination: Ipv4Address | Ipv6Address;
}

/** The checksum of `segment` between these ends: the field's value where the field is zero, 0 where it is right. */
export function transportChecksum(ends: Ends, protocol: number, segment: Uint8Array): number {
  return internetChecksum(pseudoHeader(ends, protocol, segment.length), segment);
}

function pseudoHeader({ source, destination }: Ends, protocol: number, length: number): Uint8Array {
  assert(isIpv6(source) === isIpv6(destination), 'both ends are of one family');
  if (isIpv6(source) && isIpv6(destination)) {
    return new Writer(40).put(ipv6Bytes(source)).put(ipv6Bytes(destination)).u32(length).u32(protocol).bytes;
  }
  return new Writer(12)
    .put(ipv4Bytes(source as Ipv4Address))
    .put(ipv4Bytes(destination as Ipv4Address))
    .u16(protocol)
    .u16(length).bytes;
}

function isIpv6(address: Ipv4Address | Ipv6Address): address is Ipv6Address {
  return address.includes(':');
}
