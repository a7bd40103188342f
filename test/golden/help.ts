// The golden texts of the command line: its help, of each command and of all, as help/NAME.txt.
import { COMMANDS } from '../../src/cli/commands.ts';
import { helpOf, helpOfAll } from '../../src/cli/help.ts';

export function goldenHelp(): { name: string; path: URL; text: string }[] {
  const texts = [
    ['throughway', helpOfAll(COMMANDS)] as const,
    ...COMMANDS.map((command) => [command.name, helpOf(command)] as const),
  ];
  return texts.map(([name, text]) => ({ name, path: new URL(`help/${name}.txt`, import.meta.url), text: `${text}\n` }));
}
