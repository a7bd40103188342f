// `throughway token …`: keys for programs that use the API.
import type { MadeToken, Token } from '../daemon/api/account.ts';
import { callDaemon, readAnswer } from './client.ts';
import { DEFAULTS, jsonOption, print, socketOption, UsageError, type Command } from './command.ts';
import { renderTime } from './words.ts';

const ACTIONS = 'list|create|revoke';

export const tokenCommand: Command = {
  name: 'token',
  args: ['ACTION', '[NAME]'],
  summary: 'keys for programs that use the API: list, create, revoke',
  options: [
    { name: 'full', value: null, help: 'with create: it may change everything, and not only read' },
    jsonOption,
    socketOption,
  ],
  async run(given) {
    const [action = '', name] = given.args;
    if (!ACTIONS.split('|').includes(action))
      throw new UsageError(
        `"${action}" is not known here; allowed: ${ACTIONS.replaceAll('|', ', ')}. Type for example: throughway token create grafana.`,
      );
    if (action !== 'list' && name === undefined)
      throw new UsageError(`Which token? Type for example: throughway token ${action} grafana.`);
    const socket = given.text('socket') ?? DEFAULTS.socket;
    if (action === 'list') {
      const text = await callDaemon(socket, 'GET', '/api/v1/tokens');
      print(given.flag('json') ? text : renderTokens(readAnswer(text) as Token[]));
    } else if (action === 'create') {
      const scope = given.flag('full') ? 'full' : 'read';
      const text = await callDaemon(socket, 'POST', '/api/v1/tokens', { name, scope });
      // Alone on its line, so that a script can take it as it is.
      print(given.flag('json') ? text : (readAnswer(text) as MadeToken).token);
    } else {
      await callDaemon(socket, 'DELETE', `/api/v1/tokens/${encodeURIComponent(name!)}`);
      print(`The token "${name}" is revoked.`);
    }
    return 0;
  },
};

function renderTokens(tokens: readonly Token[]): string {
  if (tokens.length === 0) return 'There are no tokens: throughway token create NAME.';
  const lines = tokens.map(
    ({ id, name, scope, last_used_at: at }) =>
      `${id}  ${scope.padEnd(4)}  ${at === null ? 'never used'.padEnd(19) : renderTime(at)}  ${name}`,
  );
  return lines.join('\n');
}
