// How long a switch takes, seen from the traffic: from the call that disables a protocol to the last
// packet of a live session that still passed, and from the call that enables it to the first one that
// passes again; with nothing else in the gateway, and with many sessions of that protocol.
//
// A packet's time is when it was sent. It passes the gateway within the system call that sends it, so
// the resolution is the distance between two packets of a stream.
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Protocol } from '../src/core/config/schema.ts';
import { GrePeer } from '../lab/peers/gre.ts';
import { PPTP_PORT, PptpClient, PptpServer } from '../lab/peers/pptp.ts';
import { connectTcp, listenTcp } from '../lab/sockets.ts';
import { Household } from '../lab/topologies/household.ts';
import { until } from '../lab/wait.ts';
import { LinuxError } from '../src/linux/libc.ts';
import { spreadOf, type Cell, type Figures } from './figures.ts';
import { fillPairs, Opener } from './fill.ts';
import { PAYLOAD_BYTES, Traffic, type Kind } from './live.ts';

/** Of each kind, in both directions together. */
const PACKETS_PER_SECOND = 2000;
const MANY = 10_000;
/** After the call has returned: so long a packet that passes late is still waited for. */
const AFTER_MS = 10;

interface Times {
  /** From the call to disable: negative when the last packet was the one before it. */
  readonly lastPacket: Map<Kind, number>;
  readonly firstPacket: Map<Kind, number>;
  readonly disableCall: number;
  readonly enableCall: number;
  /** Of all kinds, as they were really sent. */
  readonly packetsPerSecond: number;
}

/** The live sessions of a protocol in a household of their own. */
interface Sessions {
  readonly household: Household;
  readonly traffic: Traffic;
  readonly kinds: readonly Kind[];
  /** Brings many more sessions, which a switch will end. */
  readonly fill: () => Promise<void>;
  /** Connects again what a switch has ended for good. */
  readonly renew: () => Promise<void>;
  /** What must be tried again and again to find out when it passes. */
  readonly retry: () => void;
}

export async function measureSwitching(repeats: number): Promise<Figures> {
  const rows: Record<string, Cell>[] = [];
  for (const protocol of ['ipsec', 'pptp', 'l2tp'] as const) {
    const sessions = await open[protocol]();
    try {
      for (const others of [0, MANY]) {
        const times: Times[] = [];
        for (let count = 0; count < repeats; count += 1) {
          if (others > 0) await sessions.fill();
          times.push(await switchOnce(protocol, sessions));
        }
        rows.push(...rowsOf(protocol, others, sessions.kinds, times));
      }
    } finally {
      await sessions.household.close();
    }
  }
  return {
    name: 'switching',
    title: `Switching: milliseconds from the call, median and worst of ${repeats}`,
    notes: [
      `Live traffic: ${PACKETS_PER_SECOND.toLocaleString('en')} packets a second of each kind, both directions together. "others" are as many`,
      'connections of that protocol in conntrack besides (for ipsec also as many learned pairs of ESP).',
      'A last packet below zero was sent before the call began. "packets/s" is what was really sent, of all kinds.',
    ],
    columns: [
      { key: 'protocol', heading: 'protocol' },
      { key: 'others', heading: 'others' },
      { key: 'traffic', heading: 'traffic' },
      { key: 'disable_last_packet_ms', heading: 'off: last packet', digits: 1 },
      { key: 'disable_last_packet_worst_ms', heading: 'worst', digits: 1 },
      { key: 'disable_call_ms', heading: 'call', digits: 1 },
      { key: 'disable_call_worst_ms', heading: 'worst', digits: 1 },
      { key: 'enable_first_packet_ms', heading: 'on: first packet', digits: 1 },
      { key: 'enable_first_packet_worst_ms', heading: 'worst', digits: 1 },
      { key: 'enable_call_ms', heading: 'call', digits: 1 },
      { key: 'enable_call_worst_ms', heading: 'worst', digits: 1 },
      { key: 'packets_per_second', heading: 'packets/s' },
    ],
    rows,
  };
}

function rowsOf(
  protocol: Protocol,
  others: number,
  kinds: readonly Kind[],
  times: readonly Times[],
): Record<string, Cell>[] {
  const [off, on] = [
    spreadOf(times.map((one) => one.disableCall)),
    spreadOf(times.map((one) => one.enableCall)),
  ];
  return kinds.map((kind) => {
    const last = spreadOf(times.map((one) => one.lastPacket.get(kind)!));
    const first = spreadOf(times.map((one) => one.firstPacket.get(kind)!));
    return {
      protocol,
      others,
      traffic: kind,
      disable_last_packet_ms: last.median,
      disable_last_packet_worst_ms: last.max,
      disable_call_ms: off.median,
      disable_call_worst_ms: off.max,
      enable_first_packet_ms: first.median,
      enable_first_packet_worst_ms: first.max,
      enable_call_ms: on.median,
      enable_call_worst_ms: on.max,
      packets_per_second: spreadOf(times.map((one) => one.packetsPerSecond)).median,
    };
  });
}

