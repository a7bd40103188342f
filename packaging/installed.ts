// A Debian of its own in a folder, in the gateway's namespace of the lab: programs run there as on an installed
// machine. No systemd runs in it (booted.ts has one), so the service is started as its unit says: the same user, the same
// capabilities and no others, the folders that systemd would make. The unit's sandbox is not applied.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { runTool, type Namespace } from '../lab/namespaces.ts';
import { Disproved, until } from '../lab/wait.ts';
import { ROOT } from './build.ts';

const SUITE = 'bookworm';
/** What the package depends on, and what the test looks with. */
const PACKAGES = [
  'adduser',
  'dbus',
  'dnsmasq',
  'iproute2',
  'kmod',
  'libnftables1',
  'libstdc++6',
  'nftables',
  'systemd',
  'systemd-sysv',
];

interface DebianOptions {
  readonly packages?: readonly string[];
  /** Another than this machine's: only unpacked, since its programs do not run here. */
  readonly architecture?: string;
  readonly variant?: 'minbase' | 'extract';
}

/** A clean Debian as an archive; made once by mmdebstrap, which fetches Debian's packages. Rejects with its last words. */
export async function bringDebian({
  packages = PACKAGES,
  architecture = 'native',
  variant = 'minbase',
}: DebianOptions = {}): Promise<string> {
  const key = createHash('sha256')
    .update([SUITE, ...packages].join())
    .digest('hex')
    .slice(0, 12);
  const name = architecture === 'native' ? `debian-${key}` : `debian-${architecture}-${key}`;
  const archive = join(ROOT, 'node_modules', '.cache', `${name}.tar`);
  // mmdebstrap knows by the end of the name that an archive is wanted.
  const beside = archive.replace(/\.tar$/, '.new.tar');
  if (!existsSync(archive)) {
    mkdirSync(join(ROOT, 'node_modules', '.cache'), { recursive: true });
    const options = architecture === 'native' ? [] : [`--architectures=${architecture}`];
    if (packages.length > 0) options.push(`--include=${packages.join()}`);
    await makeDebian(['--quiet', `--variant=${variant}`, ...options, SUITE, beside]);
    renameSync(beside, archive);
  }
  return archive;
}

function makeDebian(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('mmdebstrap', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.once('error', reject);
    child.once('close', (status) => {
      if (status === 0) resolve();
      else reject(new Error(`mmdebstrap failed: ${said.trim().split('\n').slice(-6).join('; ')}`));
    });
  });
}

export class Installed {
  readonly folder: string;
  readonly #namespace: Namespace;
  #child: ChildProcess | null = null;
  #log = '';

  /** Unpacks the archive into `folder` below /run, which is the lab's own and vanishes with it. */
  constructor(namespace: Namespace, archive: string, folder = '/run/debian') {
    this.#namespace = namespace;
    this.folder = folder;
    mkdirSync(this.folder);
    runTool('mount', ['-t', 'tmpfs', 'tmpfs', this.folder]);
    runTool('tar', ['--extract', '--file', archive, '--directory', this.folder, '--exclude=./dev/*']);
    runTool('mount', ['-t', 'proc', 'proc', `${this.folder}/proc`]);
    runTool('mount', ['--bind', '/dev', `${this.folder}/dev`]);
    mkdirSync('/run/run', { recursive: true });
    runTool('mount', ['--bind', '/run/run', `${this.folder}/run`]);
  }

  /** Where the lab finds a file of it. */
  path(inside: string): string {
    return inside.startsWith('/run/') ? `/run${inside}` : `${this.folder}${inside}`;
  }

  #command(args: readonly string[]): string[] {
    return ['netns', 'exec', this.#namespace.name, 'chroot', this.folder, ...args];
  }

  /** Runs a program there, whatever its exit status. */
  run(...args: string[]): { status: number; stdout: string; stderr: string } {
    return this.runWith({}, ...args);
  }

