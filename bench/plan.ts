// The options of `npm run bench`: what is measured, and how. Knows no system but the list of
// processors that this process may use.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { daemonPartNames, type DaemonPart } from './daemon.ts';
import type { Settings } from './forwarding.ts';
import type { Scenario } from './traffic.ts';
import { MAX_SESSIONS } from './traffic.ts';
import type { Way } from './ways.ts';
import { allWays, defaultWays } from './ways.ts';

const STREAMS = ['esp', 'gre', 'udp'] as const;
const PARTS = ['forwarding', 'daemon'] as const;
type Part = (typeof PARTS)[number];

export const USAGE = `Usage: npm run bench -- [options]

Measures two things. Forwarding: how many packets a router forwards per second of processor time, by
plain routing, plain masquerade and Throughway's ruleset, in the same run; about five minutes; needs
root. Daemon: how long switches and starts take, what reloads lose, how fast maps are filled, how
much memory is held, with the real daemon in the lab's network namespaces; about three minutes.

  --part LIST       of ${PARTS.join(', ')} (default: both)
  --only LIST       forwarding of ${STREAMS.join(', ')}, each alone or with a direction (esp,udp-in);
                    of the daemon ${daemonPartNames.join(', ')}
  --sessions LIST   how many VPN sessions at once (default 1,1000,100000; at most ${MAX_SESSIONS})
  --ways LIST       of ${allWays.map((way) => way.name).join(', ')}; the first is what others are
                    compared to (default ${defaultWays.map((way) => way.name).join(',')})
  --rounds N        forwarding measurements of each (default 5)
  --seconds N       length of a forwarding measurement (default 0.6)
  --one-way         measure outbound flows that no server has answered
  --json            print JSON, and the tables on standard error
  --help            print this
`;

export class UsageError extends Error {}

export interface Plan {
  /** Empty when forwarding is not measured. */
  readonly scenarios: readonly Scenario[];
  readonly ways: readonly Way[];
  readonly settings: Settings;
  readonly daemon: readonly DaemonPart[];
  readonly json: boolean;
}

/** Returns null when only help was asked for; throws UsageError. */
export function parsePlan(parameters: string[]): Plan | null {
  const { values } = readOptions(parameters);
  if (values.help) return null;
  const ways = split(values.ways).map((name) => pick('--ways', name, allWays));
  const sessions = split(values.sessions).map((text) => parseNumber('--sessions', text, 1, MAX_SESSIONS));
  if (!sessions.every(Number.isInteger)) {
    throw new UsageError(`--sessions "${values.sessions}" has a number that is not whole`);
  }
  return {
    ...chooseParts(values.part, values.only, sessions),
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
        part: text(PARTS.join(',')),
        only: text([...STREAMS, ...daemonPartNames].join(',')),
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

function chooseParts(
  partList: string,
  onlyList: string,
  sessions: readonly number[],
): Pick<Plan, 'scenarios' | 'daemon'> {
  const parts = split(partList).map((name): Part => {
    const part = PARTS.find((one) => one === name);
    if (!part) throw new UsageError(`--part "${name}" is none of ${PARTS.join(', ')}`);
    return part;
  });
  const only = split(onlyList);
  for (const name of only) {
    if (scenariosFor(name, [1]).length === 0 && !daemonPartNames.some((one) => one === name)) {
      throw new UsageError(
        `--only "${name}" is none of ${[...STREAMS, ...daemonPartNames].join(', ')}, or one of the first three with -out or -in, such as esp-in`,
      );
    }
  }
  const chosen = {
    scenarios: parts.includes('forwarding') ? only.flatMap((name) => scenariosFor(name, sessions)) : [],
    daemon: parts.includes('daemon') ? daemonPartNames.filter((name) => only.includes(name)) : [],
  };
  if (chosen.scenarios.length + chosen.daemon.length === 0) {
    throw new UsageError(`nothing of --part "${partList}" is in --only "${onlyList}"`);
  }
  return chosen;
}

/** Empty when the name is none of forwarding. */
function scenariosFor(only: string, counts: readonly number[]): Scenario[] {
  return STREAMS.flatMap((protocol) => (['out', 'in'] as const).map((direction) => ({ protocol, direction })))
    .filter(({ protocol, direction }) => only === protocol || only === `${protocol}-${direction}`)
    .flatMap((stream) => counts.map((sessions) => ({ ...stream, sessions })));
}

function split(list: string): string[] {
  return list.split(',').map((part) => part.trim());
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
  const allowed = allowedProcessors()
    .split(',')
    .flatMap((range) => {
      const [from, to] = range.split('-').map(Number);
      return Array.from({ length: (to ?? from!) - from! + 1 }, (_, index) => from! + index);
    });
  return { sender: allowed[0]!, router: allowed[1] ?? allowed[0]! };
}

/** As taskset(1) reads them, such as `0-3,8`. */
export function allowedProcessors(): string {
  return /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
}
