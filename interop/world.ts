// The world of one row: the lab's household with real machines in it, and the gateway either as
// Throughway or as plain Linux with a masquerade rule, which is what the baseline column shows. What
// passes the WAN is captured by tcpdump.
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Household, type Host } from '../lab/topologies/household.ts';
import { claimEqual, until } from '../lab/wait.ts';
import { Cell } from './cell.ts';
import type { Machine } from './machine.ts';
import type { MachineKind, Setting, Tunnel } from './row.ts';
import { treePath } from './trees.ts';
import { UserModeLinux } from './uml.ts';

export type Way = 'throughway' | 'masquerade';

/** What most routers do: `iptables -t nat -A POSTROUTING -o WAN -j MASQUERADE`. */
const MASQUERADE = `table ip plain {
  chain postrouting {
    type nat hook postrouting priority srcnat
    oifname "wan0" masquerade
  }
}`;

export class World {
  readonly way: Way;
  readonly household: Household;
  readonly devices: readonly Machine[];
  readonly server: Machine;
  readonly tunnels: (Tunnel | null)[];
  readonly #folder: string;
  /** Where tcpdump is. */
  readonly #tree: string;
  readonly #capture: ChildProcess;

  private constructor(
    way: Way,
    household: Household,
    server: Machine,
    devices: Machine[],
    folder: string,
    tree: string,
    capture: ChildProcess,
  ) {
    this.way = way;
    this.household = household;
    this.server = server;
    this.devices = devices;
    this.tunnels = devices.map(() => null);
    this.#folder = folder;
    this.#tree = tree;
    this.#capture = capture;
  }

  static async build(row: Setting, way: Way): Promise<World> {
    const household = await Household.build({
      devices: row.devices,
      servers: 1,
      taps: false,
      running: false,
      ...(row.config === undefined ? {} : { config: row.config }),
    });
    const folder = mkdtempSync(join(tmpdir(), `throughway-interop-${row.id}-`));
    if (way === 'throughway') {
      household.daemon.traceTo = `${folder}/transcript`;
      await household.daemon.start();
    } else {
      household.gateway.sysctl('net.ipv4.ip_forward', '1');
      household.gateway.run('nft', ['-f', '-'], MASQUERADE);
    }
    const tree = treePath(row.server.tree);
    const capture = await startCapture(household, tree, `${folder}/wan.pcap`);
    const machines = [
      makeMachine(household.server, row.server),
      ...household.devices.map((host) => makeMachine(host, row.device)),
    ];
    const [server, ...devices] = await Promise.all(machines);
    return new World(way, household, server!, devices, folder, tree, capture);
  }

  /** Where the capture of the WAN and the daemon's transcripts are. */
  get folder(): string {
    return this.#folder;
  }

  /**
   * Throws Disproved when a packet of the LAN's addresses, or from a tunnel's, was at the provider. (What a
   * device sends to a tunnel's address while it has no tunnel goes out like anything else.)
   */
  claimNothingPrivateLeft(): void {
    const args = [this.#tree, 'tcpdump', '-n', '-r', '-', 'net 192.168.0.0/16 or src net 10.0.0.0/8'];
    const seen = this.household.isp.run('sh', [
      '-c',
      `chroot "$0" "$@" < ${this.#folder}/wan.pcap 2> /dev/null`,
      ...args,
    ]);
    claimEqual(seen.split('\n').slice(0, 3).join('; '), '', 'packets with a private address at the provider');
  }

  async close(keepFolder: boolean): Promise<void> {
    this.#capture.kill('SIGINT');
    for (const machine of [this.server, ...this.devices]) machine.close();
    await this.household.close();
    if (!keepFolder) rmSync(this.#folder, { recursive: true, force: true });
  }
}

function makeMachine(host: Host, { kind, tree }: MachineKind): Promise<Machine> {
  // A bridge that hands its packets to iptables makes conntrack see them in the middle of a cable.
  return kind === 'cell' ? Cell.make(host, tree) : UserModeLinux.boot(host, tree);
}

/** The heads of packets on the provider's side of the WAN. */
async function startCapture({ isp }: Household, tree: string, path: string): Promise<ChildProcess> {
  const file = openSync(path, 'w');
  const tcpdump = ['tcpdump', '-i', 'wan0', '-n', '-U', '-Z', 'root', '-s', '600', '-c', '300000', '-w', '-'];
  const child = spawn(
    'ip',
    ['netns', 'exec', isp.name, 'setpriv', '--pdeathsig', 'KILL', 'chroot', tree, ...tcpdump],
    { stdio: ['ignore', file, 'pipe'] },
  );
  closeSync(file);
  let said = '';
  child.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await until(
    'the capture to run',
    () => said.includes('listening on'),
    10_000,
    () => said,
  );
  return child;
}
