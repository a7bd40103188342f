// The reference of the command line as Markdown, from the table of commands alone, so that it cannot be wrong.
import type { Command } from './command.ts';
import { EXIT_STATUSES, SUMMARY } from './help.ts';

export function renderCommandReference(commands: readonly Command[]): string {
  const lines = [
    '# Commands',
    '',
    `${SUMMARY} This page is made from the table of commands by \`npm run golden\`; \`throughway COMMAND --help\` says`,
    'the same, and so does `man throughway`.',
    '',
    `Exit status: ${EXIT_STATUSES.map(([status, meaning]) => `${status} ${meaning}`).join(', ')}. Colours are for terminals only, and not with`,
    '`NO_COLOR` in the environment.',
  ];
  for (const command of commands) {
    lines.push('', `## throughway ${[command.name, ...command.args].join(' ')}`, '');
    lines.push(`${command.summary[0]!.toUpperCase()}${command.summary.slice(1)}.`);
    if (command.options.length === 0) continue;
    lines.push('', '| option | meaning |', '|---|---|');
    for (const { name, value, help } of command.options)
      lines.push(`| \`--${name}${value === null ? '' : ` ${value}`}\` | ${help.replaceAll('|', '\\|')} |`);
  }
  return `${lines.join('\n')}\n`;
}
