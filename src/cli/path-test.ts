// `throughway selftest --through HOST`: the path between this machine and one that runs `throughway reflector`.
import { networkInterfaces } from 'node:os';
import type { Status } from '../daemon/api/types.ts';
import { comesThrough, concludePath, type Result } from '../core/reflector/judgement.ts';
import { callDaemon } from './client.ts';
import { complain, DEFAULTS, print, UsageError, type Given } from './command.ts';
import { parseNumber, REFLECTOR_PORT } from './reflector.ts';

/** Exit status 0: all comes through; 1: something does not, or it could not be tried. */
export async function runPathTest(host: string, given: Given): Promise<number> {
  const token = given.text('token');
  if (token === undefined)
    throw new UsageError(
      '"--through" needs --token TOKEN: the one that "throughway reflector" has printed on the other machine.',
    );
  // Loaded only here, so that the other commands start quickly.
  const { isToken } = await import('../daemon/reflector/secrets.ts');
  const port = parseNumber(given.text('port') ?? `${REFLECTOR_PORT}`, 'port', 65_535);
  if (!isToken(token))
    throw new UsageError(
      `"${token}" is no token. It has four groups of five letters or digits, as "throughway reflector" has printed it.`,
    );
  const asJson = given.flag('json');
  const { testPath } = await import('../daemon/reflector/near.ts');
  const { Failure } = await import('../daemon/failure.ts');
  if (process.stderr.isTTY && !asJson)
    process.stderr.write(`Trying the path to ${host}, this takes a few seconds ...\n`);
  try {
    const isGateway = await isThisTheGateway(given.text('socket') ?? DEFAULTS.socket);
    const report = await testPath({ host, token, port, isGateway });
    const { results, from } = report;
    const conclusion = concludePath(results);
    if (asJson) print(JSON.stringify({ ...report, conclusion }));
    else
      print(
        [`The far end sees this machine as ${from}.`, '', ...results.map(renderResult), '', conclusion].join(
          '\n',
        ),
      );
    return comesThrough(results) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    complain(error.message);
    return 1;
  }
}

function renderResult({ outcome, name, where, sentence }: Result): string {
  return `${outcome.padEnd(10)}  ${name} (${where}): ${sentence}`;
}

/** Whether the daemon that answers here has its WAN on this machine. */
async function isThisTheGateway(socket: string): Promise<boolean> {
  try {
    const { wan } = JSON.parse(await callDaemon(socket, 'GET', '/api/v1/status')) as Status;
    const own = Object.values(networkInterfaces()).flatMap((one) =>
      (one ?? []).map(({ address }) => address),
    );
    return wan.addresses.some((one) => own.includes(one.split('/')[0]!));
  } catch {
    // No daemon, or none that we may ask: a device.
    return false;
  }
}
