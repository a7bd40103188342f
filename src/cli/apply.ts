// `throughway apply`, `confirm` and `revert`: a whole configuration into force, on probation where that is
// asked for.
import type { Applied } from '../daemon/api/config.ts';
import { callDaemon, readAnswer } from './client.ts';
import { DEFAULTS, jsonOption, print, socketOption, UsageError, type Command } from './command.ts';
import { renderApplied } from './config.ts';
import { readText } from './read-text.ts';

export const applyCommand: Command = {
  name: 'apply',
  args: ['FILE'],
  summary: 'bring a configuration file into force; "-" reads what is piped in',
  options: [
    {
      name: 'confirm-within',
      value: 'TIME',
      help: 'such as 90s: the former one comes back unless "throughway confirm" follows in time',
    },
    jsonOption,
    socketOption,
  ],
  async run(given) {
    const within = given.text('confirm-within');
    const text = await callDaemon(given.text('socket') ?? DEFAULTS.socket, 'POST', '/api/v1/config/apply', {
      text: readText(given.args[0]!),
      confirm_within_seconds: within === undefined ? null : parseSeconds(within),
    });
    print(given.flag('json') ? text : renderApplied(readAnswer(text) as Applied));
    return 0;
  },
};

/** Throws UsageError. */
function parseSeconds(typed: string): number {
  const match = /^(\d{1,5})(s|m)?$/.exec(typed);
  const seconds = match ? Number(match[1]) * (match[2] === 'm' ? 60 : 1) : 0;
  if (seconds >= 10 && seconds <= 3600) return seconds;
  throw new UsageError(
    `"${typed}" is no time to confirm within; allowed are 10s to 60m. Type for example: --confirm-within 90s.`,
  );
}

export const confirmCommand: Command = {
  name: 'confirm',
  args: [],
  summary: 'keep the change of the configuration that is on probation',
  options: [socketOption],
  async run(given) {
    await callDaemon(given.text('socket') ?? DEFAULTS.socket, 'POST', '/api/v1/config/confirm');
    print('The change stays.');
    return 0;
  },
};

export const revertCommand: Command = {
  name: 'revert',
  args: [],
  summary: 'take the change of the configuration that is on probation back now',
  options: [socketOption],
  async run(given) {
    await callDaemon(given.text('socket') ?? DEFAULTS.socket, 'POST', '/api/v1/config/revert');
    print('The former configuration is in force again.');
    return 0;
  },
};