  runWith(
    environment: NodeJS.ProcessEnv,
    ...args: string[]
  ): { status: number; stdout: string; stderr: string } {
    const ran = spawnSync('ip', this.#command(args), {
      encoding: 'utf8',
      env: {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        DEBIAN_FRONTEND: 'noninteractive',
        LC_ALL: 'C',
        ...environment,
      },
    });
    return { status: ran.status ?? 1, stdout: ran.stdout, stderr: ran.stderr };
  }

  /** As `run`, but the lab goes on meanwhile; throws Disproved when it fails. */
  async start(...args: string[]): Promise<void> {
    const child = spawn('ip', this.#command(args), {
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        said += chunk.toString();
      });
    const status = await new Promise<number | null>((resolve) => child.once('exit', resolve));
    if (status !== 0) throw new Disproved(`"${args.join(' ')}" ended with ${status}: ${said}`);
  }

  /** Starts a program there that goes on until it is killed, or the lab ends. */
  launch(...args: string[]): ChildProcess {
    return spawn('ip', this.#command(['setpriv', '--pdeathsig=KILL', ...args]), {
      stdio: 'ignore',
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
    });
  }

  get log(): string {
    return this.#log;
  }

  get pid(): number {
    if (!this.#child?.pid) throw new Disproved(`the daemon does not run: ${this.#log}`);
    return this.#child.pid;
  }

  /** Starts the service as the unit says, and resolves to the milliseconds until it is ready. */
  async startService(): Promise<number> {
    const unit = readUnit(readFileSync(this.path('/lib/systemd/system/throughway.service'), 'utf8'));
    const user = unit('User');
    for (const [folder, mode] of [
      [`/run/${unit('RuntimeDirectory')}`, unit('RuntimeDirectoryMode')],
      [`/var/lib/${unit('StateDirectory')}`, unit('StateDirectoryMode')],
    ] as const)
      for (const args of [
        ['mkdir', '--parents', folder],
        ['chown', '--recursive', `${user}:${unit('Group')}`, folder],
        ['chmod', mode, folder],
      ]) {
        const ran = this.run(...args);
        if (ran.status !== 0) throw new Disproved(ran.stderr);
      }
    const capabilities = (words: string, sign: string): string =>
      words
        .split(' ')
        .map((one) => `${sign}${one.replace(/^CAP_/, '').toLowerCase()}`)
        .join();
    const from = this.#log.length;
    const began = performance.now();
    const child = spawn(
      'ip',
      this.#command([
        'setpriv',
        `--reuid=${user}`,
        `--regid=${unit('Group')}`,
        '--clear-groups',
        `--inh-caps=-all,${capabilities(unit('AmbientCapabilities'), '+')}`,
        `--ambient-caps=-all,${capabilities(unit('AmbientCapabilities'), '+')}`,
        `--bounding-set=-all,${capabilities(unit('CapabilityBoundingSet'), '+')}`,
        ...(unit('NoNewPrivileges') === 'yes' ? ['--no-new-privs'] : []),
        // It ends with the lab, also when the lab is killed.
        '--pdeathsig=KILL',
        'sh',
        '-c',
        `umask ${unit('UMask')} && exec ${unit('ExecStart')}`,
      ]),
      { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } },
    );
    child.stderr.on('data', (chunk: Buffer) => {
      this.#log += chunk.toString();
    });
    child.once('exit', () => {
      if (this.#child === child) this.#child = null;
    });
    this.#child = child;
    await until(
      'the installed daemon to be ready',
      () => this.#log.slice(from).includes('"msg":"ready"') || this.#child === null,
      15_000,
      () => this.#log.slice(from),
    );
    if (this.#child === null) throw new Disproved(`the installed daemon ended: ${this.#log.slice(from)}`);
    return Math.round(performance.now() - began);
  }

  /** As systemd stops it. */
  async stopService(): Promise<void> {
    this.#child?.kill('SIGTERM');
    await this.waitForEnd();
  }

  async waitForEnd(): Promise<void> {
    await until('the installed daemon to end', () => this.#child === null, 15_000);
  }
}

/** The values of a unit's settings, each given once. */
function readUnit(text: string): (name: string) => string {
  const values = new Map(
    text.split('\n').flatMap((line): [string, string][] => {
      const match = /^([A-Za-z]+)=(.*)$/.exec(line);
      return match ? [[match[1]!, match[2]!]] : [];
    }),
  );
  return (name) => {
    const value = values.get(name);
    if (value === undefined) throw new Disproved(`the unit has no "${name}"`);
    return value;
  };
}
