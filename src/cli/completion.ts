// `throughway completion SHELL`: what the shells need to complete the command line, from the one table of
// commands. Static texts: completing asks no daemon.
import { print, UsageError, type Command, type Option } from './command.ts';

const SHELLS = { bash: renderBash, zsh: renderZsh, fish: renderFish } as const;

/** Beside the table and not from it, which would be a circle: see commands.ts. */
export function completionCommand(commands: () => readonly Command[]): Command {
  return {
    name: 'completion',
    args: ['SHELL'],
    summary: 'print the completion for bash, zsh or fish',
    options: [],
    async run(given) {
      const [shell = ''] = given.args;
      if (!Object.hasOwn(SHELLS, shell))
        throw new UsageError(
          `"${shell}" is not a shell that is known; allowed: ${Object.keys(SHELLS).join(', ')}. Type for example: throughway completion bash.`,
        );
      // Not with the table, which every command loads.
      const { settingNames } = await import('../core/config/document.ts');
      const { TOPICS } = await import('../core/advice/topics.ts');
      const named = { topics: TOPICS.map((one) => one.name), settings: settingNames() };
      print(renderCompletion(shell as Shell, commands(), named));
      return 0;
    },
  };
}

type Shell = keyof typeof SHELLS;

/** What has names of its own beyond the table. */
export interface Named {
  readonly topics: readonly string[];
  readonly settings: readonly string[];
}

export function renderCompletion(shell: Shell, commands: readonly Command[], named: Named): string {
  return SHELLS[shell](commands, named);
}

const HELP: Option = { name: 'help', value: null, help: 'print this help' };
const optionsOf = (command: Command): readonly Option[] => [...command.options, HELP];

/** What may stand for an argument or an option's value, from its name in the help. */
function valuesOf(placeholder: string): readonly string[] | 'file' | null {
  switch (placeholder) {
    case 'PROTOCOL':
      return ['ipsec', 'pptp', 'l2tp'];
    case 'SHELL':
      return Object.keys(SHELLS);
    case 'FILE':
    case 'PATH':
    case 'DIR':
      return 'file';
    default:
      return null;
  }
}

function choicesOf(command: Command, placeholder: string, named: Named): readonly string[] | 'file' | null {
  if (placeholder === '[TOPIC]') return named.topics;
  if (command.name === 'config' && placeholder === '[NAME]') return named.settings;
  // The words of an ACTION stand in the summary, behind its colon.
  if (placeholder === 'ACTION') return command.summary.split(': ')[1]?.split(', ') ?? null;
  return valuesOf(placeholder);
}

function renderBash(commands: readonly Command[], named: Named): string {
  const byCommand = commands.map((command) => {
    const words = optionsOf(command).map((one) => `--${one.name}`);
    const cases = command.args.flatMap((placeholder, index) => {
      const choices = choicesOf(command, placeholder, named);
      if (choices === null) return [];
      return [`        ${index}) ${choices === 'file' ? 'files=1' : `words="${choices.join(' ')}"`} ;;`];
    });
    const places = cases.length === 0 ? [] : ['      case $place in', ...cases, '      esac'];
    return [`    ${command.name})`, `      options="${words.join(' ')}"`, ...places, '      ;;'].join('\n');
  });
  const files = optionNames(commands, (value) => valuesOf(value) === 'file');
  const others = optionNames(commands, (value) => valuesOf(value) !== 'file');
  return `# bash completion for throughway; made by "throughway completion bash"
_throughway() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} words="" options="" files="" place=0 i
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W "${commands.map((one) => one.name).join(' ')} help" -- "$cur")
    return
  fi
  case $prev in
    ${files.join(' | ') || "''"}) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    ${others.join(' | ') || "''"}) return ;;
  esac
  for ((i = 2; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      ${[...files, ...others].join(' | ') || "''"}) i=$((i + 1)) ;;
      -*) ;;
      *) place=$((place + 1)) ;;
    esac
  done
  case \${COMP_WORDS[1]} in
${byCommand.join('\n')}
    help)
      words="${commands.map((one) => one.name).join(' ')}"
      ;;
  esac
  case $cur in
    -*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur") ;;
    *)
      if [ -n "$files" ]; then mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      else mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur"); fi
      ;;
  esac
}
complete -F _throughway throughway
`;
}

