// Network namespaces of the lab, and the calling thread's way into them. A socket stays in the
// namespace in which it was made, so one process is every host of the lab at once: it steps into a
// namespace, opens a socket, and steps back. Everything lives under a private /run (see enter.ts),
// so nothing remains however the process ends.
import { spawn, spawnSync, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { enterNetworkNamespace, LinuxError } from '../src/linux/libc.ts';

const home = openSync('/proc/thread-self/ns/net', 'r');

export class Namespace {
  readonly name: string;
  readonly #fd: number;

  /** Makes the namespace, with its loopback up. Throws LinuxError. */
  constructor(name: string) {
    this.name = name;
    runTool('ip', ['netns', 'add', name]);
    this.#fd = openSync(`/run/netns/${name}`, 'r');
    this.ip('link set lo up');
  }

  /** Runs `work` inside; it must be over when it returns, since the thread then steps back out. */
  inside<T>(work: () => T): T {
    enterNetworkNamespace(this.#fd);
    try {
      return work();
    } finally {
      enterNetworkNamespace(home);
    }
  }

  /** Runs lines of `ip -batch` inside; throws LinuxError with ip's own words. */
  ip(...lines: string[]): void {
    runTool('ip', ['-n', this.name, '-batch', '-'], lines.join('\n'));
  }

  /** Runs a program inside and returns what it prints; throws LinuxError when it fails. */
  run(program: string, args: readonly string[], input = ''): string {
    return runTool('ip', ['netns', 'exec', this.name, program, ...args], input);
  }

  /** Starts a program inside that goes on while the lab does other things. */
  start(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
    return spawn('ip', ['netns', 'exec', this.name, program, ...args], options);
  }

  sysctl(name: string, value: string): void {
    this.run('tee', [`/proc/sys/${name.replaceAll('.', '/')}`], value);
  }

  remove(): void {
    closeSync(this.#fd);
    runTool('ip', ['netns', 'delete', this.name]);
  }
}

/** Runs a program in the lab's own namespaces and returns what it prints; throws LinuxError when it fails. */
export function runTool(program: string, args: readonly string[], input = ''): string {
  const result = spawnSync(program, args, { input, encoding: 'utf8', maxBuffer: 256 << 20 });
  if (result.error)
    throw new LinuxError(program, (result.error as NodeJS.ErrnoException).code ?? 'EIO', args.join(' '));
  if (result.status !== 0) {
    throw new LinuxError(
      program,
      `exit ${result.status ?? result.signal}`,
      [...args, input].join(' '),
      result.stderr.trim() || result.stdout.trim(),
    );
  }
  return result.stdout;
}
