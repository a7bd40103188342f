// `throughway enable PROTOCOL` and `throughway disable PROTOCOL`: in the file and in force before
// the command returns.
import { PROTOCOLS, type Protocol } from '../core/config/protocols.ts';
import type { PassthroughChange } from '../daemon/api/types.ts';
import { callDaemon, readAnswer } from './client.ts';
import { DEFAULTS, jsonOption, print, socketOption, UsageError, type Command } from './command.ts';

const TITLES: Record<Protocol, string> = { ipsec: 'IPSec', pptp: 'PPTP', l2tp: 'L2TP' };

function switchCommand(name: 'enable' | 'disable', value: 'enabled' | 'disabled', summary: string): Command {
  return {
    name,
    args: ['PROTOCOL'],
    summary,
    options: [jsonOption, socketOption],
    async run(given) {
      const typed = given.args[0]!;
      const protocol = PROTOCOLS.find((one) => one === typed.toLowerCase());
      if (protocol === undefined) {
        throw new UsageError(
          `"${typed}" is not a protocol; allowed: ${PROTOCOLS.join(', ')}. Type for example: throughway ${name} pptp.`,
        );
      }
      const text = await callDaemon(given.text('socket') ?? DEFAULTS.socket, 'PUT', '/api/v1/passthrough', {
        [protocol]: value,
      });
      const ended = (readAnswer(text) as PassthroughChange).ended[protocol] ?? 0;
      const rest = ended > 0 ? `; ${ended} running connection${ended === 1 ? '' : 's'} ended` : '';
      const warning =
        name === 'enable' && protocol === 'pptp'
          ? '\nPPTP is insecure: its encryption is broken and its data can be read. Use it only where an old server leaves no choice.'
          : '';
      print(given.flag('json') ? text : `${TITLES[protocol]} Passthrough is ${value}${rest}.${warning}`);
      return 0;
    },
  };
}

export const enableCommand = switchCommand(
  'enable',
  'enabled',
  'let a VPN protocol pass: ipsec, pptp or l2tp',
);
export const disableCommand = switchCommand(
  'disable',
  'disabled',
  'refuse a VPN protocol and end its running connections',
);
