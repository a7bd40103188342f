// The kernel's IPsec security associations (xfrm states) over netlink: which (destination, SPI)
// belong to the gateway itself. Reads no keys: the attributes that hold them are not looked at.
// linux/xfrm.h; numbers are in host byte order, addresses and SPIs in network order. RFC 4301 4.4.2.
import { type Ipv4Address, type Ipv6Address, ipv4FromBytes, ipv6FromBytes } from '../address.ts';
import { Reader, WireError } from './bytes.ts';
import { parseAttributes, parseHostU16 } from './netlink.ts';

// linux/xfrm.h
export const XFRM_MSG_NEWSA = 0x10;
export const XFRM_MSG_DELSA = 0x11;
export const XFRM_MSG_GETSA = 0x12;
export const XFRM_MSG_EXPIRE = 0x18;
export const XFRM_MSG_UPDSA = 0x1a;
export const XFRM_MSG_FLUSHSA = 0x1c;
/** A hard expiry deletes the SA and is announced only here. */
export const XFRMNLGRP_EXPIRE = 2;
export const XFRMNLGRP_SA = 3;

const XFRMA_ENCAP = 4;
/** Linux 6.10. */
const XFRMA_SA_DIR = 33;
const DIRECTIONS = [null, 'in', 'out'] as const;

// linux/socket.h
const AF_INET = 2;
const AF_INET6 = 10;

// struct xfrm_usersa_info: selector 56, id 24 (daddr 16, spi 4, proto 1), saddr 16, limits 64,
// usage 32, stats 12, seq 4, reqid 4, family 2, mode 1, replay window 1, flags 1, padding 7.
const DADDR_AT = 56;
const SPI_AT = 72;
const PROTO_AT = 76;
const SADDR_AT = 80;
const FAMILY_AT = 212;
const USERSA_INFO_LENGTH = 224;

export interface SecurityAssociation {
  family: 4 | 6;
  source: Ipv4Address | Ipv6Address;
  destination: Ipv4Address | Ipv6Address;
  /** 0 while the key exchange has not settled it. */
  spi: number;
  /** The IP protocol number: 50 ESP, 51 AH, 108 IPComp. */
  protocol: number;
  /** ESP in UDP (RFC 3948): its packets are UDP on the wire. */
  udpEncapsulated: boolean;
  /** Null before Linux 6.10 and where the key daemon does not say: then inbound is what is addressed to us. */
  direction: 'in' | 'out' | null;
}

/** The payload of XFRM_MSG_NEWSA (also the answers to XFRM_MSG_GETSA) and XFRM_MSG_UPDSA. */
export function parseSecurityAssociation(payload: Uint8Array): SecurityAssociation {
  if (payload.length < USERSA_INFO_LENGTH) {
    throw new WireError(
      'truncated',
      payload.length,
      `struct xfrm_usersa_info has ${USERSA_INFO_LENGTH} bytes`,
    );
  }
  const number = parseHostU16(payload, FAMILY_AT);
  const family = number === AF_INET ? 4 : number === AF_INET6 ? 6 : null;
  if (!family) throw new WireError('malformed', FAMILY_AT, `address family ${number}`);
  const address = (at: number): Ipv4Address | Ipv6Address =>
    family === 4 ? ipv4FromBytes(payload.subarray(at, at + 4)) : ipv6FromBytes(payload.subarray(at, at + 16));
  const attributes = parseAttributes(payload, USERSA_INFO_LENGTH);
  return {
    family,
    source: address(SADDR_AT),
    destination: address(DADDR_AT),
    spi: new Reader(payload, SPI_AT).u32(),
    protocol: payload[PROTO_AT]!,
    udpEncapsulated: attributes.has(XFRMA_ENCAP),
    direction: DIRECTIONS[attributes.get(XFRMA_SA_DIR)?.[0] ?? 0] ?? null,
  };
}

/** All SAs of both families: a dump needs no struct xfrm_usersa_id. */
export function emitSecurityAssociationDump(): Uint8Array {
  return new Uint8Array(0);
}
