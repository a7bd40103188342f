// The real daemon in the gateway's namespace: started, asked, reloaded, killed and started again.
import { execFile, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { callDaemon } from '../src/cli/client.ts';
import type { GatewayEvent, Session, SessionStory } from '../src/daemon/api/session.ts';
import type { PassthroughChange, Status } from '../src/daemon/api/types.ts';
import type { Passthrough } from '../src/core/config/schema.ts';
import type { DropName } from '../src/core/policy/counters.ts';
import type { Namespace } from './namespaces.ts';
import { Disproved, until } from './wait.ts';

const PROGRAM = fileURLToPath(new URL('../bin/throughway', import.meta.url));

export class Daemon {
  readonly folder: string;
  configPath: string;
  readonly stateDir: string;
  readonly socket: string;
  /** Of each process that is started. */
  environment: NodeJS.ProcessEnv = {};
  readonly #namespace: Namespace;
  #child: ChildProcess | null = null;
  #log = '';
  /** Where each process writes its transcript, `PATH-1`, `PATH-2` and so on; nowhere unless set. */
  traceTo: string | null = null;
  /** Whether other addresses stand there for the real ones. */
  traceMasked = false;
  #launched = 0;
  /** Of the last process that ended. */
  exitStatus: number | null = null;

  constructor(namespace: Namespace, folder: string) {
    this.#namespace = namespace;
    this.folder = folder;
    this.configPath = `${folder}/config.yaml`;
    this.stateDir = `${folder}/state`;
    this.socket = `${folder}/throughway.sock`;
    // What an earlier household left must not be taken over.
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  }

  writeConfig(text: string): void {
    writeFileSync(this.configPath, text);
  }

  readConfig(): string {
    return readFileSync(this.configPath, 'utf8');
  }

  get log(): string {
    return this.#log;
  }

  get pid(): number {
    if (!this.#child?.pid) throw new Disproved('the daemon does not run');
    return this.#child.pid;
  }

  /** Resolves when the daemon says that it is ready. */
  async start(environment: NodeJS.ProcessEnv = {}): Promise<void> {
    const from = this.#log.length;
    this.launch(environment);
    await until(
      'the daemon to be ready',
      () => this.#log.slice(from).includes('"msg":"ready"') || this.#child === null,
      15_000,
      () => this.#log.slice(from),
    );
    if (this.#child === null)
      throw new Disproved(`the daemon ended with ${this.exitStatus}: ${this.#log.slice(from)}`);
  }

  /** Starts the process without waiting for it; `wrapper` is a command that runs it. */
  launch(environment: NodeJS.ProcessEnv = {}, wrapper: readonly string[] = []): void {
    const run = ['run', '--config', this.configPath, '--state-dir', this.stateDir, '--socket', this.socket];
    this.#launched += 1;
    if (this.traceTo !== null) run.push('--trace', `${this.traceTo}-${this.#launched}`);
    if (this.traceMasked) run.push('--trace-masked');
    // It ends with the lab, also when the lab is killed.
    const args = ['--pdeathsig', 'KILL', ...wrapper, PROGRAM, ...run];
    const child = this.#namespace.start('setpriv', args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...this.environment, ...environment },
    });
    child.stderr!.on('data', (chunk: Buffer) => {
      this.#log += chunk.toString();
    });
    child.once('exit', (status) => {
      this.exitStatus = status;
      if (this.#child === child) this.#child = null;
    });
    this.#child = child;
  }

  /** Resolves when the process is gone. */
  async signal(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    if (signal !== 'SIGHUP') await gone;
  }

  async waitForExit(): Promise<number | null> {
    await until('the daemon to end', () => this.#child === null, 15_000);
    return this.exitStatus;
  }

  /** Runs a command of the command line in the gateway's namespace. */
  command(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
    return new Promise((resolve) => {
      execFile(
        'ip',
        ['netns', 'exec', this.#namespace.name, PROGRAM, ...args, '--socket', this.socket],
        // The table of ten thousand sessions.
        { maxBuffer: 64 << 20 },
        (error, stdout, stderr) => {
          resolve({ status: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout, stderr });
        },
      );
    });
  }

  async setPassthrough(change: Partial<Passthrough>): Promise<PassthroughChange> {
    return JSON.parse(
      await callDaemon(this.socket, 'PUT', '/api/v1/passthrough', change),
    ) as PassthroughChange;
  }

  async status(): Promise<Status> {
    return JSON.parse(await callDaemon(this.socket, 'GET', '/api/v1/status')) as Status;
  }

  async sessions(): Promise<Session[]> {
    return JSON.parse(await callDaemon(this.socket, 'GET', '/api/v1/sessions')) as Session[];
  }

  async session(id: string): Promise<SessionStory> {
    return JSON.parse(await callDaemon(this.socket, 'GET', `/api/v1/sessions/${id}`)) as SessionStory;
  }

  async events(): Promise<GatewayEvent[]> {
    return JSON.parse(await callDaemon(this.socket, 'GET', '/api/v1/events')) as GatewayEvent[];
  }

  /** Packets that the gateway has dropped so far for this reason. */
  async drops(reason: DropName): Promise<number> {
    return (await this.status()).drops.find(({ name }) => name === reason)!.packets;
  }

  async reload(): Promise<void> {
    await callDaemon(this.socket, 'POST', '/api/v1/reload');
  }
}
