// The command behind `npm run bench`: reads the options, moves into namespaces of its own, measures
// and prints. Everything it makes lives in a mount and a network namespace (unshare) with a /run of
// their own, tied to this process: whatever ends it, even kill -9, nothing remains. The kernel's
// settings outside are read and left alone; nf_conntrack_max and the hash table's size in particular
// belong to the initial network namespace and are shared by all.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, constants, cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { LinuxError } from '../src/linux/libc.ts';
import { MeasurementError, measureScenario } from './forwarding.ts';
import type { Result, Settings } from './forwarding.ts';
import type { Machine } from './report.ts';
import { renderJson, renderTable } from './report.ts';
import { run } from './topology.ts';
import type { Scenario } from './traffic.ts';
import { MAX_SESSIONS, scenarioName } from './traffic.ts';
import { allWays, defaultWays } from './ways.ts';
import type { Way } from './ways.ts';

const EXIT = { done: 0, failed: 1, usage: 2, noPermission: 4 } as const;
/** Set in the process that already has namespaces of its own. */
const INSIDE = 'THROUGHWAY_BENCH_INSIDE';

const USAGE = `Usage: npm run bench -- [options]

Measures how many packets a router forwards per second of processor time: by plain routing, plain
masquerade and Throughway's ruleset, in the same run. Takes about five minutes. Needs root.

  --only LIST       of esp, gre and udp, each alone or with a direction: esp,udp-in
  --sessions LIST   how many VPN sessions at once (default 1,1000,100000; at most ${MAX_SESSIONS})
  --ways LIST       of ${allWays.map((way) => way.name).join(', ')}; the first is what others are
                    compared to (default ${defaultWays.map((way) => way.name).join(',')})
  --rounds N        measurements of each (default 5)
  --seconds N       length of a measurement (default 0.6)
  --one-way         measure outbound flows that no server has answered
  --json            print JSON
  --help            print this
`;

class UsageError extends Error {}

interface Plan {
  readonly scenarios: readonly Scenario[];
  readonly ways: readonly Way[];
  readonly settings: Settings;
  readonly json: boolean;
}

/** Returns null when only help was asked for; throws UsageError. */
function parsePlan(parameters: string[]): Plan | null {
  const { values } = readOptions(parameters);
  if (values.help) return null;
  const ways = split(values.ways).map((name) => pick('--ways', name, allWays));
  const sessions = split(values.sessions).map((text) => parseNumber('--sessions', text, 1, MAX_SESSIONS));
  if (!sessions.every(Number.isInteger)) {
    throw new UsageError(`--sessions "${values.sessions}" has a number that is not whole`);
  }
  const scenarios = split(values.only).flatMap((only) => scenariosFor(only, sessions));
  return {
    scenarios,
    ways,
    settings: {
      rounds: Math.floor(parseNumber('--rounds', values.rounds, 1, 1000)),
      seconds: parseNumber('--seconds', values.seconds, 0.1, 10),
      oneWay: values['one-way'],
      // The first two: whoever has more processors can choose with taskset(1).
      processors: pickProcessors(),
    },
    json: values.json,
  };
}

