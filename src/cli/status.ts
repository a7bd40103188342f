// `throughway status`: what is in force, what is wrong, what was dropped.
import type { Status } from '../daemon/api/types.ts';
import { callDaemon, readAnswer } from './client.ts';
import { DEFAULTS, jsonOption, print, socketOption, type Command } from './command.ts';

export const statusCommand: Command = {
  name: 'status',
  args: [],
  summary: 'show the switches, the interfaces, problems and drops',
  options: [jsonOption, socketOption],
  async run(given) {
    const text = await callDaemon(given.text('socket') ?? DEFAULTS.socket, 'GET', '/api/v1/status');
    print(given.flag('json') ? text : renderStatus(readAnswer(text) as Status));
    return 0;
  },
};

export function renderStatus(status: Status): string {
  const { ipsec, pptp, l2tp } = status.passthrough;
  const face = (role: string, one: Status['wan']): string =>
    `${role.padEnd(20)} ${one.name} ${one.state}${one.addresses.length > 0 ? ` ${one.addresses.join(' ')}` : ''}`;
  const lines = [
    `Throughway ${status.version}, running since ${status.started_at}`,
    '',
    `${'IPSec Passthrough'.padEnd(20)} ${ipsec}`,
    `${'PPTP Passthrough'.padEnd(20)} ${pptp}${pptp === 'enabled' ? '  (PPTP is insecure: its data can be read)' : ''}`,
    `${'L2TP Passthrough'.padEnd(20)} ${l2tp}`,
    `${'IKE source port'.padEnd(20)} ${status.ike_source_port}`,
    face('WAN', status.wan),
    ...status.lan.map((one) => face('LAN', one)),
  ];
  const drops = status.drops.filter((drop) => drop.packets > 0);
  if (drops.length > 0) {
    lines.push('', 'Counted since the table was made:');
    for (const drop of drops) lines.push(`${String(drop.packets).padStart(9)}  ${drop.sentence}`);
  }
  if (status.observation) {
    const { copies, missed } = status.observation;
    const lost = missed > 0 ? `, ${missed} missed because too many came at once` : '';
    lines.push('', `${String(copies).padStart(9)}  copies of packets were read to know the sessions${lost}.`);
  }
  lines.push('');
  if (status.problems.length === 0) lines.push('No problems.');
  for (const problem of status.problems) lines.push(`! ${problem}`);
  return lines.join('\n');
}
