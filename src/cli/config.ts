// `throughway config …`: the configuration in force, a setting of it, what a file would change, its history.
import { renderProblem } from '../core/config/problem.ts';
import type { Applied, ConfigPlan, Version } from '../daemon/api/config.ts';
import { callDaemon, ClientError, readAnswer } from './client.ts';
import { DEFAULTS, jsonOption, print, socketOption, UsageError, type Command } from './command.ts';
import { readText } from './read-text.ts';
import { renderTime } from './words.ts';

const ACTIONS = 'get|set|diff|history|restore';

export const configCommand: Command = {
  name: 'config',
  args: ['ACTION', '[NAME]', '[TO]'],
  summary: 'the configuration: get, set, diff, history, restore',
  options: [jsonOption, socketOption],
  async run(given) {
    const [action = '', what, value] = given.args;
    const socket = given.text('socket') ?? DEFAULTS.socket;
    const isJson = given.flag('json');
    switch (action) {
      case 'get':
        print(await getSetting(socket, what, isJson));
        return 0;
      case 'set': {
        if (what === undefined || value === undefined)
          throw new UsageError(
            'Which setting, and what? Type for example: throughway config set web.idle_minutes 30.',
          );
        const text = await callDaemon(socket, 'PUT', '/api/v1/config', nested(what, readValue(value)));
        print(isJson ? text : renderApplied(readAnswer(text) as Applied));
        return 0;
      }
      case 'diff': {
        if (what === undefined)
          throw new UsageError(
            'Against which file, or which version? Type for example: throughway config diff new.yaml.',
          );
        if (/^\d+$/.test(what)) {
          const diff = await callDaemon(socket, 'GET', `/api/v1/config/history/${what}/diff`);
          print(isJson ? JSON.stringify({ diff }) : diff);
          return 0;
        }
        const answer = await callDaemon(socket, 'POST', '/api/v1/config/plan', { text: readText(what) });
        const plan = readAnswer(answer) as ConfigPlan;
        print(isJson ? answer : renderPlan(plan));
        return plan.problems.length > 0 ? 1 : 0;
      }
      case 'history': {
        const text = await callDaemon(socket, 'GET', '/api/v1/config/history');
        print(isJson ? text : renderHistory(readAnswer(text) as Version[]));
        return 0;
      }
      case 'restore': {
        if (what === undefined || !/^\d+$/.test(what))
          throw new UsageError(
            'Which version? "throughway config history" lists them. Type for example: throughway config restore 3.',
          );
        const text = await callDaemon(socket, 'POST', `/api/v1/config/history/${what}/restore`);
        print(isJson ? text : renderApplied(readAnswer(text) as Applied));
        return 0;
      }
      default:
        throw new UsageError(
          `"${action}" is not known here; allowed: ${ACTIONS.replaceAll('|', ', ')}. Type for example: throughway config get web.`,
        );
    }
  },
};

/** The whole file as it is, or one setting; a text without its quotes, except for programs. */
async function getSetting(socket: string, what: string | undefined, isJson: boolean): Promise<string> {
  if (what === undefined) return callDaemon(socket, 'GET', isJson ? '/api/v1/config' : '/api/v1/config/text');
  let found = readAnswer(await callDaemon(socket, 'GET', '/api/v1/config'));
  for (const name of what.split('.')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name))
      throw new ClientError(
        `"${what}" is not a setting${typeof found === 'object' && found !== null ? `; there are ${Object.keys(found).join(', ')}` : ''}.`,
        1,
      );
    found = (found as Record<string, unknown>)[name];
  }
  return typeof found === 'string' && !isJson ? found : JSON.stringify(found, null, 2);
}

function nested(path: string, value: unknown): unknown {
  return path.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value);
}

/** As YAML would read it: `30`, `true`, `[a, b]`; anything else is a text. */
function readValue(typed: string): unknown {
  const list = /^\[(.*)\]$/.exec(typed);
  if (list)
    return list[1]!
      .split(',')
      .map((one) => one.trim().replaceAll(/^["']|["']$/g, ''))
      .filter(Boolean);
  if (/^-?\d+$/.test(typed)) return Number(typed);
  return typed === 'true' ? true : typed === 'false' ? false : typed;
}

export function renderApplied({ pending, changed, ended, warnings }: Applied): string {
  const connections = Object.entries(ended).map(
    ([protocol, count]) => `${count} running ${protocol} connection${count === 1 ? '' : 's'} ended.`,
  );
  const lines = [
    changed.length === 0 ? 'No setting is different.' : `In force: ${changed.join(', ')}.`,
    ...connections,
    ...warnings.map((warning) => `! ${warning}`),
  ];
  if (pending)
    lines.push(
      `On probation until ${renderTime(pending.reverts_at)}: then the former configuration comes back, unless you type "throughway confirm".`,
    );
  return lines.join('\n');
}

function renderPlan({ problems, diff, ends, warnings, needs_confirmation }: ConfigPlan): string {
  if (problems.length > 0)
    return problems.map((one) => renderProblem(one as Parameters<typeof renderProblem>[0])).join('\n');
  if (diff === '') return 'The same as in force.';
  const lines = [diff.trimEnd()];
  for (const { protocol, device, server } of ends.sessions)
    lines.push(`! ends: ${protocol} of ${device} with ${server}`);
  for (const warning of warnings) lines.push(`! ${warning}`);
  if (needs_confirmation)
    lines.push('! This can cut you off: apply it with --confirm-within 90s, and it comes back by itself.');
  return lines.join('\n');
}

function renderHistory(versions: readonly Version[]): string {
  return versions
    .map(
      ({ id, at, who, what }) => `${String(id).padStart(5)}  ${renderTime(at)}  ${who.padEnd(16)}  ${what}`,
    )
    .join('\n');
}
