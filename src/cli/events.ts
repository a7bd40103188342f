// `throughway events`: what happened, once or as it happens.
import type { GatewayEvent } from '../daemon/api/session.ts';
import { callDaemon, readAnswer } from './client.ts';
import { DEFAULTS, print, socketOption, UsageError, type Command } from './command.ts';
import { followEvents } from './follow.ts';
import { hasColours, paint, renderTime } from './words.ts';

export const eventsCommand: Command = {
  name: 'events',
  args: [],
  summary: 'show what happened: sessions, switches, drops and troubles',
  options: [
    { name: 'follow', value: null, help: 'go on with what happens, until Ctrl-C' },
    { name: 'since', value: 'NUMBER', help: 'only those after the event of this number' },
    { name: 'json', value: null, help: 'print JSON for programs; with --follow one event a line' },
    socketOption,
  ],
  async run(given) {
    const since = given.text('since') ?? '0';
    if (!/^\d{1,15}$/.test(since))
      throw new UsageError(`"${since}" is not the number of an event; one is written such as 42.`);
    const socket = given.text('socket') ?? DEFAULTS.socket;
    const text = await callDaemon(socket, 'GET', `/api/v1/events?since=${since}`);
    const isJson = given.flag('json');
    const colours = hasColours(process.stdout);
    const tell = (event: GatewayEvent): void =>
      print(isJson ? JSON.stringify(event) : renderEvent(event, colours));
    if (!given.flag('follow')) {
      const events = readAnswer(text) as GatewayEvent[];
      if (isJson) print(text);
      else if (events.length === 0) print('Nothing has happened yet.');
      else for (const event of events) tell(event);
      return 0;
    }
    const events = readAnswer(text) as GatewayEvent[];
    for (const event of events) tell(event);
    await followEvents(socket, events.at(-1)?.id ?? Number(since), tell);
    return 0;
  },
};

const COLOURS = { info: 0, warn: 33, error: 31 } as const;

export function renderEvent({ id, at, kind, level, what }: GatewayEvent, colours: boolean): string {
  const mark = { info: ' ', warn: '!', error: '!' }[level];
  const line = `${renderTime(at)}  ${String(id).padStart(5)}  ${kind.padEnd(7)} ${mark} ${what}`;
  return paint(line, COLOURS[level], colours && level !== 'info');
}
