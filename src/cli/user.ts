// `throughway user …`: accounts of the page and the API, at the machine itself, where no log-in is needed.
import type { FirstRun, User } from '../daemon/api/account.ts';
import { openAsker } from './ask.ts';
import { callDaemon, ClientError, readAnswer } from './client.ts';
import {
  DEFAULTS,
  jsonOption,
  print,
  socketOption,
  UsageError,
  type Command,
  type Given,
} from './command.ts';
import { readText } from './read-text.ts';
import { renderTime } from './words.ts';

const ACTIONS = 'list|add|remove|reset-password|first-code';
const NEEDS_NAME = ['add', 'remove', 'reset-password'];

export const userCommand: Command = {
  name: 'user',
  args: ['ACTION', '[NAME]'],
  summary: 'accounts of the page: list, add, remove, reset-password, first-code',
  options: [
    {
      name: 'password-file',
      value: 'FILE',
      help: 'take the new password from the first line of this file, or of "-" for what is piped in',
    },
    { name: 'remove-totp', value: null, help: 'with reset-password: take the second factor away, too' },
    jsonOption,
    socketOption,
  ],
  async run(given) {
    const [action = '', name] = given.args;
    if (!ACTIONS.split('|').includes(action))
      throw new UsageError(
        `"${action}" is not known here; allowed: ${ACTIONS.replaceAll('|', ', ')}. Type for example: throughway user add anna.`,
      );
    if (NEEDS_NAME.includes(action) && name === undefined)
      throw new UsageError(`Whose account? Type for example: throughway user ${action} anna.`);
    const socket = given.text('socket') ?? DEFAULTS.socket;
    const part = encodeURIComponent(name ?? '');
    switch (action) {
      case 'list': {
        const text = await callDaemon(socket, 'GET', '/api/v1/users');
        print(given.flag('json') ? text : renderUsers(readAnswer(text) as User[]));
        break;
      }
      case 'add':
        await callDaemon(socket, 'POST', '/api/v1/users', { name, password: await newPassword(given) });
        print(`The account "${name}" is made.`);
        break;
      case 'remove':
        await callDaemon(socket, 'DELETE', `/api/v1/users/${part}`);
        print(`The account "${name}" is removed, and its log-ins have ended.`);
        break;
      case 'reset-password':
        await callDaemon(socket, 'PUT', `/api/v1/users/${part}/password`, {
          password: await newPassword(given),
          remove_totp: given.flag('remove-totp'),
        });
        print(`The password of "${name}" is changed, and its log-ins have ended.`);
        break;
      default: {
        const text = await callDaemon(socket, 'GET', '/api/v1/first-run');
        print(given.flag('json') ? text : renderFirstRun(readAnswer(text) as FirstRun));
      }
    }
    return 0;
  },
};

/** From the file that is named, or asked for twice; throws ClientError. */
async function newPassword(given: Given): Promise<string> {
  const file = given.text('password-file');
  if (file !== undefined) return readText(file).split(/\r?\n/)[0]!;
  if (!process.stdin.isTTY)
    throw new UsageError(
      'There is no terminal to ask for the password. Name a file with --password-file FILE.',
    );
  const { Writable } = await import('node:stream');
  // What is typed is not shown.
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const asker = openAsker(process.stdin, silent);
  try {
    process.stdout.write('New password: ');
    const password = await asker.ask('');
    process.stdout.write('\nThe same again: ');
    const again = await asker.ask('');
    process.stdout.write('\n');
    if (password !== again) throw new ClientError('The two are not the same, so nothing was changed.', 1);
    return password;
  } finally {
    asker.close();
  }
}

function renderUsers(users: readonly User[]): string {
  if (users.length === 0) return 'There is no account yet: throughway user add NAME, or open the page.';
  const lines = users.map(
    ({ name, totp, last_login_at: at }) =>
      `${name.padEnd(32)}  ${(totp ? 'second factor' : 'password only').padEnd(13)}  ${at === null ? 'has never logged in' : `last log-in ${renderTime(at)}`}`,
  );
  return lines.join('\n');
}

function renderFirstRun({ needed, code, addresses }: FirstRun): string {
  if (!needed) return 'There is an account already, so no code is needed.';
  return `${code}\n\nOpen ${addresses.join(' or ') || 'the page (it is served nowhere now: see "web.listen")'} and give this code.`;
}
