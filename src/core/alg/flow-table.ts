// The connections of VPN protocols, made of conntrack's entries and seen from the LAN device: who the
// client is, which port stands for its on the WAN address. Copies of inbound packets are made before
// translation, so this is how their device is found. Knows nothing of what a connection means.
import { ipv4Bytes, type Ipv4Address } from '../address.ts';
import { Reader } from '../wire/bytes.ts';
import { type ConntrackEntry, type ConntrackGlance, hasStatus } from '../wire/ctnetlink.ts';
import { ipProtocols } from '../wire/ipv4.ts';
import { BoundedTable } from './bounded-table.ts';
import type { Address, Flow, FlowSeen } from './fact.ts';

const { tcp, udp, gre, esp, ah, l2tp } = ipProtocols;

/** 10,000 sessions with control and data, three times over. */
const MOST_FLOWS = 65_536;
/** A device with more VPN connections than this is not a device. */
const MOST_OF_DEVICE = 4_096;

/** What the gateway's interfaces tell about addresses. */
export interface Territory {
  readonly wanAddress: Ipv4Address | null;
  readonly isLan: (address: Address) => boolean;
}

/** Names one connection from the LAN's side. */
export function flowKey(
  flow: Pick<Flow, 'protocol' | 'client' | 'clientPort' | 'server' | 'serverPort'>,
): string {
  // Joined: a template leaves a tree of its parts behind, which takes three times the room.
  return [flow.protocol, flow.client, flow.clientPort ?? '-', flow.server, flow.serverPort ?? '-'].join(' ');
}

interface KnownFlow {
  readonly key: string;
  readonly outside: string | null;
  flow: Flow;
  /** The list in which it was last told. */
  generation: number;
}

export class FlowTable {
  readonly #flows = new BoundedTable<KnownFlow>(MOST_FLOWS, MOST_OF_DEVICE);
  readonly #outside = new Map<string, KnownFlow>();
  /** Connections on ports that tell nothing, which showed their protocol in their first packets. */
  readonly #watched = new BoundedTable<number>(MOST_FLOWS, MOST_OF_DEVICE);
  /** How many of them there are for each port of a server. */
  readonly #watchedPorts = new Map<number, number>();
  #generation = 0;

  get size(): number {
    return this.#flows.size;
  }

  /** From now on this connection matters, whatever its port. */
  watch(key: string, client: Address, serverPort: number): void {
    if (this.#watched.get(key) !== undefined) return;
    this.#watchedPorts.set(serverPort, (this.#watchedPorts.get(serverPort) ?? 0) + 1);
    for (const port of this.#watched.set(key, client, serverPort)) this.#unwatchPort(port);
  }

  #unwatch(key: string): void {
    const port = this.#watched.delete(key);
    if (port !== undefined) this.#unwatchPort(port);
  }

  #unwatchPort(port: number): void {
    const left = this.#watchedPorts.get(port)! - 1;
    if (left === 0) this.#watchedPorts.delete(port);
    else this.#watchedPorts.set(port, left);
  }

  /** The connection behind an inbound packet that still has the WAN address. */
  behind(protocol: number, server: Address, serverPort: number, wanPort: number): Flow | null {
    return this.#outside.get(outsideKey(protocol, server, serverPort, wanPort))?.flow ?? null;
  }

