// How quickly the API answers over TCP while traffic flows: a device of the household asks at a steady rate
// with a token, whether or not earlier answers have come, so that a slow answer counts for those behind it.
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { callDaemon } from '../src/cli/client.ts';
import type { MadeToken } from '../src/daemon/api/account.ts';
import { NAT_T_PORT } from '../lab/peers/ike.ts';
import { UdpPeer } from '../lab/peers/udp.ts';
import { connectTcp } from '../lab/sockets.ts';
import { ADDRESSES, Household } from '../lab/topologies/household.ts';
import { claimEqual, until } from '../lab/wait.ts';
import type { Cell, Figures } from './figures.ts';

const PER_SECOND = 500;
const SECONDS = 10;
const CONNECTIONS = 16;
/** What must be reached. */
const MOST_MS = 50;
const WARM_UP = 500;

/** A connection that asks one thing at a time. */
class Client {
  readonly #socket: Socket;
  #received = '';
  #done: ((status: number) => void) | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => this.#hear(chunk));
  }

  /** Resolves to the status. */
  ask(path: string, token: string): Promise<number> {
    return new Promise((resolve) => {
      this.#done = resolve;
      this.#socket.write(
        `GET ${path} HTTP/1.1\r\nHost: ${ADDRESSES.gatewayLan}\r\nAuthorization: Bearer ${token}\r\n\r\n`,
      );
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #hear(chunk: string): void {
    this.#received += chunk;
    const end = this.#received.indexOf('\r\n\r\n');
    if (end === -1) return;
    const length = Number(/content-length: (\d+)/i.exec(this.#received)?.[1] ?? 0);
    if (this.#received.length < end + 4 + length) return;
    const status = Number(this.#received.slice(9, 12));
    this.#received = '';
    this.#done?.(status);
  }
}

export async function measureApi(): Promise<Figures> {
  const household = await Household.build();
  const rows: Record<string, Cell>[] = [];
  try {
    const { daemon, device } = household;
    await until('the page', () => daemon.log.includes('the page is served at http://192.168.1.1/'));
    const made = await callDaemon(daemon.socket, 'POST', '/api/v1/tokens', { name: 'bench', scope: 'read' });
    const { token } = JSON.parse(made) as MadeToken;
    const sockets = await Promise.all(
      Array.from({ length: CONNECTIONS }, () => connectTcp(device, ADDRESSES.gatewayLan, 80)),
    );
    const clients = sockets.map((socket) => new Client(socket));
    const traffic = startTraffic(household);
    for (const path of ['/api/v1/status', '/api/v1/sessions']) {
      for (let count = 0; count < WARM_UP; count += 1) await clients[0]!.ask(path, token);
      const before = traffic.sent();
      const cpuBefore = processorMs(daemon.pid);
      const waits = await askSteadily(clients, path, token);
      rows.push({
        path,
        requests: waits.length,
        p50_ms: percentile(waits, 0.5),
        p99_ms: percentile(waits, 0.99),
        worst_ms: percentile(waits, 1),
        cpu_ms: (processorMs(daemon.pid) - cpuBefore) / waits.length,
        packets: traffic.sent() - before,
      });
    }
    await traffic.stop();
    for (const client of clients) client.close();
  } finally {
    await household.close();
  }
  return {
    name: 'api',
    title: `The API over TCP: milliseconds until the answer at ${PER_SECOND} requests a second (the 99th percentile may be ${MOST_MS}), while traffic flows`,
    notes: [
      `${SECONDS} seconds each over ${CONNECTIONS} connections; a request that had to wait for a connection counts from when it was due.`,
      'The devices, the servers and whoever asks are one process on the same machine.',
    ],
    columns: [
      { key: 'path', heading: 'GET' },
      { key: 'requests', heading: 'requests' },
      { key: 'p50_ms', heading: 'median', digits: 1 },
      { key: 'p99_ms', heading: '99th percentile', digits: 1 },
      { key: 'worst_ms', heading: 'worst', digits: 1 },
      { key: 'cpu_ms', heading: 'processor time each', digits: 2 },
      { key: 'packets', heading: 'packets meanwhile' },
    ],
    rows,
  };
}

/** Resolves to the waits in milliseconds. */
async function askSteadily(clients: readonly Client[], path: string, token: string): Promise<number[]> {
  const waits: number[] = [];
  const idle = [...clients];
  const due: number[] = [];
  const running = new Set<Promise<void>>();
  const serve = (): void => {
    while (idle.length > 0 && due.length > 0) {
      const client = idle.pop()!;
      const since = due.shift()!;
      const asked = client.ask(path, token).then((status) => {
        claimEqual(status, 200, `the status of ${path}`);
        waits.push(performance.now() - since);
        idle.push(client);
        running.delete(asked);
        serve();
      });
      running.add(asked);
    }
  };
  const begun = performance.now();
  for (let count = 0; count < PER_SECOND * SECONDS;) {
    const now = performance.now() - begun;
    for (; count < PER_SECOND * SECONDS && (count * 1000) / PER_SECOND <= now; count += 1)
      due.push(begun + (count * 1000) / PER_SECOND);
    serve();
    await sleep(1);
  }
  while (running.size > 0 || due.length > 0) await sleep(1);
  return waits;
}

/** A packet of NAT-T from each of two devices every few milliseconds. */
function startTraffic(household: Household): { sent(): number; stop(): Promise<void> } {
  const { devices, server } = household;
  const far = new UdpPeer(household, server, NAT_T_PORT);
  const near = devices.slice(0, 2).map((device) => new UdpPeer(household, device, NAT_T_PORT));
  let sent = 0;
  const timer = setInterval(() => {
    for (const one of near) one.send(server.address, NAT_T_PORT, server);
    sent += near.length;
  }, 2);
  return {
    sent: () => sent,
    stop: async () => {
      clearInterval(timer);
      await until('the last packets', () => far.received.length === sent);
    },
  };
}

/** What the daemon has used, in all its threads: proc_pid_stat(5), in hundredths of a second. */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)]!;
}
