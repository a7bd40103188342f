// The command behind `npm run bench`: reads the options, moves into namespaces of its own, measures
// and prints. Everything it makes lives in the lab's mount and network namespaces (lab/enter.ts) with
// a /run of their own, tied to this process: when it ends, nothing remains. The kernel's settings
// outside are read and left alone; nf_conntrack_max and the hash table's size in particular belong to
// the initial network namespace and are shared by all.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, constants, cpus, loadavg, release } from 'node:os';
import { namespacesForbidden, unshareCommand } from '../lab/enter.ts';
import { Disproved } from '../lab/wait.ts';
import { LinuxError } from '../src/linux/libc.ts';
import { daemonParts, type DaemonPart } from './daemon.ts';
import type { Figures } from './figures.ts';
import { MeasurementError, measureScenario } from './forwarding.ts';
import type { Result } from './forwarding.ts';
import { allowedProcessors, parsePlan, USAGE, UsageError, type Plan } from './plan.ts';
import { renderJson, renderText, type Machine, type Report } from './report.ts';
import { run } from './topology.ts';
import { scenarioName } from './traffic.ts';

const EXIT = { done: 0, failed: 1, usage: 2, noPermission: 4 } as const;
/** Set in the process that already has namespaces of its own. */
const INSIDE = 'THROUGHWAY_BENCH_INSIDE';
/** Of an error: a failed command may carry 100,000 elements. */
const MOST_CHARACTERS = 4000;

interface Obstacle {
  readonly text: string;
  readonly exit: number;
}

/** What stands in the way of measuring forwarding, in plain words, or null. */
function forwardingObstacle({ scenarios }: Plan): Obstacle | null {
  const mapping = readFileSync('/proc/self/uid_map', 'latin1').trim().split(/\s+/);
  if (process.getuid?.() !== 0 || mapping[2] !== '4294967295') {
    const text =
      'forwarding needs root, and not in a user namespace: it loads XDP programs and sets real-time priorities. Run it with sudo.';
    return { text, exit: EXIT.noPermission };
  }
  if (availableParallelism() < 2) {
    return {
      text: 'forwarding needs two processors: one makes packets, the other one forwards them.',
      exit: EXIT.failed,
    };
  }
  const most = conntrackLimits().max;
  const sessions = Math.max(...scenarios.map((scenario) => scenario.sessions));
  if (most !== null && most < sessions * 1.1) {
    const text = `net.netfilter.nf_conntrack_max is ${most}, too small for forwarding of ${sessions} sessions. Raise it (sysctl) or ask for fewer (--sessions).`;
    return { text, exit: EXIT.failed };
  }
  return null;
}

function conntrackLimits(): { max: number | null; buckets: number | null } {
  const read = (name: string): number | null => {
    const path = `/proc/sys/net/netfilter/nf_conntrack_${name}`;
    return existsSync(path) ? Number(readFileSync(path, 'latin1')) : null;
  };
  return { max: read('max'), buckets: read('buckets') };
}

function describeMachine(): Machine {
  const { max, buckets } = conntrackLimits();
  return {
    kernel: release(),
    cpu: cpus()[0]?.model ?? 'unknown',
    processors: cpus().length,
    nft: run('nft', ['--version']).trim(),
    node: process.version,
    load: loadavg()[0]!,
    conntrackMax: max,
    conntrackBuckets: buckets,
  };
}

async function measureAll(plan: Plan, leftOut: readonly string[]): Promise<void> {
  const machine = describeMachine();
  const begun = performance.now();
  const daemon = await measureDaemon(plan.daemon);
  const repeated: string[] = [];
  const results = await measureForwarding(plan, repeated);
  const report: Report = {
    machine,
    forwarding: results.length > 0 ? { settings: plan.settings, results } : null,
    daemon,
    remarks: [...leftOut, ...repeated],
    seconds: Math.round((performance.now() - begun) / 1000),
  };
  if (plan.json) process.stderr.write(`\n${renderText(report)}`);
  process.stdout.write(plan.json ? renderJson(report) : renderText(report));
}

async function measureDaemon(names: readonly DaemonPart[]): Promise<Figures[]> {
  const measured: Figures[] = [];
  for (const [index, name] of names.entries()) {
    process.stderr.write(`daemon ${index + 1}/${names.length} ${name}`);
    const begun = performance.now();
    measured.push(await daemonParts[name]());
    process.stderr.write(`, ${((performance.now() - begun) / 1000).toFixed(1)} s\n`);
  }
  return measured;
}

/** A busy machine loses packets on the way to the router or from it: once more, and that is told. */
async function measureTwice<T>(measure: () => Promise<T>, repeated: string[]): Promise<T> {
  try {
    return await measure();
  } catch (error) {
    if (!(error instanceof MeasurementError)) throw error;
    const [what] = error.message.split('\n');
    process.stderr.write(`once more: ${what}\n`);
    repeated.push(`Measured a second time after a failure: ${what}.`);
    return measure();
  }
}

async function measureForwarding({ scenarios, ways, settings }: Plan, repeated: string[]): Promise<Result[]> {
  const results: Result[] = [];
  const allowed = allowedProcessors();
  const pin = (list: string): unknown => run('taskset', ['--cpu-list', '--pid', list, String(process.pid)]);
  // Only this thread: it makes the packets.
  if (scenarios.length > 0) pin(String(settings.processors.sender));
  for (const [index, scenario] of scenarios.entries()) {
    process.stderr.write(`forwarding ${index + 1}/${scenarios.length} ${scenarioName(scenario)}\n`);
    results.push(...(await measureTwice(() => measureScenario(scenario, ways, settings), repeated)));
  }
  if (scenarios.length > 0) pin(allowed);
  return results;
}

/** The same command again, with namespaces of its own, which dies with this process. */
function moveInside(parameters: string[]): void {
  const forbidden = namespacesForbidden();
  if (forbidden !== null) {
    fail(forbidden, EXIT.noPermission);
    return;
  }
  const command = unshareCommand([process.execPath, import.meta.filename, ...parameters]);
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...command], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1' },
  });
  child.on('error', (error) => fail(`setpriv cannot be run: ${error.message}`, EXIT.failed));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => child.kill('SIGKILL'));
  }
}

function fail(message: string, exit: number): void {
  const shown = message.length > MOST_CHARACTERS ? `${message.slice(0, MOST_CHARACTERS)} …` : message;
  process.stderr.write(`bench: ${shown}\n`);
  process.exitCode = exit;
}

async function main(parameters: string[]): Promise<void> {
  const plan = parsePlan(parameters);
  if (plan === null) {
    process.stdout.write(USAGE);
    return;
  }
  const refused = plan.scenarios.length > 0 ? forwardingObstacle(plan) : null;
  if (refused && plan.daemon.length === 0) fail(refused.text, refused.exit);
  else if (process.env[INSIDE] !== '1') moveInside(parameters);
  else if (refused) await measureAll({ ...plan, scenarios: [] }, [`Left out: ${refused.text}`]);
  else await measureAll(plan, []);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) fail(`${error.message}\n\n${USAGE}`, EXIT.usage);
  else if (error instanceof MeasurementError || error instanceof LinuxError || error instanceof Disproved)
    fail(error.message, EXIT.failed);
  else throw error;
}
