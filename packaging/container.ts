// The container image: built by podman from packaging/Containerfile on a Debian that mmdebstrap makes (no registry
// of images is asked), twice, and then run on the network of the lab's gateway with the lines of the manual.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { DemoSession } from '../lab/demo-sessions.ts';
import { examplesOn } from '../lab/examples.ts';
import type { Namespace } from '../lab/namespaces.ts';
import type { Household } from '../lab/topologies/household.ts';
import { claim, claimEqual, Disproved, until } from '../lab/wait.ts';
import { neededSysctls } from '../src/core/policy/sysctls.ts';
import { ROOT } from './build.ts';
import { CannotPlay } from './cannot-play.ts';
import { bringDebian } from './installed.ts';
import { during } from './traffic.ts';

/** As the container file names it. */
const BASE = 'docker.io/library/debian:bookworm-slim';
/** An engine ends a container that does not stop after ten seconds. */
const PATIENCE_MS = 30_000;

/**
 * A place for the engine that asks for no right which a test may lack: no control groups, no limits raised. Its
 * storage is on a file system that vanishes with the mount namespace.
 */
const SETTINGS = {
  'containers.conf': `[containers]
cgroups = "disabled"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "crun"
`,
  'storage.conf': `[storage]
driver = "overlay"
graphroot = "/run/containers/storage"
runroot = "/run/containers/run"
`,
};
/** crun refuses control groups of both versions side by side, although it is asked for none. */
const ALONE = '{ umount /sys/fs/cgroup/unified 2>/dev/null || true; }';

/** Why it cannot be played here, or null. */
export function containerForbidden(): string | null {
  for (const program of ['podman', 'crun'])
    if (spawnSync(program, ['--version']).error)
      return `${program} is not installed (apt-get install podman crun)`;
  return null;
}

function manualLines(form: RegExp): string[] {
  const lines = examplesOn(ROOT, 'docs/install.md').flatMap(({ text }) => {
    const bare = text.replace(/^sudo /, '');
    return form.test(bare) ? [bare] : [];
  });
  claim(lines.length > 0, `the manual has lines of ${form.source}`);
  return lines;
}

function environmentIn(folder: string): NodeJS.ProcessEnv {
  for (const [name, text] of Object.entries(SETTINGS)) writeFileSync(join(folder, name), text);
  return {
    ...process.env,
    CONTAINERS_CONF: join(folder, 'containers.conf'),
    CONTAINERS_STORAGE_CONF: join(folder, 'storage.conf'),
    BUILDAH_ISOLATION: 'chroot',
  };
}

/** What stands for the image of Debian that the container file begins with, fetched once. */
export function bringBase(): Promise<string> {
  return bringDebian({ packages: [] });
}

/** Builds the image from a package twice, as the manual says; resolves to an archive of it. Throws Disproved or CannotPlay. */
export async function buildImage(deb: string, folder: string): Promise<string> {
  const context = join(folder, 'context');
  for (const part of ['dist', 'packaging']) mkdirSync(join(context, part), { recursive: true });
  copyFileSync(deb, join(context, 'dist', basename(deb)));
  copyFileSync(join(ROOT, 'packaging/Containerfile'), join(context, 'packaging/Containerfile'));
  const base = await bringBase();
  const [build = ''] = manualLines(/^podman build /);
  const archive = join(folder, 'image.tar');
  const script = `${ALONE}
mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib && cd "${context}" || exit
podman import --quiet "${base}" ${BASE} > ../base || exit
for which in first second; do
  ${build.replace(/ build /, ' build --no-cache ')} || exit
  podman image inspect --format '{{.Id}}' throughway > ../$which || exit
done
podman save --quiet --format oci-archive --output "${archive}" throughway`;
  const ran = spawnSync('unshare', ['--mount', '--fork', '--kill-child', 'sh', '-c', script], {
    encoding: 'utf8',
    env: environmentIn(folder),
    timeout: 300_000,
  });
  const read = (name: string): string => {
    try {
      return readFileSync(join(folder, name), 'utf8').trim();
    } catch {
      return '';
    }
  };
  const said = `${ran.stdout}${ran.stderr}`.trim().slice(-1500);
  if (read('base') === '') throw new CannotPlay(`podman takes no image here (${said.slice(-300)})`);
  claim(ran.status === 0, `"${build}" succeeds: ${said}`);
  claimEqual(read('second'), read('first'), 'the id of the second build');
  return archive;
}

/** A host with a container engine and the network of a namespace. All that runs there ends with it. */
class ContainerHost {
  readonly #host: ChildProcess;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #folder: string;
  readonly #names: Readonly<Record<string, string>>;

  private constructor(
    host: ChildProcess,
    environment: NodeJS.ProcessEnv,
    folder: string,
    names: Readonly<Record<string, string>>,
  ) {
    this.#host = host;
    this.#environment = environment;
    this.#folder = folder;
    this.#names = names;
  }

