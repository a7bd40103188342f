// `throughway explain TOPIC`: plain words about passthrough. Needs no daemon.
import { renderTopic, TOPICS } from '../core/advice/topics.ts';
import { nearest } from '../core/config/problem.ts';
import { jsonOption, print, UsageError, type Command } from './command.ts';

/** Lines longer than this are hard to read. */
const WIDEST = 80;

export const explainCommand: Command = {
  name: 'explain',
  args: ['[TOPIC]'],
  summary: 'explain in plain words what passthrough is and who needs what',
  options: [jsonOption],
  run(given) {
    const [name] = given.args;
    const isJson = given.flag('json');
    if (name === undefined) {
      print(
        isJson ? JSON.stringify(TOPICS.map((one) => ({ name: one.name, title: one.title }))) : listOfTopics(),
      );
      return Promise.resolve(0);
    }
    const topic = TOPICS.find((one) => one.name === name);
    if (topic === undefined) {
      const names = TOPICS.map((one) => one.name);
      const near = nearest(name, names);
      throw new UsageError(
        `"${name}" is no topic; there are ${names.join(', ')}.${near === null ? '' : ` Did you mean "${near}"?`}`,
      );
    }
    print(
      isJson ? JSON.stringify(topic) : renderTopic(topic, Math.min(WIDEST, process.stdout.columns ?? WIDEST)),
    );
    return Promise.resolve(0);
  },
};

function listOfTopics(): string {
  const width = Math.max(...TOPICS.map(({ name }) => name.length));
  return [
    ...TOPICS.map(({ name, title }) => `${name.padEnd(width)}  ${title}`),
    '',
    'Type for example: throughway explain pptp.',
  ].join('\n');
}
