// Who answers questions for names: a host that speaks mDNS on its link, and a DNS server. Both note what
// they were asked; a PTR question is all they understand.
import { dnsClasses, dnsFlags, dnsTypes, emitDns, parseDns, type DnsName } from '../../src/core/wire/dns.ts';
import { ipv4Bytes, ipv4FromBytes, parseIpv4 } from '../../src/core/address.ts';
import {
  AF_INET,
  bindSocket,
  inetAddress,
  openSocket,
  setSocketInt,
  setSocketOption,
  SOCK_DGRAM,
  SOL_SOCKET,
} from '../../src/linux/libc.ts';
import { Endpoint, sendWaiting, UdpSocket, type Place } from '../sockets.ts';

const MDNS_GROUP = parseIpv4('224.0.0.251')!;
const MDNS_PORT = 5353;
// asm-generic/socket.h, linux/in.h
const SO_REUSEADDR = 2;
const IPPROTO_IP = 0;
const IP_ADD_MEMBERSHIP = 35;

/** The names, by the name that is asked about; null for no answer. */
type Names = (asked: string) => DnsName | null;

/** What is answered to a message, or null: the questions again and a record for each that has one. */
function answerTo(bytes: Uint8Array, names: Names, asked: string[]): Uint8Array | null {
  const { id, questions } = parseDns(bytes);
  const answers = questions.flatMap(({ name, type }) => {
    const text = name.join('.');
    asked.push(text);
    const target = type === dnsTypes.ptr ? names(text) : null;
    const record = { name, type, class: dnsClasses.internet, cacheFlush: false, ttlSeconds: 10 };
    return target ? [{ ...record, target, data: new Uint8Array() }] : [];
  });
  const flags = dnsFlags.response | dnsFlags.authoritative;
  return emitDns({ id, flags, questions, answers, authorities: [], additionals: [] });
}

/** A host that answers multicast questions, to the port that asked. */
export class MdnsResponder extends Endpoint {
  readonly asked: string[] = [];

  constructor({ namespace, address }: Place, names: Names) {
    super(
      namespace.inside(() => {
        const fd = openSocket(AF_INET, SOCK_DGRAM, 0);
        setSocketInt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        bindSocket(fd, inetAddress(null, MDNS_PORT), 'mDNS');
        // struct ip_mreq: the group, and the address of the interface.
        const membership = Uint8Array.of(...ipv4Bytes(MDNS_GROUP), ...ipv4Bytes(address));
        setSocketOption(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, membership);
        return fd;
      }),
    );
    this.watch(16, (bytes, from) => {
      const answer = answerTo(bytes, names, this.asked);
      const to = ipv4FromBytes(from.subarray(4, 8));
      if (answer) sendWaiting(this.fd, answer, from, `mDNS answer to ${to}`);
    });
  }
}

/** A DNS server that answers everything, with or without a name. */
export class DnsServer {
  readonly asked: string[] = [];
  readonly #socket: UdpSocket;

  constructor(place: Place, names: Names) {
    this.#socket = new UdpSocket(place, 53, ({ source, sourcePort, payload }) => {
      const answer = answerTo(payload, names, this.asked);
      if (answer) this.#socket.send(source, sourcePort, answer);
    });
  }

  close(): void {
    this.#socket.close();
  }
}
