// The help of all commands and of each, from what the commands say of themselves.
import assert from 'node:assert/strict';
import type { Command } from './command.ts';
import { wrap } from './table.ts';

export const SUMMARY = 'VPN passthrough gateway: lets the VPN connections of the devices behind it pass.';

export const EXIT_STATUSES: readonly (readonly [number, string])[] = [
  [0, 'done'],
  [1, 'failed'],
  [2, 'wrong usage'],
  [3, 'no daemon'],
  [4, 'no permission'],
];

/** The overview: what belongs together stands in one line, so that all of it fits a screen of 80 by 24. */
const GROUPS: readonly (readonly [commands: readonly string[], what: string])[] = [
  [['setup'], 'set this machine up as a gateway'],
  [['run', 'down'], 'run the gateway in the foreground; take its rules away'],
  [['status', 'events', 'logs'], "what is in force; what happened; the daemon's log"],
  [['sessions', 'session', 'end'], 'the VPN connections; all about one; end one'],
  [['devices', 'name-device'], 'the devices behind the gateway; give one a name'],
  [['enable', 'disable'], 'let a VPN protocol pass, or refuse it'],
  [['doctor', 'probe'], 'what keeps VPNs from connecting; what a server answers'],
  [['selftest', 'reflector'], 'try the gateway itself; the way between two machines'],
  [['config', 'check-config'], 'see and change the configuration; check a file'],
  [['apply', 'confirm', 'revert'], 'a configuration on probation; keep it; take it back'],
  [['backup', 'restore'], 'everything in one file, and back'],
  [['user', 'token'], 'accounts of the page; keys for programs'],
  [['print-ruleset'], 'the nftables rules in force, or of a configuration'],
  [['explain'], 'what passthrough is and who needs what'],
  [['completion', 'version'], 'completion for bash, zsh and fish; the version'],
];
const SCREEN = 80;

export function helpOfAll(commands: readonly Command[]): string {
  const grouped = GROUPS.flatMap(([names]) => names);
  const missing = commands.filter(({ name }) => !grouped.includes(name)).map(({ name }) => name);
  assert(missing.length === 0, `"${missing.join()}" stands in no line of the help`);
  const width = Math.max(...GROUPS.map(([names]) => names.join(', ').length));
  return [
    'Usage: throughway COMMAND [OPTION...]',
    '',
    SUMMARY,
    '',
    ...GROUPS.map(([names, what]) => `  ${names.join(', ').padEnd(width)}  ${what}`),
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
  const beside = ' '.repeat(width + 4);
  return [
    `Usage: throughway ${[command.name, ...command.args].join(' ')} [OPTION...]`,
    '',
    ...wrap(`${command.summary[0]!.toUpperCase()}${command.summary.slice(1)}.`, SCREEN),
    '',
    ...options.flatMap((option) => {
      const [first = '', ...rest] = wrap(option.help, SCREEN - beside.length);
      return [`  ${option.text.padEnd(width)}  ${first}`, ...rest.map((line) => `${beside}${line}`)];
    }),
  ].join('\n');
}
