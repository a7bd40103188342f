// The help of all commands and of each, from what the commands say of themselves.
import type { Command } from './command.ts';

export const SUMMARY = 'VPN passthrough gateway: lets the VPN connections of the devices behind it pass.';

export const EXIT_STATUSES: readonly (readonly [number, string])[] = [
  [0, 'done'],
  [1, 'failed'],
  [2, 'wrong usage'],
  [3, 'no daemon'],
  [4, 'no permission'],
];

export function helpOfAll(commands: readonly Command[]): string {
  const title = (command: Command): string => [command.name, ...command.args].join(' ');
  const width = Math.max(...commands.map((command) => title(command).length));
  return [
    'Usage: throughway COMMAND [OPTION...]',
    '',
    SUMMARY,
    '',
    ...commands.map((command) => `  ${title(command).padEnd(width)}  ${command.summary}`),
    '',
    '"throughway COMMAND --help" shows the options of a command.',
    `Exit status: ${EXIT_STATUSES.map(([status, meaning]) => `${status} ${meaning}`).join(', ')}.`,
  ].join('\n');
}

export function helpOf(command: Command): string {
  const options = [...command.options, { name: 'help', value: null, help: 'print this help' }].map(
    (option) => ({
      text: `--${option.name}${option.value === null ? '' : ` ${option.value}`}`,
      help: option.help,
    }),
  );
  const width = Math.max(...options.map((option) => option.text.length));
  return [
    `Usage: throughway ${[command.name, ...command.args].join(' ')} [OPTION...]`,
    '',
    `${command.summary[0]!.toUpperCase()}${command.summary.slice(1)}.`,
    '',
    ...options.map((option) => `  ${option.text.padEnd(width)}  ${option.help}`),
  ].join('\n');
}
