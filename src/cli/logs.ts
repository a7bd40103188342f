// `throughway logs`: what the daemon has written, from the systemd journal, in lines for people. Without a
// journal the daemon writes where it was started, which this command says.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { ClientError } from './client.ts';
import { jsonOption, print, UsageError, type Command } from './command.ts';
import { hasColours, paint } from './words.ts';

const UNIT = 'throughway.service';
const COLOURS: Readonly<Record<string, number>> = { warn: 33, error: 31 };

export const logsCommand: Command = {
  name: 'logs',
  args: [],
  summary: "show the daemon's log from the system's journal",
  options: [
    { name: 'follow', value: null, help: 'go on with what is written from now on' },
    { name: 'lines', value: 'NUMBER', help: 'how many of the last lines (default 50)' },
    jsonOption,
  ],
  async run(given) {
    const lines = given.text('lines') ?? '50';
    if (!/^\d{1,6}$/.test(lines))
      throw new UsageError(`"${lines}" is not a number of lines; allowed: 0 to 999999.`);
    // sd_booted(3)
    if (!existsSync('/run/systemd/system'))
      throw new ClientError(
        'There is no systemd journal here. The daemon writes its log to where it was started, on stderr.',
        1,
      );
    const args = ['--unit', UNIT, '--output', 'cat', '--quiet', '--no-pager', '--lines', lines];
    const colours = hasColours(process.stdout);
    const status = await eachLine(
      'journalctl',
      [...args, ...(given.flag('follow') ? ['--follow'] : [])],
      (line) => print(given.flag('json') ? line : renderLine(line, colours)),
    );
    return status === 0 ? 0 : 1;
  },
};

/** Resolves to the program's exit status. */
function eachLine(program: string, args: readonly string[], onLine: (line: string) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    child.once('error', (error) =>
      reject(new ClientError(`"${program}" cannot be run (${error.message}).`, 1)),
    );
    createInterface({ input: child.stdout }).on('line', onLine);
    child.once('close', (status) => resolve(status ?? 1));
  });
}

/** A line of the daemon's as people read it; what is not one stays as it is. */
export function renderLine(line: string, colours: boolean): string {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    return line;
  }
  if (typeof entry !== 'object' || entry === null) return line;
  const { time, level, msg, ...fields } = entry as Record<string, unknown>;
  if (typeof time !== 'string' || typeof level !== 'string' || typeof msg !== 'string') return line;
  const rest = Object.entries(fields).map(
    ([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const colour = COLOURS[level];
  const word = level.padEnd(5);
  return `${time.slice(0, 19).replace('T', ' ')} ${colour === undefined ? word : paint(word, colour, colours)} ${msg}${rest.join('')}`;
}