  /** `names` are what stands for a name of the manual here. Resolves when it has the image. */
  static async start(
    namespace: Namespace,
    { archive, folder }: { archive: string; folder: string },
    names: Readonly<Record<string, string>>,
  ): Promise<ContainerHost> {
    mkdirSync(folder, { recursive: true });
    const environment = environmentIn(folder);
    // The machine's own folders are only hidden, and only in here.
    const begin = `mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /sys/fs/cgroup && mount -t tmpfs tmpfs /run &&
mkdir /run/etc && cp --archive /etc/. /run/etc && mount --bind /run/etc /etc && mount -t tmpfs tmpfs /var/lib &&
mkdir /etc/throughway /var/lib/throughway && touch "${folder}/ready" && exec sleep infinity`;
    const host = spawn(
      'nsenter',
      [
        `--net=/run/netns/${namespace.name}`,
        'setpriv',
        '--pdeathsig',
        'KILL',
        'unshare',
        '--mount',
        '--pid',
        '--fork',
        '--kill-child',
        '--mount-proc',
        'sh',
        '-c',
        begin,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], env: environment },
    );
    let said = '';
    host.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await until(
      "the engine's host",
      () => existsSync(join(folder, 'ready')) || host.exitCode !== null,
      PATIENCE_MS,
      () => said,
    );
    if (host.exitCode !== null) throw new CannotPlay(`a host for containers cannot be made here: ${said}`);
    const started = new ContainerHost(host, environment, folder, names);
    await started.type(`podman load --quiet --input "${archive}"`);
    return started;
  }

  /** Types a line of the manual and resolves to what it says; throws Disproved when it fails. */
  async type(line: string): Promise<string> {
    const { pid } = this.#host;
    // The first process in there is the child of the one that made its namespaces.
    const first = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    const typed = Object.entries(this.#names).reduce(
      (text, [name, here]) => text.replaceAll(name, here),
      line,
    );
    const inside = ['--target', first, '--mount', '--pid', '--net', 'timeout', '60', 'sh', '-e', '-c', typed];
    // Into a file: a container that goes on may keep a pipe open.
    const [out, fd] = [join(this.#folder, 'said'), openSync(join(this.#folder, 'said'), 'w')];
    const child = spawn('nsenter', inside, { stdio: ['ignore', fd, fd], env: this.#environment });
    const status = await new Promise<number | null>((resolve) => child.once('exit', resolve));
    closeSync(fd);
    const said = readFileSync(out, 'utf8');
    if (status !== 0) throw new Disproved(`"${typed}" ended with ${status}: ${said}`);
    return said;
  }

  end(): void {
    this.#host.kill('SIGKILL');
  }
}

/**
 * Types the manual's lines on the lab's gateway, which has nothing of ours in force; throws Disproved. Returns a word on
 * what was found.
 */
export async function playContainer(
  household: Household,
  sessions: readonly DemoSession[],
  archive: string,
): Promise<string> {
  const { gateway } = household;
  const read = (name: string): string =>
    gateway.run('cat', [`/proc/sys/${name.includes('/') ? name : name.replaceAll('.', '/')}`]).trim();
  const needed = neededSysctls(['lan0'], read);
  const settings = (): string[] => needed.map(([name]) => read(name));
  const before = settings();
  const folder = join(dirname(archive), 'host');
  const host = await ContainerHost.start(gateway, { archive, folder }, { eth0: 'wan0', eth1: 'lan0' });
  try {
    const lines = manualLines(/^podman (?!build )/);
    const begin = lines.find((line) => line.includes('--detach'));
    claim(begin !== undefined && lines.at(-1)!.endsWith(' down'), 'the manual begins and ends a container');
    const ready = async (): Promise<void> => {
      await until(
        'the daemon in the container',
        () =>
          host.type('podman exec throughway throughway status --json').then(
            (text) => (JSON.parse(text) as { problems: string[] }).problems.length === 0,
            () => false,
          ),
        PATIENCE_MS,
      );
    };
    // Stopped, taken away, and down.
    const [beginning, end] = [lines.slice(0, -3), lines.slice(-3)];
    for (const line of beginning) {
      if (line.includes(' exec ')) await ready();
      await host.type(line);
    }
    claimEqual(
      settings(),
      needed.map(([, value]) => value),
      'the kernel settings',
    );
    for (const session of sessions) await session.connect();
    const again = async (): Promise<void> => {
      for (const line of [...end.slice(0, 2), begin]) await host.type(line);
      await ready();
    };
    const word = await during(sessions, again());
    for (const line of end) await host.type(line);
    claimEqual([gateway.run('nft', ['list', 'tables']), settings()], ['', before], 'what is left');
    return word;
  } finally {
    host.end();
  }
}
