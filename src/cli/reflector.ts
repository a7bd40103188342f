// `throughway reflector`: the far end of a path test, on a second machine at the other side of a real network.
// Answers whoever knows the token, for a limited time, and says what it opens. Needs no daemon.
import { networkInterfaces } from 'node:os';
import { parseIpv4 } from '../core/address.ts';
import { CROSSINGS, whereOf } from '../core/reflector/crossings.ts';
import { complain, print, UsageError, type Command } from './command.ts';

export const REFLECTOR_PORT = 7500;
const MINUTES = 30;
/** Nobody forgets it for longer than a day. */
const MOST_MINUTES = 1_440;

export const reflectorCommand: Command = {
  name: 'reflector',
  args: [],
  summary: 'answer the path test of another machine, for a limited time',
  options: [
    { name: 'minutes', value: 'NUMBER', help: `for how long (default ${MINUTES}, at most ${MOST_MINUTES})` },
    { name: 'listen', value: 'ADDRESS', help: 'only on this IPv4 address of this machine' },
    { name: 'port', value: 'PORT', help: `the TCP port of the conversation (default ${REFLECTOR_PORT})` },
  ],
  async run(given) {
    const minutes = parseNumber(given.text('minutes') ?? `${MINUTES}`, 'minutes', MOST_MINUTES);
    const port = parseNumber(given.text('port') ?? `${REFLECTOR_PORT}`, 'port', 65_535);
    const listen = given.text('listen');
    const address = listen === undefined ? null : parseIpv4(listen);
    if (listen !== undefined && address === null)
      throw new UsageError(`"${listen}" is no IPv4 address. Give one of this machine, such as 203.0.113.5.`);
    // Loaded only here, so that the other commands start quickly.
    const { openReflector } = await import('../daemon/reflector/far.ts');
    const { makeToken } = await import('../daemon/reflector/secrets.ts');
    const { Failure } = await import('../daemon/failure.ts');
    const token = makeToken();
    try {
      const reflector = await openReflector(
        { token, address, port },
        { onWord: (sentence) => print(`${clock(new Date())}  ${sentence}`) },
      );
      const until = new Date(Date.now() + minutes * 60_000);
      const near = `throughway selftest --through ${listen ?? ownAddress()} --token ${token}`;
      const open = CROSSINGS.filter(({ id }) => reflector.opened.includes(id));
      const where = [...new Set([`TCP ${port}`, ...open.map(whereOf)])].join(', ');
      print(
        [
          `Open until ${clock(until)}, or until Ctrl-C: ${where}.`,
          ...Object.values(reflector.shut).map((sentence) => `Not open: ${sentence}`),
          'Whoever knows the token is answered, one machine at a time: each packet once, to where it came from, never',
          'with more than it had, and at most 150 in a minute. Others get no answer. A firewall of this machine must',
          'let these packets in.',
          '',
          'On the other machine, behind the gateway that is to be tested, run as root:',
          '',
          `  ${near}${port === REFLECTOR_PORT ? '' : ` --port ${port}`}`,
          '',
        ].join('\n'),
      );
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, minutes * 60_000);
        for (const signal of ['SIGINT', 'SIGTERM'] as const)
          process.once(signal, () => {
            clearTimeout(timer);
            resolve();
          });
      });
      reflector.close();
      print('Closed: nothing is answered any more.');
      // Connections that are still open end with the program.
      process.exit(0);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      complain(error.message);
      return error.code === 'no-permission' ? 4 : 1;
    }
  },
};

export function parseNumber(text: string, what: string, most: number): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < 1 || number > most)
    throw new UsageError(`"${text}" is wrong for --${what}: a number from 1 to ${most} is allowed.`);
  return number;
}

function clock(date: Date): string {
  return date.toTimeString().slice(0, 8);
}

/** The first address that may be reached from elsewhere; behind a NAT it is that of the router in front. */
function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((one) => one ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? 'ADDRESS';
}
