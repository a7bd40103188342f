// The command line: one table of commands, and the parsing and the help that come from it.
import { parseArgs } from 'node:util';
import { nearest } from '../core/config/problem.ts';
import { checkConfigCommand } from './check-config.ts';
import { ClientError } from './client.ts';
import { complain, print, UsageError, type Command, type Given } from './command.ts';
import { downCommand } from './down.ts';
import { printRulesetCommand } from './print-ruleset.ts';
import { runCommand } from './run.ts';
import { statusCommand } from './status.ts';
import { disableCommand, enableCommand } from './switch.ts';
import { versionCommand } from './version.ts';

const COMMANDS: readonly Command[] = [
  runCommand,
  statusCommand,
  enableCommand,
  disableCommand,
  checkConfigCommand,
  printRulesetCommand,
  downCommand,
  versionCommand,
];

const EXIT_USAGE = 2;

function helpOfAll(): string {
  const title = (command: Command): string => [command.name, ...command.args].join(' ');
  const width = Math.max(...COMMANDS.map((command) => title(command).length));
  return [
    'Usage: throughway COMMAND [OPTION...]',
    '',
    'VPN passthrough gateway: lets the VPN connections of the devices behind it pass.',
    '',
    ...COMMANDS.map((command) => `  ${title(command).padEnd(width)}  ${command.summary}`),
    '',
    '"throughway COMMAND --help" shows the options of a command.',
    'Exit status: 0 done, 1 failed, 2 wrong usage, 3 no daemon, 4 no permission.',
  ].join('\n');
}

function helpOf(command: Command): string {
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

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    print(helpOfAll());
    return name === undefined ? EXIT_USAGE : 0;
  }
  const command = COMMANDS.find((one) => one.name === (name === '--version' ? 'version' : name));
  if (!command) {
    const near = nearest(
      name,
      COMMANDS.map((one) => one.name),
    );
    throw new UsageError(
      `"${name}" is not a command. ${near ? `Did you mean "${near}"? ` : ''}"throughway --help" lists them.`,
    );
  }
  const given = parse(command, rest);
  if (given.flag('help')) {
    print(helpOf(command));
    return 0;
  }
  if (given.args.length !== command.args.length) {
    const wanted = command.args.length === 0 ? 'no argument' : command.args.join(' ');
    throw new UsageError(
      `"throughway ${name}" takes ${wanted}; ${given.args.length === 0 ? 'none was' : `"${given.args.join(' ')}" was`} given. See "throughway ${name} --help".`,
    );
  }
  return command.run(given);
}

function parse(command: Command, rest: readonly string[]): Given {
  const options: Record<string, { type: 'string' | 'boolean'; short?: string }> = {
    help: { type: 'boolean', short: 'h' },
  };
  for (const option of command.options)
    options[option.name] = { type: option.value === null ? 'boolean' : 'string' };
  try {
    const { values, positionals } = parseArgs({
      args: [...rest],
      options,
      allowPositionals: true,
      strict: true,
    });
    return {
      args: positionals,
      text: (option) => {
        const value = values[option];
        return typeof value === 'string' ? value : undefined;
      },
      flag: (option) => values[option] === true,
    };
  } catch (error) {
    const [what] = (error as Error).message.split(/\. To specify|\n/);
    throw new UsageError(`${what}. See "throughway ${command.name} --help".`, { cause: error });
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) {
    complain(error.message);
    process.exitCode = EXIT_USAGE;
  } else if (error instanceof ClientError) {
    complain(error.message);
    process.exitCode = error.exitStatus;
  } else {
    throw error;
  }
}
