// Asks on one interface who has some IPv4 addresses, and hears every answer: when two machines use one
// address, both answer (RFC 5227 2.1). One question for each address; packet(7). Needs CAP_NET_RAW.
import type { Ipv4Address } from '../core/address.ts';
import { arpOperations, emitArp, parseArp } from '../core/wire/arp.ts';
import { WireError } from '../core/wire/bytes.ts';
import {
  AF_PACKET,
  bindSocket,
  closeDescriptor,
  openSocket,
  receiveInto,
  sendTo,
  SOCK_DGRAM,
  watchReadable,
} from './libc.ts';

const ETH_P_ARP = 0x0806;
const BROADCAST = new Uint8Array(6).fill(0xff);
const LARGEST_FRAME = 256;
const NOBODY = '0.0.0.0' as Ipv4Address;

export interface ArpQuestion {
  readonly interfaceIndex: number;
  readonly ownMac: Uint8Array;
  readonly ownAddress: Ipv4Address;
  readonly wanted: readonly Ipv4Address[];
}

/** Resolves after `waitMs` to the MAC addresses, as hex with colons, that answered for each address. Throws LinuxError. */
export async function askArp(question: ArpQuestion, waitMs: number): Promise<Map<Ipv4Address, Set<string>>> {
  const { interfaceIndex, ownMac, ownAddress, wanted } = question;
  const found = new Map<Ipv4Address, Set<string>>();
  const fd = openSocket(AF_PACKET, SOCK_DGRAM, 0);
  const address = sockaddrLinkLayer(interfaceIndex);
  let unwatch = (): void => undefined;
  try {
    bindSocket(fd, address, `ARP on interface ${interfaceIndex}`);
    const buffer = new Uint8Array(LARGEST_FRAME);
    unwatch = watchReadable(fd, () => {
      for (let length = receiveInto(fd, buffer); length !== null; length = receiveInto(fd, buffer)) {
        const answer = readAnswer(buffer.slice(0, length));
        if (answer === null || !wanted.includes(answer.address)) continue;
        found.set(answer.address, (found.get(answer.address) ?? new Set()).add(answer.mac));
      }
    });
    for (const target of wanted) {
      const request = emitArp({
        operation: arpOperations.request,
        senderMac: ownMac,
        // RFC 5227 1.1: a question about one's own address must not claim it.
        sender: target === ownAddress ? NOBODY : ownAddress,
        targetMac: new Uint8Array(6),
        target,
      });
      sendTo(fd, request, address, `ARP request for ${target}`);
    }
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  } finally {
    unwatch();
    closeDescriptor(fd);
  }
  return found;
}

function readAnswer(bytes: Uint8Array): { address: Ipv4Address; mac: string } | null {
  try {
    const packet = parseArp(bytes);
    if (packet.operation !== arpOperations.reply) return null;
    const mac = Array.from(packet.senderMac, (byte) => byte.toString(16).padStart(2, '0')).join(':');
    return { address: packet.sender, mac };
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}

/** sockaddr_ll for ARP to everybody on the interface. */
function sockaddrLinkLayer(interfaceIndex: number): Uint8Array {
  const bytes = new Uint8Array(20);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, ETH_P_ARP);
  view.setInt32(4, interfaceIndex, true);
  bytes[11] = BROADCAST.length;
  bytes.set(BROADCAST, 12);
  return bytes;
}
