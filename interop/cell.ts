// A machine that is a set of namespaces: its own root, mounts and processes in the network namespace of
// its host. For programs that do their networking through sockets and TUN devices; what needs a kernel
// with PPP or IPsec is a User-Mode Linux (uml.ts).
import { spawn, type ChildProcess } from 'node:child_process';
import { Disproved, until } from '../lab/wait.ts';
import type { Host } from '../lab/topologies/household.ts';
import { Machine, type Outcome } from './machine.ts';
import type { TreeName } from './trees.ts';

/** The first process: takes the overlay as its root, and then only reaps what others leave behind. */
const FIRST_PROCESS = `
set -e
mount --make-rprivate /
cd "$1"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount --rbind /dev dev
mount -t tmpfs run run
mount -t tmpfs tmp tmp
mkdir -p run/lock mnt
pivot_root . mnt
umount -l /mnt
echo ready
while :; do sleep 3600 & wait; done
`;

export class Cell extends Machine {
  readonly #first: ChildProcess;
  #said = '';

  private constructor(host: Host, tree: TreeName) {
    super(host, tree);
    this.#first = host.namespace.start(
      'setpriv',
      [
        ...['--pdeathsig', 'KILL', 'unshare', '--mount', '--uts', '--ipc', '--pid', '--fork', '--kill-child'],
        ...['sh', '-c', FIRST_PROCESS, 'sh', this.root],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    for (const stream of [this.#first.stdout!, this.#first.stderr!])
      stream.on('data', (chunk: Buffer) => (this.#said += chunk.toString()));
  }

  static async make(host: Host, tree: TreeName): Promise<Cell> {
    const cell = new Cell(host, tree);
    await until(
      `${host.name} to be ready`,
      () => cell.#said.includes('ready') || cell.#first.exitCode !== null,
      10_000,
      () => cell.#said,
    );
    if (cell.#first.exitCode !== null) throw new Disproved(`${host.name} could not be made: ${cell.#said}`);
    await cell.run(`hostname ${host.name}`);
    return cell;
  }

  attempt(script: string, patienceMs = 30_000): Promise<Outcome> {
    const namespaces = `/proc/${this.#first.pid}/ns`;
    return new Promise((resolve) => {
      const child = spawn(
        'nsenter',
        [
          ...['mnt', 'uts', 'ipc', 'net'].map(
            (kind) => `--${kind === 'mnt' ? 'mount' : kind}=${namespaces}/${kind}`,
          ),
          `--pid=${namespaces}/pid_for_children`,
          ...['sh', '-c', script],
        ],
        {
          stdio: ['ignore', 'pipe', 'pipe'],
          env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LANG: 'C.UTF-8' },
          detached: true,
        },
      );
      let output = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
      const timer = setTimeout(() => {
        output += `\nnot over after ${patienceMs / 1000} s`;
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      }, patienceMs);
      child.once('error', (error) => resolve({ status: 127, output: error.message }));
      child.once('close', (status) => {
        clearTimeout(timer);
        resolve({ status: status ?? 137, output });
      });
    });
  }

  protected end(): void {
    this.#first.kill('SIGKILL');
  }
}
