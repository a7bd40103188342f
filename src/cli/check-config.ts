// `throughway check-config FILE`: every problem of a configuration at once, and nothing else.
import { renderProblem } from '../core/config/problem.ts';
import { complain, jsonOption, print, type Command } from './command.ts';
import { readText } from './read-text.ts';

export const checkConfigCommand: Command = {
  name: 'check-config',
  args: ['FILE'],
  summary: 'check a configuration and list all its problems',
  options: [jsonOption],
  async run(given) {
    const file = given.args[0]!;
    const text = readText(file);
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
