// `throughway version`.
import { VERSION } from '../daemon/version.ts';
import { jsonOption, print, type Command } from './command.ts';

export const versionCommand: Command = {
  name: 'version',
  args: [],
  summary: 'print the version',
  options: [jsonOption],
  run(given) {
    print(given.flag('json') ? JSON.stringify({ version: VERSION }) : `throughway ${VERSION}`);
    return Promise.resolve(0);
  },
};
