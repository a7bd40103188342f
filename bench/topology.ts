// One rig of the forwarding benchmark: three network namespaces joined by two veth pairs.
//
//   clients              router                servers
//   [ end0 ] ---------- [ lan0   wan0 ] ------ [ end0 ]
//   10.0.0.2        10.0.0.1   203.0.113.1     203.0.113.254
//   and 10.64/15 behind it                     and 198.18/15 behind it
//
// Each of lan0, wan0 and the two ends has its receive NAPI in a kernel thread of its own, pinned to
// the router's processor, all at the same real-time priority: a thread runs until its ring is empty,
// then the next, and each is charged for its own time only. Must be called in mount and network
// namespaces of its own (main.ts): it knows nothing of cleaning up /run.
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, readdirSync } from 'node:fs';
import { LinuxError, enterNetworkNamespace } from '../src/linux/libc.ts';
import { setReceiveOffload } from './bpf.ts';
import { CLIENT_NETWORK, LAN_ADDRESS, LAN_NEXT_HOP } from './traffic.ts';
import { SERVER_NETWORK, WAN_ADDRESS, WAN_NEXT_HOP } from './traffic.ts';

/** The two processors: packets are made on one, and forwarded on the other. */
export interface Processors {
  readonly sender: number;
  readonly router: number;
}

/** A place where packets are sent from and end up: an interface, and what faces it on the router. */
export interface End {
  readonly namespace: string;
  readonly interfaceIndex: number;
  readonly mac: Uint8Array;
  readonly routerMac: Uint8Array;
  /** The kernel thread in which the router receives what this end sends. */
  readonly routerThread: number;
}

export interface Rig {
  readonly router: string;
  readonly clients: End;
  readonly servers: End;
}

export const LAN_INTERFACE = 'lan0';
export const WAN_INTERFACE = 'wan0';
const END_INTERFACE = 'end0';

