// `throughway probe HOST`: which VPN protocols a server answers, seen from the gateway, and whether
// devices need passthrough for them. Prints each result as it comes.
import type { ProbeReport, ProbeResult } from '../daemon/api/probe.ts';
import { ClientError, followDaemon } from './client.ts';
import { DEFAULTS, jsonOption, print, socketOption, type Command } from './command.ts';

const NOTHING_ANSWERED = 1;

export const probeCommand: Command = {
  name: 'probe',
  args: ['HOST'],
  summary: 'try which VPN protocols a server answers',
  options: [jsonOption, socketOption],
  async run(given) {
    const [host] = given.args;
    const asJson = given.flag('json');
    const found: { report?: ProbeReport } = {};
    const progress = showProgress(host!, asJson);
    await followDaemon(
      given.text('socket') ?? DEFAULTS.socket,
      'POST',
      '/api/v1/probe',
      { host },
      (value) => {
        const { result, report, failure } = value as {
          result?: ProbeResult;
          report?: ProbeReport;
          failure?: string;
        };
        if (failure !== undefined) throw new ClientError(failure, 1);
        if (report !== undefined) found.report = report;
        if (result === undefined) return;
        progress.tell();
        if (!asJson) print(renderResult(result));
      },
    ).finally(() => progress.end());
    const { report } = found;
    if (report === undefined)
      throw new ClientError('The daemon ended before it had tried everything. Try again.', 1);
    print(asJson ? JSON.stringify(report) : `\n${report.conclusion}`);
    return report.results.some(speaks) ? 0 : NOTHING_ANSWERED;
  },
};

/** On a terminal, one line that says that it goes on; it makes room for each result. */
function showProgress(host: string, asJson: boolean): { tell(): void; end(): void } {
  if (!process.stderr.isTTY || asJson) return { tell: () => undefined, end: () => undefined };
  const began = performance.now();
  let told = 0;
  const clear = (): void => void process.stderr.write('\r\x1b[K');
  const draw = (): void => {
    clear();
    const seconds = Math.round((performance.now() - began) / 1000);
    process.stderr.write(`Trying ${host}: ${seconds} s of at most 15 for each address, ${told} results ...`);
  };
  draw();
  const timer = setInterval(draw, 500);
  return {
    tell: () => {
      told += 1;
      clear();
    },
    end: () => {
      clearInterval(timer);
      clear();
    },
  };
}

function speaks({ verdict }: ProbeResult): boolean {
  return verdict === 'answered' || verdict === 'refused';
}

/** Two lines for what a server speaks, one for the rest. */
function renderResult(result: ProbeResult): string {
  const where =
    result.port === null
      ? 'IP protocol 50'
      : `${result.transport === 'tls' ? 'tcp' : result.transport} ${result.port}`;
  const head = `${result.verdict.padEnd(11)} ${result.name} (${where}): ${result.detail}`;
  if (speaks(result)) return `${head}\n${' '.repeat(12)}${result.meaning}`;
  return result.verdict === 'silent' ? `${head} ${result.meaning}` : head;
}
