// A machine of the interoperability runs: a root of its own (an overlay on a tree of trees.ts), in the
// network namespace of a host of the household, and a way to run commands in it. What kind of machine
// it is, a set of namespaces (cell.ts) or a User-Mode Linux (uml.ts), the rows need not know.
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { runTool } from '../lab/namespaces.ts';
import type { Host } from '../lab/topologies/household.ts';
import { Disproved, until } from '../lab/wait.ts';
import { treePath, type TreeName } from './trees.ts';

const FOLDER = '/run/interop';
const LOGS = '/var/log/interop';
const PATIENCE_MS = 30_000;

export interface Outcome {
  readonly status: number;
  /** What it wrote to stdout and stderr. */
  readonly output: string;
}

export abstract class Machine {
  readonly host: Host;
  /** Where its file system is seen from outside. */
  readonly root: string;

  protected constructor(host: Host, tree: TreeName) {
    this.host = host;
    const folder = `${FOLDER}/${host.name}`;
    rmSync(folder, { recursive: true, force: true });
    for (const part of ['upper', 'work', 'root']) mkdirSync(`${folder}/${part}`, { recursive: true });
    this.root = `${folder}/root`;
    const layers = `lowerdir=${treePath(tree)},upperdir=${folder}/upper,workdir=${folder}/work`;
    runTool('mount', ['-t', 'overlay', 'overlay', '-o', layers, this.root]);
    mkdirSync(`${this.root}${LOGS}`, { recursive: true });
    this.put('/etc/hosts', `127.0.0.1 localhost\n${host.address} ${host.name}\n`);
    this.put('/etc/resolv.conf', '');
  }

  get name(): string {
    return this.host.name;
  }

  /** Runs a shell script inside and resolves when it has ended. */
  abstract attempt(script: string, patienceMs?: number): Promise<Outcome>;

  protected abstract end(): void;

  /** As `attempt`; throws Disproved when the script fails. Resolves to its output. */
  async run(script: string, patienceMs = PATIENCE_MS): Promise<string> {
    const { status, output } = await this.attempt(script, patienceMs);
    if (status !== 0)
      throw new Disproved(`on ${this.name} "${script}" ended with ${status}: ${output.trim().slice(-1500)}`);
    return output;
  }

  /** Starts a program that goes on; its output is `log(name)`. */
  async start(name: string, command: string): Promise<void> {
    await this.run(
      `setsid sh -c 'exec ${command.replaceAll("'", `'\\''`)}' > ${LOGS}/${name} 2>&1 < /dev/null &`,
    );
  }

  /** What a started program has written so far. */
  log(name: string): string {
    return this.has(`${LOGS}/${name}`) ? this.read(`${LOGS}/${name}`) : '';
  }

  /** Resolves when the log of a started program has `wanted` in it, at least so many times. */
  async waitForLog(name: string, wanted: string, patienceMs = PATIENCE_MS, times = 1): Promise<void> {
    await until(
      `"${wanted}" in the log of ${name} on ${this.name}`,
      () => this.log(name).split(wanted).length > times,
      patienceMs,
      () => this.log(name).slice(-1500),
    );
  }

  put(path: string, content: string | Uint8Array, mode = 0o644): void {
    mkdirSync(dirname(this.root + path), { recursive: true });
    writeFileSync(this.root + path, content);
    chmodSync(this.root + path, mode);
  }

  read(path: string): string {
    return readFileSync(this.root + path, 'utf8');
  }

  has(path: string): boolean {
    return existsSync(this.root + path);
  }

  /** The ends of the logs of everything that was started or writes there by itself, for a report. */
  logs(): string {
    return readdirSync(`${this.root}${LOGS}`)
      .map((name) => `--- ${name} on ${this.name}\n${this.log(name).split('\n').slice(-60).join('\n')}`)
      .join('\n');
  }

  close(): void {
    this.end();
    runTool('umount', ['--lazy', this.root]);
    rmSync(dirname(this.root), { recursive: true, force: true });
  }
}
