// Sends whole IPv4 packets as they are, with the source address they carry: what the gateway has held
// goes on as if it had never been held. The kernel writes the header checksum, and routes. What has
// the mark is taken out of connection tracking by a rule (core/policy/turns.ts).
import type { Ipv4Address } from '../core/address.ts';
import { fragmentIpv4 } from '../core/wire/forwarded.ts';
import { parseIpv4Packet } from '../core/wire/ipv4.ts';
import {
  AF_INET,
  closeDescriptor,
  inetAddress,
  LinuxError,
  openSocket,
  sendTo,
  setSocketInt,
  SOCK_RAW,
  SOL_SOCKET,
} from './libc.ts';

// linux/in.h, asm-generic/socket.h
const IPPROTO_RAW = 255;
const SO_MARK = 36;
/** RFC 8200 5: every link of today takes this much. */
const FRAGMENT_BYTES = 1280;

export class PacketSender {
  readonly #fd: number;

  /** Opens in the network namespace of the calling thread; IPPROTO_RAW means that the header is ours. */
  constructor(mark: number) {
    this.#fd = openSocket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    setSocketInt(this.#fd, SOL_SOCKET, SO_MARK, mark);
  }

  /** False when it cannot go: no room now, no route, or too long for the link and not to be fragmented. */
  send(packet: Uint8Array): boolean {
    const { destination } = parseIpv4Packet(packet);
    try {
      return this.#sendOne(packet, destination);
    } catch (error) {
      if (!(error instanceof LinuxError)) throw error;
      if (error.errno !== 'EMSGSIZE') return false;
    }
    const fragments = fragmentIpv4(packet, FRAGMENT_BYTES);
    return fragments !== null && fragments.every((fragment) => this.send(fragment));
  }

  #sendOne(packet: Uint8Array, destination: Ipv4Address): boolean {
    return sendTo(this.#fd, packet, inetAddress(destination, 0), `packet to ${destination}`);
  }

  close(): void {
    closeDescriptor(this.#fd);
  }
}