/** Throws LinuxError, with what the command said, unless it ends with 0; returns its output. */
export function run(command: string, parameters: string[], input = ''): string {
  const result = spawnSync(command, parameters, { input, encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (result.status === 0) return result.stdout;
  const reason = result.error ? result.error.message : `exit ${result.status ?? result.signal}`;
  const attempted = input === '' ? '' : ` with input ${JSON.stringify(input.slice(0, 300))}`;
  throw new LinuxError(
    command,
    reason,
    `${[command, ...parameters].join(' ')}${attempted}`,
    (result.stderr ?? '').slice(0, 2000),
  );
}

/** Calls `work` with this thread in the namespace; `work` must be done when it returns. */
export function inNamespace<T>(namespace: string, work: () => T): T {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  const there = openSync(`/run/netns/${namespace}`, 'r');
  try {
    enterNetworkNamespace(there);
    return work();
  } finally {
    enterNetworkNamespace(home);
    closeSync(there);
    closeSync(home);
  }
}

export function buildRig(name: string, processors: Processors): Rig {
  const namespaces = { clients: `${name}-clients`, router: `${name}-router`, servers: `${name}-servers` };
  for (const namespace of Object.values(namespaces)) {
    run('ip', ['netns', 'add', namespace]);
    // No router solicitations: only packets that are counted.
    const setting = '/proc/sys/net/ipv6/conf/default/disable_ipv6';
    if (existsSync(setting)) writeIn(namespace, setting, '1');
  }
  for (const [end, face] of [
    [namespaces.clients, LAN_INTERFACE],
    [namespaces.servers, WAN_INTERFACE],
  ] as const) {
    const peer = `peer name ${END_INTERFACE} netns ${end}`;
    run('ip', `link add ${face} netns ${namespaces.router} type veth ${peer}`.split(' '));
    // Receive offload is what gives a veth NAPI and a ring for XDP frames, and whoever comes up looks
    // whether its peer has that: so at both ends, before either is up.
    inNamespace(end, () => setReceiveOffload(END_INTERFACE, true));
    inNamespace(namespaces.router, () => setReceiveOffload(face, true));
  }
  bringUp(namespaces.clients, END_INTERFACE, `${LAN_NEXT_HOP}/24`);
  bringUp(namespaces.servers, END_INTERFACE, `${WAN_NEXT_HOP}/24`);
  bringUp(namespaces.router, LAN_INTERFACE, `${LAN_ADDRESS}/24`);
  bringUp(namespaces.router, WAN_INTERFACE, `${WAN_ADDRESS}/24`);
  writeIn(namespaces.router, '/proc/sys/net/ipv4/ip_forward', '1');
  joinRouter(namespaces.router, LAN_INTERFACE, CLIENT_NETWORK, LAN_NEXT_HOP, namespaces.clients);
  joinRouter(namespaces.router, WAN_INTERFACE, SERVER_NETWORK, WAN_NEXT_HOP, namespaces.servers);

  const end = (namespace: string, face: string): End => {
    const pinned = String(processors.router);
    const sinkThread = startThread(namespace, END_INTERFACE);
    const routerThread = startThread(namespaces.router, face);
    for (const thread of [sinkThread, routerThread]) {
      run('taskset', ['--cpu-list', '--pid', pinned, String(thread)]);
      run('chrt', ['--fifo', '--pid', '1', String(thread)]);
    }
    return {
      namespace,
      interfaceIndex: Number(readIn(namespace, `/sys/class/net/${END_INTERFACE}/ifindex`)),
      mac: macOf(namespace, END_INTERFACE),
      routerMac: macOf(namespaces.router, face),
      routerThread,
    };
  };
  return {
    router: namespaces.router,
    clients: end(namespaces.clients, LAN_INTERFACE),
    servers: end(namespaces.servers, WAN_INTERFACE),
  };
}

export function removeRig({ router, clients, servers }: Rig): void {
  for (const namespace of [clients.namespace, servers.namespace, router]) {
    run('ip', ['netns', 'delete', namespace]);
  }
}

/** Processor time of a thread in nanoseconds. Exact only while the thread sleeps. */
export function threadNanoseconds(thread: number): number {
  return Number(readFileSync(`/proc/${thread}/schedstat`, 'latin1').split(' ')[0]);
}

export function threadSleeps(thread: number): boolean {
  return /\) S /.test(readFileSync(`/proc/${thread}/stat`, 'latin1'));
}

/** What the router's own counters say, for the message about a failed measurement. */
export function explainRouter(router: string): string {
  const snmp = readIn(router, '/proc/net/snmp').split('\n');
  const sections = ['Ip', 'Icmp'].map((section) => {
    const [names, values] = snmp
      .filter((line) => line.startsWith(`${section}:`))
      .map((line) => line.split(' '));
    return `${section}: ${names!
      .map((name, index) => `${name} ${values![index]}`)
      .slice(1)
      .filter((pair) => !/ (0|-1)$/.test(pair))
      .join(', ')}`;
  });
  const conntrack = run('ip', [
    'netns',
    'exec',
    router,
    'sh',
    '-c',
    'cat /proc/net/stat/nf_conntrack || true',
  ]);
  const links = run('ip', ['-netns', router, '-statistics', 'link']);
  return [...sections, 'conntrack (hexadecimal, a line per processor):', conntrack, links].join('\n');
}

function bringUp(namespace: string, name: string, address: string): void {
  run(
    'ip',
    ['-netns', namespace, '-batch', '-'],
    `address add ${address} dev ${name}\nlink set ${name} up\nlink set lo up\n`,
  );
}

function joinRouter(router: string, face: string, network: string, nextHop: string, end: string): void {
  const mac = readIn(end, `/sys/class/net/${END_INTERFACE}/address`).trim();
  run(
    'ip',
    ['-netns', router, '-batch', '-'],
    `neighbour add ${nextHop} lladdr ${mac} dev ${face} nud permanent\nroute add ${network} via ${nextHop} dev ${face}\n`,
  );
}

function startThread(namespace: string, name: string): number {
  const before = new Set(threadsOf(name));
  writeIn(namespace, `/sys/class/net/${name}/threaded`, '1');
  const started = threadsOf(name).filter((thread) => !before.has(thread));
  if (started.length !== 1) {
    throw new LinuxError(
      'threaded NAPI',
      `${started.length} threads`,
      `one kernel thread for ${name} in ${namespace}`,
      'another program may be making threads of the same name: run the benchmark again',
    );
  }
  return started[0]!;
}

function threadsOf(name: string): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && commandOf(entry).startsWith(`napi/${name}-`))
    .map(Number);
}

function commandOf(entry: string): string {
  try {
    return readFileSync(`/proc/${entry}/comm`, 'latin1');
  } catch {
    return ''; // ended since the directory was read
  }
}

function macOf(namespace: string, name: string): Uint8Array {
  const text = readIn(namespace, `/sys/class/net/${name}/address`).trim();
  return Uint8Array.from(text.split(':'), (byte) => Number.parseInt(byte, 16));
}

// `ip netns exec` and not setns: it also mounts the namespace's own /sys.
function readIn(namespace: string, path: string): string {
  return run('ip', ['netns', 'exec', namespace, 'cat', path]);
}

function writeIn(namespace: string, path: string, value: string): void {
  run('ip', ['netns', 'exec', namespace, 'tee', path], value);
}
