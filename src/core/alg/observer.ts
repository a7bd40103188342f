// Makes facts of what the kernel shows: copies of packets, conntrack's entries, elements of the maps of
// ESP. Whatever does not parse is counted and goes no further. Keeps the connections of VPN protocols,
// so that an inbound packet, which is copied with the WAN address, is told with its device; and puts
// PPTP's control messages together. Decides nothing: that is for the machines that hear the facts.
import type { Ipv4Address, Port } from '../address.ts';
import { switchOf } from '../policy/vpn-flows.ts';
import { Reader, WireError } from '../wire/bytes.ts';
import type { ConntrackEntry, ConntrackGlance } from '../wire/ctnetlink.ts';
import { parseEsp } from '../wire/esp.ts';
import { ipProtocols, parseIpv4Packet } from '../wire/ipv4.ts';
import { parseIpv6Packet } from '../wire/ipv6.ts';
import { parseIsakmp, parseIsakmpHeader, type IsakmpMessage } from '../wire/isakmp.ts';
import { parseL2tp, parseL2tpIp } from '../wire/l2tp.ts';
import { parsePort4500 } from '../wire/port4500.ts';
import { parseTcp, type TcpSegment } from '../wire/tcp.ts';
import { parseUdp, type UdpDatagram } from '../wire/udp.ts';
import { BoundedTable } from './bounded-table.ts';
import type { CopyKind } from './copy.ts';
import { ControlStream } from './control-stream.ts';
import type { EspElement } from './esp-element.ts';
import { EspElementTable } from './esp-element-table.ts';
import type { Address, Fact, Side } from './fact.ts';
import { flowKey, FlowTable, type Territory } from './flow-table.ts';
import type { Instant, Machine } from './machine.ts';
import { recognise } from './recognise.ts';

export type Observation =
  /** A packet from its IP header on, as long as it was copied; `held` is the number it waits under. */
  | {
      readonly kind: 'copy';
      readonly what: CopyKind;
      readonly packet: Uint8Array;
      readonly held: number | null;
    }
  | { readonly kind: 'conntrack'; readonly change: 'new' | 'update' | 'end'; readonly entry: ConntrackEntry }
  /** From now on all entries are told; whatever has not been told at the end has ended. */
  | { readonly kind: 'conntrack-list'; readonly at: 'begin' | 'end' }
  /** The whole of `esp_in` or `esp_out`. */
  | { readonly kind: 'elements'; readonly direction: 'in' | 'out'; readonly elements: readonly EspElement[] }
  /** An effect has put this element there, or taken it away. */
  | { readonly kind: 'paired'; readonly element: EspElement }
  | { readonly kind: 'unpaired'; readonly element: EspElement }
  /** A connection that an earlier run recognised by its first packets. */
  | { readonly kind: 'remembered'; readonly flow: Parameters<typeof flowKey>[0] }
  | { readonly kind: 'missed'; readonly copies: number }
  | { readonly kind: 'territory'; readonly territory: Territory };

/** What was seen and led to no fact; each is harmless by itself, and many of them are worth a question. */
export interface ObserverCounts {
  /** Copies that are not what their ports say, or cut too short. */
  unreadable: number;
  /** Copies of inbound packets whose device is not known. */
  ownerless: number;
}

const { tcp, udp, gre, esp, l2tp } = ipProtocols;

type EspCopyKind = Exclude<CopyKind, 'lan' | 'wan' | 'ike-held-lan' | 'ike-held-wan' | 'refused'>;

/** RFC 2637 2: one control connection for each pair of hosts; 4,096 are 400 KB. */
const MOST_STREAMS = 4_096;
const MOST_STREAMS_OF_DEVICE = 64;
/** What has been recognised need not be told again with each packet. */
const MOST_RECOGNISED = 8_192;
const MOST_RECOGNISED_OF_DEVICE = 512;

interface ControlConnection {
  readonly lan: ControlStream;
  readonly wan: ControlStream;
}

/** One packet with its device found. */
interface Seen {
  readonly from: Side;
  readonly client: Address | null;
  readonly clientPort: Port | null;
  readonly server: Address;
  readonly serverPort: Port | null;
}

export class Observer implements Machine<Observation, Fact> {
  readonly counts: ObserverCounts = { unreadable: 0, ownerless: 0 };
  readonly #flows = new FlowTable();
  readonly #elements = new EspElementTable();
  readonly #streams = new BoundedTable<ControlConnection>(MOST_STREAMS, MOST_STREAMS_OF_DEVICE);
  readonly #recognised = new BoundedTable<true>(MOST_RECOGNISED, MOST_RECOGNISED_OF_DEVICE);
  #territory: Territory = { wanAddress: null, isLan: () => false };

