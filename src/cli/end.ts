// `throughway end ID`: what the gateway holds of a session is deleted.
import { callDaemon, readAnswer } from './client.ts';
import { DEFAULTS, jsonOption, print, socketOption, type Command } from './command.ts';

export const endCommand: Command = {
  name: 'end',
  args: ['ID'],
  summary: 'end one VPN connection; its device may connect again',
  options: [jsonOption, socketOption],
  async run(given) {
    const id = given.args[0]!;
    const path = `/api/v1/sessions/${encodeURIComponent(id)}`;
    const text = await callDaemon(given.text('socket') ?? DEFAULTS.socket, 'DELETE', path);
    if (given.flag('json')) {
      print(text);
      return 0;
    }
    const { connections, associations } = readAnswer(text) as { connections: number; associations: number };
    const parts = [counted(connections, 'connection')];
    if (associations > 0) parts.push(counted(associations, 'ESP association'));
    print(`Session ${id} is ended: ${parts.join(' and ')} forgotten. Its device may connect again.`);
    return 0;
  },
};

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
