// `throughway explain TOPIC`: plain words about passthrough. Needs no daemon.
import { renderTopic, TOPICS } from '../core/advice/topics.ts';
import { nearest } from '../core/config/problem.ts';
import { print, UsageError, type Command } from './command.ts';

/** Lines longer than this are hard to read. */
const WIDEST = 80;

export const explainCommand: Command = {
  name: 'explain',
  args: ['TOPIC'],
  summary: 'explain in plain words what passthrough is and who needs what',
  options: [],
  run(given) {
    const [name = ''] = given.args;
    const topic = TOPICS.find((one) => one.name === name);
    if (topic === undefined) {
      const names = TOPICS.map((one) => one.name);
      const near = nearest(name, names);
      throw new UsageError(
        `"${name}" is no topic; there are ${names.join(', ')}.${near === null ? '' : ` Did you mean "${near}"?`}`,
      );
    }
    print(renderTopic(topic, Math.min(WIDEST, process.stdout.columns ?? WIDEST)));
    return Promise.resolve(0);
  },
};