function readOptions(parameters: string[]) {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const flag = { type: 'boolean', default: false } as const;
  try {
    return parseArgs({
      args: parameters,
      options: {
        only: text('esp,gre,udp'),
        sessions: text('1,1000,100000'),
        ways: text(defaultWays.map((way) => way.name).join(',')),
        rounds: text('5'),
        seconds: text('0.6'),
        'one-way': flag,
        json: flag,
        help: flag,
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function split(list: string): string[] {
  return list.split(',').map((part) => part.trim());
}

function scenariosFor(only: string, counts: readonly number[]): Scenario[] {
  const matching = (['esp', 'gre', 'udp'] as const)
    .flatMap((protocol) => (['out', 'in'] as const).map((direction) => ({ protocol, direction })))
    .filter(({ protocol, direction }) => only === protocol || only === `${protocol}-${direction}`)
    .flatMap((stream) => counts.map((sessions) => ({ ...stream, sessions })));
  if (matching.length === 0) {
    throw new UsageError(
      `--only "${only}" is none of esp, gre, udp, or one of them with -out or -in, such as esp-in`,
    );
  }
  return matching;
}

function pick(option: string, name: string, from: readonly Way[]): Way {
  const found = from.find((way) => way.name === name);
  if (!found)
    throw new UsageError(`${option} "${name}" is none of ${from.map((way) => way.name).join(', ')}`);
  return found;
}

function parseNumber(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text === '' || !(value >= least && value <= most)) {
    throw new UsageError(`${option} "${text}" is not a number from ${least} to ${most}`);
  }
  return value;
}

function pickProcessors(): Settings['processors'] {
  const allowed = (/^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0')
    .split(',')
    .flatMap((range) => {
      const [from, to] = range.split('-').map(Number);
      return Array.from({ length: (to ?? from!) - from! + 1 }, (_, index) => from! + index);
    });
  return { sender: allowed[0]!, router: allowed[1] ?? allowed[0]! };
}

/** What stands in the way of measuring, in plain words, or null. */
function obstacle({ scenarios }: Plan): { text: string; exit: number } | null {
  const mapping = readFileSync('/proc/self/uid_map', 'latin1').trim().split(/\s+/);
  if (process.getuid?.() !== 0 || mapping[2] !== '4294967295') {
    const text =
      'the benchmark needs root, and not in a user namespace: it loads XDP programs and sets real-time priorities. Run it with sudo.';
    return { text, exit: EXIT.noPermission };
  }
  if (availableParallelism() < 2) {
    return {
      text: 'the benchmark needs two processors: one makes packets, the other one forwards them.',
      exit: EXIT.failed,
    };
  }
  const most = conntrackLimits().max;
  const sessions = Math.max(...scenarios.map((scenario) => scenario.sessions));
  if (most !== null && most < sessions * 1.1) {
    const text = `net.netfilter.nf_conntrack_max is ${most}, too small for ${sessions} sessions. Raise it (sysctl) or ask for fewer (--sessions).`;
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
    conntrackMax: max,
    conntrackBuckets: buckets,
  };
}

async function measureAll({ scenarios, ways, settings, json }: Plan): Promise<void> {
  run('mount', ['-t', 'tmpfs', 'tmpfs', '/run']);
  const machine = describeMachine();
  // Only this thread: it makes the packets.
  run('taskset', ['--cpu-list', '--pid', String(settings.processors.sender), String(process.pid)]);
  const results: Result[] = [];
  const begun = performance.now();
  for (const [index, scenario] of scenarios.entries()) {
    process.stderr.write(`${index + 1}/${scenarios.length} ${scenarioName(scenario)}\n`);
    results.push(...(await measureScenario(scenario, ways, settings)));
  }
  const seconds = Math.round((performance.now() - begun) / 1000);
  process.stdout.write((json ? renderJson : renderTable)(machine, settings, results, seconds));
}

/** The same command again, with namespaces of its own, which dies with this process. */
function moveInside(parameters: string[]): void {
  const options = '--pdeathsig KILL unshare --net --mount --kill-child'.split(' ');
  const child = spawn('setpriv', [...options, process.execPath, import.meta.filename, ...parameters], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1' },
  });
  child.on('error', (error) => fail(`unshare cannot be run: ${error.message}`, EXIT.failed));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => child.kill('SIGKILL'));
  }
}

function fail(message: string, exit: number): void {
  process.stderr.write(`bench: ${message}\n`);
  process.exitCode = exit;
}

const parameters = process.argv.slice(2);
try {
  const plan = parsePlan(parameters);
  const refused = plan && obstacle(plan);
  if (plan === null) process.stdout.write(USAGE);
  else if (refused) fail(refused.text, refused.exit);
  else if (process.env[INSIDE] === '1') await measureAll(plan);
  else moveInside(parameters);
} catch (error) {
  if (error instanceof UsageError) fail(`${error.message}\n\n${USAGE}`, EXIT.usage);
  else if (error instanceof MeasurementError || error instanceof LinuxError) fail(error.message, EXIT.failed);
  else throw error;
}