  /** Whether a conntrack entry that looks so from afar is worth to be told. */
  wants(glance: ConntrackGlance): boolean {
    return this.#flows.wants(glance, this.#territory);
  }

  get flowCount(): number {
    return this.#flows.size;
  }

  handle(input: Observation, _now: Instant): Fact[] {
    switch (input.kind) {
      case 'copy':
        return this.#readCopy(input.what, input.packet, input.held);
      case 'conntrack':
        return this.#flows.take(input.change, input.entry, this.#territory);
      case 'conntrack-list':
        if (input.at === 'end') return this.#flows.endUntold();
        this.#flows.beginList();
        return [];
      case 'elements':
        return this.#elements.replace(input.direction, input.elements);
      case 'paired':
        this.#elements.add(input.element);
        return [];
      case 'unpaired':
        this.#elements.remove(input.element);
        return [];
      case 'remembered':
        if (input.flow.serverPort !== null)
          this.#flows.watch(flowKey(input.flow), input.flow.client, input.flow.serverPort);
        return [];
      case 'missed':
        return [{ kind: 'missed', copies: input.copies }];
      case 'territory':
        this.#territory = input.territory;
        return [];
    }
  }

  /** The LAN's end of an inbound UDP packet that still has the WAN address; null when it is not known. */
  locate(bytes: Uint8Array): { client: Ipv4Address; port: number } | null {
    try {
      const { source, protocol, payload } = parseIpv4Packet(bytes);
      const { sourcePort, destinationPort } = parseUdp(payload);
      const flow = this.#flows.behind(protocol, source, sourcePort, destinationPort);
      if (flow === null || flow.clientPort === null) return null;
      return { client: flow.client as Ipv4Address, port: flow.clientPort };
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return null;
    }
  }

  nextWake(): Instant | null {
    return null;
  }

  wake(_now: Instant): Fact[] {
    return [];
  }

