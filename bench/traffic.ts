// The packets of the forwarding benchmark, as values: which addresses, SPIs, ports and Call IDs
// session i has, before and after the router. Knows headers (RFC 791, 4303, 3948, 2637 4.1); does
// not know how packets are made or checked (programs.ts).
//
// Session i is client i talking to server i, for every way that is compared. Many sessions between
// one client and one server would suit a gateway that looks at the SPI, but plain masquerade cannot
// carry them at all: its conntrack tuple for ESP is just the addresses. With distinct servers
// everybody forwards the very same packets.

export type Protocol = 'esp' | 'gre' | 'udp';
/** `out` is from the clients on the LAN to the servers on the WAN. */
type Direction = 'out' | 'in';
export interface Scenario {
  readonly protocol: Protocol;
  readonly direction: Direction;
  readonly sessions: number;
}

/** One VPN connection, with addresses as text and the SPI that the server's ESP carries. */
export interface Session {
  readonly client: string;
  readonly server: string;
  readonly spi: number;
}

export const WAN_ADDRESS = '203.0.113.1';
export const WAN_NEXT_HOP = '203.0.113.254';
export const LAN_ADDRESS = '10.0.0.1';
export const LAN_NEXT_HOP = '10.0.0.2';
export const CLIENT_NETWORK = '10.64.0.0/15';
export const SERVER_NETWORK = '198.18.0.0/15';
export const MAX_SESSIONS = 2 ** 17;

/** Without the frame check sequence, i.e. the shortest Ethernet frame. */
export const FRAME_BYTES = 60;
export const ETHERNET_BYTES = 14;
export const PROTOCOL_NUMBER: Record<Protocol, number> = { esp: 50, gre: 47, udp: 17 };
/** UDP 4500 at both ends: what a NAT leaves alone as long as the servers differ. */
const NAT_T_PORT = 4500;
export const SENT_TTL = 64;

/** `base` plus, where `perSession`, the number of the session. */
export interface AddressRule {
  readonly base: number;
  readonly perSession: boolean;
}
const clients: AddressRule = { base: ipv4(CLIENT_NETWORK), perSession: true };
const servers: AddressRule = { base: ipv4(SERVER_NETWORK), perSession: true };
const wan: AddressRule = { base: ipv4(WAN_ADDRESS), perSession: false };

/** The session's number, plus this, is in each packet: as SPI (ESP, also in UDP) or GRE sequence number. */
export const MARK_BASE = 0x10000;

/** What differs between the packets of a scenario; everything else is in `frame`. */
export interface Packets {
  readonly protocol: Protocol;
  /** The whole frame with MAC addresses, varying fields and checksum zero. */
  readonly frame: Uint8Array;
  readonly source: AddressRule;
  readonly destination: AddressRule;
  /** Where the 32-bit mark is. */
  readonly markOffset: number;
  /** Where a number counts the packets, with a copy behind it to check it by; null where the protocol has none. */
  readonly sequenceOffset: number | null;
}

/** The packets as sent and as they must arrive; `translates` says whether the router is a NAT. */
export function planPackets(
  { protocol, direction }: Scenario,
  translates: boolean,
): { sent: Packets; arriving: Packets } {
  const frame = templateFrame(protocol);
  const marks = {
    protocol,
    frame,
    markOffset: ETHERNET_BYTES + 20 + (protocol === 'esp' ? 0 : 8),
    sequenceOffset: protocol === 'esp' ? ETHERNET_BYTES + 24 : null,
  };
  const hidden = translates ? wan : clients;
  return direction === 'out'
    ? {
        sent: { ...marks, source: clients, destination: servers },
        arriving: { ...marks, source: hidden, destination: servers },
      }
    : {
        sent: { ...marks, source: servers, destination: hidden },
        arriving: { ...marks, source: servers, destination: clients },
      };
}

/** All sessions of a scenario, in order. */
export function* sessionsOf({ sessions }: Scenario): Generator<Session> {
  for (let index = 0; index < sessions; index += 1) {
    yield {
      client: ipv4Text(clients.base + index),
      server: ipv4Text(servers.base + index),
      spi: MARK_BASE + index,
    };
  }
}

export function scenarioName({ protocol, direction, sessions }: Scenario): string {
  return `${protocol} ${direction}, ${sessions.toLocaleString('en')} ${sessions === 1 ? 'session' : 'sessions'}`;
}

function templateFrame(protocol: Protocol): Uint8Array {
  const frame = new Uint8Array(FRAME_BYTES);
  const view = new DataView(frame.buffer);
  view.setUint16(12, 0x0800);
  view.setUint8(ETHERNET_BYTES, 0x45);
  view.setUint16(ETHERNET_BYTES + 2, FRAME_BYTES - ETHERNET_BYTES);
  view.setUint16(ETHERNET_BYTES + 6, 0x4000); // do not fragment
  view.setUint8(ETHERNET_BYTES + 8, SENT_TTL);
  view.setUint8(ETHERNET_BYTES + 9, PROTOCOL_NUMBER[protocol]);
  const payload = ETHERNET_BYTES + 20;
  if (protocol === 'gre') {
    // Key and sequence number present, version 1, PPP; the Call ID is 0, see ways.ts.
    view.setUint32(payload, 0x3001_880b);
    view.setUint16(payload + 4, FRAME_BYTES - payload - 12);
  } else if (protocol === 'udp') {
    view.setUint16(payload, NAT_T_PORT);
    view.setUint16(payload + 2, NAT_T_PORT);
    view.setUint16(payload + 4, FRAME_BYTES - payload); // and no checksum, as RFC 3948 2.1 has it
  }
  return frame;
}

function ipv4(text: string): number {
  const [a, b, c, d] = text.split(/[./]/).map(Number);
  return ((a! << 24) | (b! << 16) | (c! << 8) | d!) >>> 0;
}

function ipv4Text(value: number): string {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.');
}
