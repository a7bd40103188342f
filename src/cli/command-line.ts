// From what was typed to an exit status: finds the command, reads its arguments and options, runs it,
// and turns what it throws into a sentence on stderr.
import { parseArgs } from 'node:util';
import { nearest } from '../core/config/problem.ts';
import { ClientError } from './client.ts';
import { complain, print, UsageError, type Command, type Given, type Option } from './command.ts';
import { COMMANDS } from './commands.ts';
import { helpOf, helpOfAll } from './help.ts';

const EXIT_USAGE = 2;

/** `typed` is what follows the program's name. */
export async function runCommandLine(typed: readonly string[]): Promise<number> {
  try {
    return await runTyped(typed);
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof ClientError)) throw error;
    complain(error.message);
    return error instanceof UsageError ? EXIT_USAGE : error.exitStatus;
  }
}

async function runTyped([name, ...rest]: readonly string[]): Promise<number> {
  if (name === undefined) {
    print(helpOfAll(COMMANDS));
    return EXIT_USAGE;
  }
  if (name === 'help' || name === '--help' || name === '-h') {
    const [about] = rest;
    print(about === undefined ? helpOfAll(COMMANDS) : helpOf(findCommand(about)));
    return 0;
  }
  const { command, given } = parseTyped(name, rest);
  if (given.flag('help')) {
    print(helpOf(command));
    return 0;
  }
  return command.run(given);
}

/** The command that is typed, with its arguments and options; throws UsageError. */
export function parseTyped(name: string, rest: readonly string[]): { command: Command; given: Given } {
  const command = findCommand(name === '--version' ? 'version' : name);
  const given = parse(command, rest);
  const least = command.args.filter((one) => !one.startsWith('[')).length;
  const isFitting = given.args.length >= least && given.args.length <= command.args.length;
  if (!isFitting && !given.flag('help')) {
    const wanted = command.args.length === 0 ? 'no argument' : command.args.join(' ');
    throw new UsageError(
      `"throughway ${command.name}" takes ${wanted}; ${given.args.length === 0 ? 'none was' : `"${given.args.join(' ')}" was`} given. See "throughway ${command.name} --help".`,
    );
  }
  return { command, given };
}

function findCommand(name: string): Command {
  const command = COMMANDS.find((one) => one.name === name);
  if (command) return command;
  const near = nearest(
    name,
    COMMANDS.map((one) => one.name),
  );
  throw new UsageError(
    `"${name}" is not a command. ${near ? `Did you mean "${near}"? ` : ''}"throughway --help" lists them.`,
  );
}

function parse(command: Command, rest: readonly string[]): Given {
  const allowed: readonly Option[] = [...command.options, { name: 'help', value: null, help: '' }];
  const refuse = (message: string): never => {
    throw new UsageError(`${message} See "throughway ${command.name} --help".`);
  };
  // Not strict, since the messages of parseArgs are for programmers.
  const { positionals, tokens } = parseArgs({
    args: [...rest],
    options: Object.fromEntries(
      allowed.map(({ name, value }) => [
        name,
        { type: value === null ? 'boolean' : 'string', ...(name === 'help' ? { short: 'h' } : {}) } as const,
      ]),
    ),
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const given = new Map<string, string>();
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const option = allowed.find((one) => one.name === token.name);
    if (!option) {
      const near = nearest(
        token.name,
        allowed.map((one) => one.name),
      );
      refuse(
        `"${token.rawName}" is not an option of "throughway ${command.name}".${near ? ` Did you mean "--${near}"?` : ''}`,
      );
    } else if (option.value === null) {
      if (token.value !== undefined) refuse(`"--${option.name}" takes no value; "${token.value}" was given.`);
      given.set(option.name, '');
    } else {
      if (!token.value || (!token.inlineValue && token.value.startsWith('-')))
        refuse(`"--${option.name}" needs a value: --${option.name} ${option.value}.`);
      given.set(option.name, token.value!);
    }
  }
  return { args: positionals, text: (option) => given.get(option), flag: (option) => given.has(option) };
}
