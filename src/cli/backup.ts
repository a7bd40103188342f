// `throughway backup` and `restore`: everything that an administrator has decided, as one file.
import { writeFileSync } from 'node:fs';
import type { Applied } from '../daemon/api/config.ts';
import { callDaemon, ClientError, readAnswer } from './client.ts';
import { DEFAULTS, jsonOption, print, socketOption, type Command } from './command.ts';
import { renderApplied } from './config.ts';
import { readText } from './read-text.ts';

export const backupCommand: Command = {
  name: 'backup',
  args: ['FILE'],
  summary: 'write configuration, accounts, tokens and device names into one file',
  options: [socketOption],
  async run(given) {
    const file = given.args[0]!;
    const text = await callDaemon(given.text('socket') ?? DEFAULTS.socket, 'GET', '/api/v1/backup');
    if (file === '-') {
      print(text);
      return 0;
    }
    try {
      // It holds hashes of passwords, and is for nobody else.
      writeFileSync(file, `${text}\n`, { mode: 0o600, flag: 'wx' });
    } catch (error) {
      throw new ClientError(
        `The backup cannot be written to "${file}": ${(error as Error).message}. Name a new file.`,
        1,
      );
    }
    print(`The backup is in "${file}". It holds hashes of passwords and second factors: keep it safe.`);
    return 0;
  },
};

export const restoreCommand: Command = {
  name: 'restore',
  args: ['FILE'],
  summary: 'bring a backup back, as a whole or not at all; "-" reads what is piped in',
  options: [jsonOption, socketOption],
  async run(given) {
    const file = given.args[0]!;
    const backup = readBackup(file, readText(file));
    const text = await callDaemon(given.text('socket') ?? DEFAULTS.socket, 'POST', '/api/v1/restore', backup);
    print(given.flag('json') ? text : renderApplied(readAnswer(text) as Applied));
    return 0;
  },
};

function readBackup(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ClientError(`"${file}" is no backup: it is not JSON. "throughway backup FILE" writes one.`, 1);
  }
}