  /** What a conntrack entry tells; nothing for an entry that matters to no VPN. */
  take(change: FlowSeen['change'], entry: ConntrackEntry, territory: Territory): FlowSeen[] {
    const flow = flowOf(entry, territory);
    if (flow === null) return [];
    const key = flowKey(flow);
    if (!isVpnFlow(flow) && this.#watched.get(key) === undefined) return [];
    const known = this.#flows.get(key);
    if (change === 'end') {
      // The end of a former entry with the same tuple may be told after the new one began.
      if (known === undefined || known.flow.id !== flow.id) return [];
      this.#forget(key);
      this.#unwatch(key);
      return [{ kind: 'flow', change, flow }];
    }
    const facts: FlowSeen[] = [];
    if (known !== undefined && known.flow.id === flow.id) {
      known.flow = withFormer(flow, known.flow);
      known.generation = this.#generation;
      return [{ kind: 'flow', change: 'update', flow: known.flow }];
    }
    if (known !== undefined) {
      this.#forget(key);
      facts.push({ kind: 'flow', change: 'end', flow: known.flow });
    }
    const outside =
      flow.wanPort === null || flow.serverPort === null
        ? null
        : outsideKey(flow.protocol, flow.server, flow.serverPort, flow.wanPort);
    const made: KnownFlow = { key, outside, flow, generation: this.#generation };
    for (const gone of this.#flows.set(key, flow.client, made)) {
      if (gone.outside !== null) this.#outside.delete(gone.outside);
      facts.push({ kind: 'flow', change: 'end', flow: gone.flow });
    }
    if (outside !== null) this.#outside.set(outside, made);
    facts.push({ kind: 'flow', change: 'new', flow });
    return facts;
  }

  /** Whether an entry that looks so from afar can be one that `take` heeds. */
  wants(
    { protocol, destinationPort: port, destinationIpv4 }: ConntrackGlance,
    { wanAddress }: Territory,
  ): boolean {
    if (protocol !== udp && protocol !== tcp) {
      return protocol === gre || protocol === esp || protocol === ah || protocol === l2tp;
    }
    if (protocol === udp ? isVpnUdpPort(port) : port === 1723) return true;
    // What began on the WAN may lead to a device's port 1701.
    return this.#watchedPorts.has(port) || (protocol === udp && destinationIpv4 === numberOf(wanAddress));
  }

  /** From now on all entries are told. */
  beginList(): void {
    this.#generation += 1;
  }

  /** Ends what has not been told since `beginList`. */
  endUntold(): FlowSeen[] {
    const gone = [...this.#flows.values()].filter(({ generation }) => generation !== this.#generation);
    for (const { key } of gone) {
      this.#forget(key);
      this.#unwatch(key);
    }
    return gone.map(({ flow }) => ({ kind: 'flow', change: 'end', flow }));
  }

  #forget(key: string): void {
    const known = this.#flows.delete(key);
    if (known?.outside != null && this.#outside.get(known.outside) === known)
      this.#outside.delete(known.outside);
  }
}

function outsideKey(protocol: number, server: Address, serverPort: number, wanPort: number): string {
  return [protocol, server, serverPort, wanPort].join(' ');
}

/** An event tells only what changed; figures come with lists and answers. */
function withFormer(flow: Flow, former: Flow): Flow {
  return {
    ...flow,
    tcpState: flow.tcpState ?? former.tcpState,
    timeoutSeconds: flow.timeoutSeconds ?? former.timeoutSeconds,
    startedUnixMs: flow.startedUnixMs ?? former.startedUnixMs,
    out: flow.out ?? former.out,
    in: flow.in ?? former.in,
  };
}

/** Whether the ports or the protocol alone say that a VPN may be in it. */
function isVpnFlow({ protocol, client, clientPort, serverPort }: Flow): boolean {
  switch (protocol) {
    case udp:
      return isVpnUdpPort(serverPort) || clientPort === 1701;
    case tcp:
      return serverPort === 1723;
    case gre:
      // GRE version 0 has no key in conntrack.
      return clientPort !== null && serverPort !== null && (clientPort !== 0 || serverPort !== 0);
    default:
      // ESP over IPv4 is known by its SPIs; conntrack mixes the devices of a server up.
      return protocol === l2tp || ((protocol === esp || protocol === ah) && client.includes(':'));
  }
}

/** Zero, which no packet is sent to, without one. */
function numberOf(address: Ipv4Address | null): number {
  return address === null ? 0 : new Reader(ipv4Bytes(address)).u32();
}

function isVpnUdpPort(port: number | null): boolean {
  return port === 500 || port === 4500 || port === 1701;
}

/** Null for the gateway's own connections and those between LANs. */
function flowOf(entry: ConntrackEntry, territory: Territory): Flow | null {
  const { original, reply } = entry;
  const isOut = isOutbound(entry, territory);
  if (isOut === null) return null;
  const common = {
    id: entry.id,
    protocol: original.protocol,
    answered: hasStatus(entry, 'seenReply'),
    assured: hasStatus(entry, 'assured'),
    tcpState: entry.tcpState,
    timeoutSeconds: entry.timeoutSeconds,
    startedUnixMs: entry.startedUnixMs,
  };
  const { counters } = entry;
  if (isOut) {
    return {
      ...common,
      client: original.source,
      server: original.destination,
      clientPort: original.sourcePort,
      serverPort: original.destinationPort,
      wanPort: reply.destination === original.source ? null : reply.destinationPort,
      out: counters?.original ?? null,
      in: counters?.reply ?? null,
    };
  }
  return {
    ...common,
    client: reply.source,
    server: original.source,
    clientPort: reply.sourcePort,
    serverPort: original.sourcePort,
    wanPort: reply.source === original.destination ? null : original.destinationPort,
    out: counters?.reply ?? null,
    in: counters?.original ?? null,
  };
}

/** Whether the LAN device began it; null where no LAN device takes part, or two do. */
function isOutbound({ original, reply }: ConntrackEntry, { isLan }: Territory): boolean | null {
  const isSourceTranslated = reply.destination !== original.source;
  const isDestinationTranslated = reply.source !== original.destination;
  // Both: a device that calls another one by the WAN address.
  if (isSourceTranslated) return isDestinationTranslated ? null : true;
  if (isDestinationTranslated) return false;
  const [from, to] = [isLan(original.source), isLan(original.destination)];
  return from === to ? null : from;
}