async function switchOnce(protocol: Protocol, sessions: Sessions): Promise<Times> {
  const { household, traffic, kinds } = sessions;
  await sessions.renew();
  traffic.start(PACKETS_PER_SECOND * kinds.length);
  await traffic.flowing();
  await sleep(20);

  const sentBefore = sentBy(traffic);
  const disabledAt = performance.now();
  await household.daemon.setPassthrough({ [protocol]: 'disabled' });
  const disableCall = performance.now() - disabledAt;
  await sleep(AFTER_MS);
  const lastPacket = perKind(kinds, (kind) =>
    Math.max(...streamsOf(traffic, kind).map((stream) => stream.lastPassedAt() ?? disabledAt)),
  );

  const enabledAt = performance.now();
  const called = household.daemon
    .setPassthrough({ [protocol]: 'enabled' })
    .then(() => performance.now() - enabledAt);
  const firstPacket = new Map<Kind, number>();
  await until(`${protocol} to pass again`, () => {
    sessions.retry();
    for (const kind of kinds) {
      const passed = streamsOf(traffic, kind).flatMap((stream) => stream.firstPassedAt(enabledAt) ?? []);
      if (passed.length > 0) firstPacket.set(kind, Math.min(...passed) - enabledAt);
    }
    return firstPacket.size === kinds.length;
  });
  const enableCall = await called;
  traffic.stop();
  const packetsPerSecond = (sentBy(traffic) - sentBefore) / ((performance.now() - disabledAt) / 1000);
  return {
    lastPacket: perKind(kinds, (kind) => lastPacket.get(kind)! - disabledAt),
    firstPacket,
    disableCall,
    enableCall,
    packetsPerSecond,
  };
}

function sentBy(traffic: Traffic): number {
  return traffic.streams.reduce((sum, { sentAt }) => sum + sentAt.length, 0);
}

function streamsOf(traffic: Traffic, kind: Kind): Traffic['streams'] {
  return traffic.streams.filter((stream) => stream.kind === kind);
}

function perKind(kinds: readonly Kind[], value: (kind: Kind) => number): Map<Kind, number> {
  return new Map(kinds.map((kind) => [kind, value(kind)]));
}

const nothing = async (): Promise<void> => {};

const open: Record<Protocol, () => Promise<Sessions>> = {
  ipsec: async () => {
    const household = await Household.build();
    const traffic = new Traffic(household);
    traffic.addEsp(household.device, household.server, 0x1001, 0x2001);
    traffic.addUdp('UDP 4500', household.device, household.server);
    const opener = new Opener(household, 'udp', 4500, MANY);
    const fill = async (): Promise<void> => {
      fillPairs(household, MANY);
      await opener.open();
    };
    return { household, traffic, kinds: ['ESP', 'UDP 4500'], fill, renew: nothing, retry: () => {} };
  },

  l2tp: async () => {
    const household = await Household.build();
    const traffic = new Traffic(household);
    traffic.addUdp('UDP 1701', household.device, household.server);
    const opener = new Opener(household, 'udp', 1701, MANY);
    return {
      household,
      traffic,
      kinds: ['UDP 1701'],
      fill: () => opener.open(),
      renew: nothing,
      retry: () => {},
    };
  },

  pptp: async () => {
    const household = await Household.build();
    const traffic = new Traffic(household);
    // A real call with the first server, and plain bytes on the control port of the second one.
    const [caller, callee] = [new GrePeer(household, household.device), household.server];
    const server = new PptpServer(household, callee);
    const client = new PptpClient(household, caller, server);
    let callId = 0x0100;
    let callIds = { up: 0, down: 0 };
    traffic.addGre(household.device, callee, () => callIds);
    const line = new ControlLine(household, traffic);
    const renew = async (): Promise<void> => {
      callId += 1;
      const { near, far } = await client.dial(callId);
      // Each end sends to the ID it was told; the gateway has told the server another one.
      callIds = { up: near.peerCallId, down: far.peerCallId };
      await line.connect();
    };
    const opener = new Opener(household, 'tcp', PPTP_PORT, MANY);
    return {
      household,
      traffic,
      kinds: ['GRE', 'TCP 1723'],
      fill: () => opener.open(),
      renew,
      retry: () => line.retry(),
    };
  },
};

/** A TCP connection to the control port, with numbered records both ways. */
class ControlLine {
  readonly #household: Household;
  #near: Socket | null = null;
  #far: Socket | null = null;
  #connecting = false;

  constructor(household: Household, traffic: Traffic) {
    this.#household = household;
    const [device, server] = [household.device, household.servers[1]!];
    const listener = listenTcp(server, PPTP_PORT, (socket) => {
      this.#far?.destroy();
      this.#far = socket;
      readRecords(socket, (record) => traffic.arrived(server, record));
      socket.on('error', () => socket.destroy());
    });
    const up = traffic.add('TCP 1723', server, (record) => this.#near?.write(record));
    traffic.add('TCP 1723', device, (record) => this.#far?.write(record));
    this.#onConnected = (socket) => {
      this.#near = socket;
      readRecords(socket, (record) => traffic.arrived(device, record));
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        if (this.#near === socket) this.#near = null;
      });
      up.send();
    };
    household.onClose(() => {
      this.#near?.destroy();
      this.#far?.destroy();
      listener.close();
    });
  }

  readonly #onConnected: (socket: Socket) => void;

  async connect(): Promise<void> {
    this.#near?.destroy();
    this.#near = null;
    this.#onConnected(
      await connectTcp(this.#household.device, this.#household.servers[1]!.address, PPTP_PORT),
    );
  }

  /** Tries to connect once more, unless connected or trying. */
  retry(): void {
    if (this.#near !== null || this.#connecting) return;
    this.#connecting = true;
    this.connect()
      .catch((error: unknown) => {
        if (!(error instanceof LinuxError)) throw error;
      })
      .finally(() => {
        this.#connecting = false;
      });
  }
}

function readRecords(socket: Socket, onRecord: (record: Uint8Array) => void): void {
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    for (; rest.length >= PAYLOAD_BYTES; rest = rest.subarray(PAYLOAD_BYTES)) {
      onRecord(rest.subarray(0, PAYLOAD_BYTES));
    }
  });
}
