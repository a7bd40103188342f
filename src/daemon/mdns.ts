// Asks the hosts of a link by multicast DNS what they are called: one question for each address, from a
// port of our own, so that whoever has the address answers to that port alone (RFC 6762 5.1 and 6.7). No
// port 5353 is opened, and nothing is heard that was not asked for. A host speaks for itself only: an answer
// that comes from another address than it is about is not believed.
import { createSocket, type Socket } from 'node:dgram';
import type { Ipv4Address } from '../core/address.ts';
import { WireError } from '../core/wire/bytes.ts';
import {
  dnsClasses,
  dnsFlags,
  dnsTypes,
  emitDns,
  parseDns,
  reverseName,
  type DnsName,
} from '../core/wire/dns.ts';

const GROUP = '224.0.0.251';
const PORT = 5353;
/** RFC 6762 11: whatever comes from afar has less. */
const TTL = 255;
/** Wireless multicast is not repeated by the link; those asleep hear the second one. */
const ASK_AT_MS = [0, 600];
const WAIT_MS = 1_500;

/** Resolves, after a second and a half, to the names of those that answered; asks from `own`, on its link. Rejects as sockets do. */
export async function askMdns(
  own: Ipv4Address,
  addresses: readonly Ipv4Address[],
): Promise<Map<Ipv4Address, DnsName>> {
  const found = new Map<Ipv4Address, DnsName>();
  const socket = createSocket('udp4');
  const timers: NodeJS.Timeout[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ address: own, port: 0 }, resolve);
    });
    // An ICMP error about a question is no answer.
    socket.removeAllListeners('error').on('error', () => undefined);
    socket.setMulticastInterface(own);
    socket.setMulticastTTL(TTL);
    socket.setMulticastLoopback(false);
    socket.on('message', (bytes, { address }) => {
      const from = addresses.find((one) => one === address);
      const name = from && readAnswer(bytes, from);
      if (name) found.set(from, name);
    });
    const all = new Promise<void>((resolve) => {
      timers.push(setTimeout(resolve, WAIT_MS));
      for (const after of ASK_AT_MS) {
        timers.push(
          setTimeout(
            () =>
              ask(
                socket,
                addresses.filter((one) => !found.has(one)),
              ),
            after,
          ),
        );
      }
    });
    await all;
  } finally {
    for (const timer of timers) clearTimeout(timer);
    socket.close();
  }
  return found;
}

/** One question a message: not every responder answers several (RFC 6762 6.7 speaks of one). */
function ask(socket: Socket, addresses: readonly Ipv4Address[]): void {
  for (const address of addresses) {
    const question = {
      name: reverseName(address)!,
      type: dnsTypes.ptr,
      class: dnsClasses.internet,
      unicast: true,
    };
    const message = { id: 0, flags: 0, answers: [], authorities: [], additionals: [] };
    socket.send(emitDns({ ...message, questions: [question] }), PORT, GROUP);
  }
}

/** The name in an answer about this address, or null where it is none. */
export function readAnswer(bytes: Uint8Array, about: Ipv4Address): DnsName | null {
  try {
    const { flags, answers } = parseDns(bytes);
    if ((flags & dnsFlags.response) === 0 || (flags & dnsFlags.resultCode) !== 0) return null;
    const wanted = reverseName(about)!.join('.');
    const answer = answers.find(({ name, target }) => target && name.join('.').toLowerCase() === wanted);
    return answer?.target ?? null;
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}
