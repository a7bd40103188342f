// `throughway check-config FILE`: every problem of a configuration at once, and nothing else.
import { readFileSync } from 'node:fs';
import { renderProblem } from '../core/config/problem.ts';
import { complain, jsonOption, print, type Command } from './command.ts';

export const checkConfigCommand: Command = {
  name: 'check-config',
  args: ['FILE'],
  summary: 'check a configuration and list all its problems',
  options: [jsonOption],
  async run(given) {
    const file = given.args[0]!;
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      complain(
        `"${file}" cannot be read (${(error as Error).message}). Name a file that exists and may be read.`,
      );
      return 1;
    }
    // Loaded here: the schema takes longer than most commands do.
    const { parseConfig } = await import('../core/config/document.ts');
    const read = parseConfig(text);
    const problems = 'problems' in read ? read.problems : [];
    if (given.flag('json')) print(JSON.stringify({ file, problems }, null, 2));
    else if (problems.length === 0) print(`"${file}" is in order.`);
    else for (const problem of problems) complain(renderProblem(problem));
    return problems.length === 0 ? 0 : 1;
  },
};