  #readCopy(what: CopyKind, packet: Uint8Array, held: number | null): Fact[] {
    try {
      switch (what) {
        case 'lan':
        case 'ike-held-lan':
          return this.#readPacket('lan', packet, held);
        case 'wan':
        case 'ike-held-wan':
          return this.#readPacket('wan', packet, held);
        case 'refused':
          return readRefused(packet);
        default:
          return this.#readEsp(what, packet, held);
      }
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.counts.unreadable += 1;
      return [];
    }
  }

  #readEsp(what: EspCopyKind, bytes: Uint8Array, held: number | null): Fact[] {
    const { protocol, source, destination, payload } = parseIpv4Packet(bytes);
    if (protocol !== esp) throw new WireError('malformed', 9, `protocol ${protocol} in a copy of ESP`);
    const packet = parseEsp(payload);
    const { spi } = packet;
    switch (what) {
      case 'esp-new':
      case 'esp-held-out':
        return [{ kind: 'esp-sent', client: source, server: destination, packet, held }];
      case 'esp-unknown':
      case 'esp-held':
        return [{ kind: 'esp-arrived', server: source, packet, held }];
      case 'esp-trial':
        return [{ kind: 'esp-passed', client: destination, server: source, packet }];
      case 'esp-again':
        return [{ kind: 'esp-begun-again', client: destination, server: source, spi }];
      case 'esp-learned': {
        const element = { direction: 'in', client: destination, server: source, spi, counter: null } as const;
        if (!this.#elements.add(element)) return [];
        return [{ kind: 'esp-learned', server: source, spi, client: destination }];
      }
    }
  }

  #readPacket(from: Side, bytes: Uint8Array, held: number | null): Fact[] {
    const packet = bytes[0]! >> 4 === 6 ? parseIpv6Packet(bytes) : parseIpv4Packet(bytes);
    const length =
      'totalLength' in packet ? packet.totalLength - (20 + packet.options.length) : packet.payloadLength;
    const isWhole = packet.payload.length >= length;
    const { source, destination, payload, protocol } = packet;
    switch (protocol) {
      case udp: {
        const datagram = parseUdp(payload);
        const { sourcePort, destinationPort } = datagram;
        const seen = this.#locate(from, protocol, source, sourcePort, destination, destinationPort);
        return this.#readUdp(seen, datagram, held);
      }
      case tcp: {
        const segment = parseTcp(payload);
        const { sourcePort, destinationPort } = segment;
        const seen = this.#locate(from, protocol, source, sourcePort, destination, destinationPort);
        return this.#readTcp(seen, segment, isWhole);
      }
      case l2tp: {
        const message = parseL2tpIp(payload);
        const seen = this.#locate(from, protocol, source, null, destination, null);
        if (message.kind !== 'control' || seen.client === null) return this.#ownerless(seen);
        const { client, server } = seen;
        return [{ kind: 'l2tp', from, client, server, clientPort: null, serverPort: null, message }];
      }
      default:
        throw new WireError('unsupported', 9, `protocol ${protocol}`);
    }
  }

  /** Who the two ends are: an inbound packet still has the WAN address where it is translated. */
  #locate(
    from: Side,
    protocol: number,
    source: Address,
    sourcePort: Port | null,
    destination: Address,
    destinationPort: Port | null,
  ): Seen {
    if (from === 'lan') {
      return {
        from,
        client: source,
        clientPort: sourcePort,
        server: destination,
        serverPort: destinationPort,
      };
    }
    const near = { from, server: source, serverPort: sourcePort };
    if (destination !== this.#territory.wanAddress) {
      return { ...near, client: destination, clientPort: destinationPort };
    }
    const flow =
      sourcePort === null || destinationPort === null
        ? null
        : this.#flows.behind(protocol, source, sourcePort, destinationPort);
    return { ...near, client: flow?.client ?? null, clientPort: (flow?.clientPort ?? null) as Port | null };
  }

  #ownerless(seen: Seen): Fact[] {
    if (seen.client === null) this.counts.ownerless += 1;
    return [];
  }

  #readUdp(seen: Seen, { payload }: UdpDatagram, held: number | null): Fact[] {
    const { from, client, server, clientPort, serverPort } = seen;
    const ikePort = serverPort === 500 ? 500 : serverPort === 4500 ? 4500 : null;
    if (ikePort !== null) {
      let bytes = payload;
      if (ikePort === 4500) {
        const inner = parsePort4500(payload);
        if (inner.kind !== 'ike') return [];
        bytes = inner.bytes;
      }
      return [{ kind: 'ike', from, client, server, port: ikePort, message: readIsakmp(bytes), held }];
    }
    if (serverPort === 1701 || clientPort === 1701) {
      const message = parseL2tp(payload);
      if (message.kind !== 'control' || client === null) return this.#ownerless(seen);
      return [{ kind: 'l2tp', from, client, server, clientPort, serverPort, message }];
    }
    return this.#recognise(seen, 'udp', payload);
  }

  #readTcp(seen: Seen, segment: TcpSegment, isWhole: boolean): Fact[] {
    const { from, client, clientPort, server, serverPort } = seen;
    if (serverPort !== 1723) return this.#recognise(seen, 'tcp', segment.payload);
    if (client === null || clientPort === null) return this.#ownerless(seen);
    const key = flowKey({ protocol: tcp, client, clientPort, server, serverPort });
    let connection = this.#streams.get(key);
    if (connection === undefined) {
      connection = { lan: new ControlStream(), wan: new ControlStream() };
      this.#streams.set(key, client, connection);
    }
    const messages = connection[from].push(segment, isWhole);
    if (segment.flags.rst) this.#streams.delete(key);
    return messages.map((message) => ({ kind: 'pptp', from, client, server, clientPort, message }));
  }

  #recognise(seen: Seen, transport: 'udp' | 'tcp', payload: Uint8Array): Fact[] {
    const { from, client, clientPort, server, serverPort } = seen;
    if (from !== 'lan' || client === null || clientPort === null || serverPort === null) return [];
    const found = recognise(transport, serverPort, payload);
    if (found === null) return [];
    const key = flowKey({
      protocol: transport === 'udp' ? udp : tcp,
      client,
      clientPort,
      server,
      serverPort,
    });
    const isNew = this.#recognised.get(key) === undefined;
    this.#recognised.set(key, client, true);
    this.#flows.watch(key, client, serverPort);
    if (!isNew) return [];
    return [{ kind: 'recognised', ...found, transport, client, server, clientPort, serverPort }];
  }
}

/** Whole, or as far as a cut copy goes: the header tells the most. */
function readIsakmp(bytes: Uint8Array): IsakmpMessage {
  try {
    return parseIsakmp(bytes);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return { header: parseIsakmpHeader(bytes), payloads: [], encrypted: null };
  }
}

/** A copy of what a switch has refused. */
function readRefused(bytes: Uint8Array): Fact[] {
  const packet = bytes[0]! >> 4 === 6 ? parseIpv6Packet(bytes) : parseIpv4Packet(bytes);
  const { source: client, destination: server, payload } = packet;
  const destinationPort =
    packet.protocol === udp || packet.protocol === tcp ? new Reader(payload, 2).u16() : null;
  // RFC 2637 4.1: the key of PPTP's GRE is no port, but any GRE that a switch refuses is PPTP's.
  const isPptp = packet.protocol === gre;
  const protocol = isPptp ? 'pptp' : switchOf({ protocol: packet.protocol, destinationPort });
  return protocol === null ? [] : [{ kind: 'refused', protocol, client, server }];
}
