// `throughway print-ruleset`: what is in force, or with --config what a configuration would bring.
import { callDaemon } from './client.ts';
import {
  complain,
  DEFAULTS,
  print,
  socketOption,
  UsageError,
  type Command,
  jsonOption,
  type Given,
} from './command.ts';
import { readText } from './read-text.ts';
import { parseIpv4 } from '../core/address.ts';
import { renderProblem } from '../core/config/problem.ts';

export const printRulesetCommand: Command = {
  name: 'print-ruleset',
  args: [],
  summary: 'print the nftables ruleset in force, or that of a configuration',
  options: [
    { name: 'config', value: 'FILE', help: 'print what this configuration would bring, without a daemon' },
    {
      name: 'wan-address',
      value: 'ADDRESS',
      help: 'with --config: the WAN address to assume (default 192.0.2.1)',
    },
    jsonOption,
    socketOption,
  ],
  async run(given) {
    const file = given.text('config');
    if (file === undefined) {
      if (given.flag('wan-address'))
        throw new UsageError('"--wan-address" is only for a configuration: name it with --config FILE.');
      printRuleset(
        await callDaemon(given.text('socket') ?? DEFAULTS.socket, 'GET', '/api/v1/ruleset'),
        given,
      );
      return 0;
    }
    const typed = given.text('wan-address') ?? '192.0.2.1';
    const wanAddress = parseIpv4(typed);
    if (wanAddress === null)
      throw new UsageError(`"${typed}" is not an IPv4 address; one is written such as 192.0.2.1.`);
    // Loaded here: the schema takes longer than most commands do.
    const { parseConfig } = await import('../core/config/document.ts');
    const { planRuleset } = await import('../core/policy/gateway.ts');
    const { renderTable } = await import('../core/policy/ruleset.ts');
    const read = parseConfig(readText(file));
    if ('problems' in read) {
      for (const problem of read.problems) complain(renderProblem(problem));
      return 1;
    }
    printRuleset(
      renderTable(planRuleset(read.config, { wanAddress, ownGreRemotes: [], othersFilter: false })),
      given,
    );
    return 0;
  },
};

/** As JSON, the text in a field: nft 1.0.6 has no JSON of its own for such maps. */
function printRuleset(ruleset: string, given: Given): void {
  print(given.flag('json') ? JSON.stringify({ ruleset }) : ruleset);
}
