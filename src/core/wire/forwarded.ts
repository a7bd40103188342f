// What a gateway changes of an IPv4 packet that it sends on by itself: an address, a port, the time to
// live, and the cut into fragments where it is too long for the link. The kernel fills in the header
// checksum of such packets. RFC 791 2.3 and 3.2, RFC 1812 5.3.1.
import { ipv4Bytes, type Ipv4Address } from '../address.ts';
import { WireError } from './bytes.ts';
import { emitIpv4Packet, ipProtocols, parseIpv4Packet } from './ipv4.ts';
import { transportChecksum } from './transport-checksum.ts';

export interface Forwarding {
  readonly source?: Ipv4Address;
  readonly destination?: Ipv4Address;
  /** Of UDP. */
  readonly destinationPort?: number;
}

/** The whole packet, one hop further. Throws WireError when a part of it is missing, or its time is over. */
export function forwardIpv4(bytes: Uint8Array, change: Forwarding): Uint8Array {
  const packet = parseIpv4Packet(bytes);
  if (bytes.length < packet.totalLength) {
    throw new WireError('truncated', bytes.length, `a packet of ${packet.totalLength} bytes`);
  }
  // RFC 1812 5.3.1: a packet whose time to live would become zero is not sent on.
  if (packet.ttl <= 1) throw new WireError('malformed', 8, `time to live ${packet.ttl}`);
  const sent = bytes.slice(0, packet.totalLength);
  sent[8] = packet.ttl - 1;
  if (change.source !== undefined) sent.set(ipv4Bytes(change.source), 12);
  if (change.destination !== undefined) sent.set(ipv4Bytes(change.destination), 16);
  if (packet.protocol === ipProtocols.udp) finishUdp(sent, change);
  return sent;
}

function finishUdp(packet: Uint8Array, { destinationPort }: Forwarding): void {
  const { source, destination, payload } = parseIpv4Packet(packet);
  if (payload.length < 8) throw new WireError('truncated', packet.length, 'a UDP header');
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  if (destinationPort !== undefined) view.setUint16(2, destinationPort);
  // RFC 768: zero means that the sender computed none.
  if (view.getUint16(6) === 0) return;
  view.setUint16(6, 0);
  view.setUint16(6, transportChecksum({ source, destination }, ipProtocols.udp, payload) || 0xffff);
}

/**
 * The packet as fragments of at most `mtuBytes`; itself where it fits. Null for one that may not be
 * fragmented (RFC 791 3.1, Don't Fragment).
 */
export function fragmentIpv4(bytes: Uint8Array, mtuBytes: number): Uint8Array[] | null {
  if (bytes.length <= mtuBytes) return [bytes];
  const packet = parseIpv4Packet(bytes);
  if (packet.dontFragment) return null;
  const room = Math.floor((mtuBytes - 20 - packet.options.length) / 8) * 8;
  const fragments: Uint8Array[] = [];
  for (let from = 0; from < packet.payload.length; from += room) {
    const payload = packet.payload.subarray(from, from + room);
    const moreFragments = packet.moreFragments || from + room < packet.payload.length;
    fragments.push(
      emitIpv4Packet({ ...packet, payload, moreFragments, fragmentOffset: packet.fragmentOffset + from }),
    );
  }
  return fragments;
}
