// `throughway sessions`: every VPN connection through the gateway, once or live.
import type { Session } from '../daemon/api/session.ts';
import { callDaemon, readAnswer } from './client.ts';
import {
  DEFAULTS,
  jsonOption,
  print,
  socketOption,
  UsageError,
  type Command,
  type Given,
} from './command.ts';
import { renderSessions } from './session-table.ts';
import { hasColours } from './words.ts';

export const sessionsCommand: Command = {
  name: 'sessions',
  args: [],
  summary: 'show the VPN connections of the devices, with state, traffic and what is wrong',
  options: [
    { name: 'device', value: 'DEVICE', help: 'only of this device: its name, address or id' },
    { name: 'protocol', value: 'PROTOCOL', help: 'only of this protocol, such as pptp or ipsec-nat-t' },
    { name: 'ended', value: null, help: 'also those that have ended, the latest 1000' },
    { name: 'watch', value: null, help: 'a live table, until q is pressed' },
    jsonOption,
    socketOption,
  ],
  async run(given) {
    const socket = given.text('socket') ?? DEFAULTS.socket;
    const path = `/api/v1/sessions${queryOf(given)}`;
    if (given.flag('watch')) {
      if (given.flag('json'))
        throw new UsageError('"--watch" is for people and "--json" for programs: use one of them.');
      if (!process.stdin.isTTY || !process.stdout.isTTY)
        throw new UsageError(
          '"--watch" needs a terminal. Programs follow "throughway events --follow --json".',
        );
      const { watchSessions } = await import('./sessions-watch.ts');
      return watchSessions(socket, path);
    }
    const text = await callDaemon(socket, 'GET', path);
    if (given.flag('json')) {
      print(text);
      return 0;
    }
    const sessions = readAnswer(text) as Session[];
    if (sessions.length === 0) {
      const isNarrowed = given.text('device') !== undefined || given.text('protocol') !== undefined;
      print(
        isNarrowed
          ? 'No VPN connection is so. "throughway sessions" alone lists all there are.'
          : 'No VPN connections. They appear here when a device behind the gateway opens one.',
      );
      return 0;
    }
    const { title, rows } = renderSessions(sessions, {
      width: process.stdout.isTTY ? process.stdout.columns : Infinity,
      colours: hasColours(process.stdout),
      now: Date.now(),
    });
    print([title, ...rows.flat()].join('\n'));
    return 0;
  },
};

function queryOf(given: Given): string {
  const query = new URLSearchParams();
  for (const name of ['device', 'protocol']) {
    const value = given.text(name);
    if (value !== undefined) query.set(name, value);
  }
  if (given.flag('ended')) query.set('ended', 'true');
  return query.size > 0 ? `?${query.toString()}` : '';
}