/** Options that take a value for which `is` holds, with their dashes. */
function optionNames(commands: readonly Command[], is: (value: string) => boolean): string[] {
  const names = commands.flatMap((command) =>
    command.options.flatMap(({ name, value }) => (value !== null && is(value) ? [`--${name}`] : [])),
  );
  return [...new Set(names)].sort();
}

function renderZsh(commands: readonly Command[], named: Named): string {
  const quote = (text: string): string => text.replaceAll("'", "'\\''");
  const escape = (text: string): string => quote(text.replaceAll(/([[\]:\\])/g, '\\$1'));
  const action = (command: Command, placeholder: string): string => {
    const choices = choicesOf(command, placeholder, named);
    return choices === 'file' ? '_files' : choices === null ? '' : `(${choices.join(' ')})`;
  };
  const byCommand = commands.map((command) => {
    const specs = [
      ...optionsOf(command).map(
        ({ name, value, help }) =>
          `'--${name}[${escape(help)}]${value === null ? '' : `:${escape(value)}:${action(command, value)}`}'`,
      ),
      ...command.args.map((one, index) => `'${index + 1}:${escape(one)}:${action(command, one)}'`),
    ];
    return `    ${command.name}) _arguments ${specs.join(' ')} ;;`;
  });
  const described = commands.map((one) => `    '${one.name}:${escape(one.summary)}'`).join('\n');
  return `#compdef throughway
# zsh completion for throughway; made by "throughway completion zsh"
_throughway() {
  local -a commands
  commands=(
${described}
    'help:show the help of a command'
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local name=$words[2]
  shift words
  (( CURRENT -= 1 ))
  case $name in
${byCommand.join('\n')}
    help) (( CURRENT == 2 )) && _describe command commands ;;
  esac
}
if [ "$funcstack[1]" = "_throughway" ]; then _throughway "$@"; else compdef _throughway throughway; fi
`;
}

function renderFish(commands: readonly Command[], named: Named): string {
  const quote = (text: string): string => `'${text.replaceAll(/(['\\])/g, '\\$1')}'`;
  const withValue = optionNames(commands, () => true);
  const lines = [
    '# fish completion for throughway; made by "throughway completion fish"',
    '# Whether the word to come is such an argument of that command; options and their values are none.',
    'function __throughway_at',
    '  set -l words (commandline -opc)',
    '  set -l place 0',
    '  set -l skip 0',
    '  test (count $words) -ge 2; and test $words[2] = $argv[1]; or return 1',
    '  for word in $words[3..-1]',
    '    if test $skip = 1; set skip 0; continue; end',
    '    switch $word',
    `      case ${withValue.join(' ')}`,
    '        set skip 1',
    "      case '-*'",
    "      case '*'",
    '        set place (math $place + 1)',
    '    end',
    '  end',
    '  test $place = $argv[2]',
    'end',
    'complete -c throughway -f',
  ];
  for (const command of [...commands, { name: 'help', summary: 'show the help of a command' }]) {
    for (const when of ['__fish_use_subcommand', '__throughway_at help 0'])
      lines.push(`complete -c throughway -n ${quote(when)} -a ${command.name} -d ${quote(command.summary)}`);
  }
  for (const command of commands) {
    const when = `-n ${quote(`__fish_seen_subcommand_from ${command.name}`)}`;
    for (const { name, value, help } of optionsOf(command)) {
      const needs = value === null ? '' : valuesOf(value) === 'file' ? ' -r -F' : ' -x';
      lines.push(`complete -c throughway ${when} -l ${name}${needs} -d ${quote(help)}`);
    }
    for (const [place, placeholder] of command.args.entries()) {
      const choices = choicesOf(command, placeholder, named);
      const here = `-n ${quote(`__throughway_at ${command.name} ${place}`)}`;
      if (choices === 'file') lines.push(`complete -c throughway ${here} -F`);
      else if (choices !== null) lines.push(`complete -c throughway ${here} -a ${quote(choices.join(' '))}`);
    }
  }
  return `${lines.join('\n')}\n`;
}
