// `throughway session ID`: everything known of one session, and its history as a transcript.
import { PROTOCOL_NAMES } from '../core/alg/protocol-names.ts';
import type { SessionStory } from '../daemon/api/session.ts';
import { callDaemon, readAnswer } from './client.ts';
import { DEFAULTS, jsonOption, print, socketOption, type Command } from './command.ts';
import { deviceOf, serverOf } from './session-table.ts';
import { renderBytes, renderDuration, renderTime } from './words.ts';

export const sessionCommand: Command = {
  name: 'session',
  args: ['ID'],
  summary: 'show everything known of one VPN connection, with its history',
  options: [jsonOption, socketOption],
  async run(given) {
    const path = `/api/v1/sessions/${encodeURIComponent(given.args[0]!)}`;
    const text = await callDaemon(given.text('socket') ?? DEFAULTS.socket, 'GET', path);
    print(given.flag('json') ? text : renderStory(readAnswer(text) as SessionStory).join('\n'));
    return 0;
  },
};

export function renderStory(story: SessionStory): string[] {
  const { traffic, last_packet, device } = story;
  const time = (at: string | null): string => (at === null ? 'never' : renderTime(at));
  const packets = (way: 'out' | 'in'): string =>
    `${renderBytes(traffic[way].bytes)} in ${traffic[way].packets} packets, the last ${time(last_packet[way])}`;
  const facts: [string, string | null][] = [
    ['device', `${deviceOf(story)}${device.mac === null ? '' : ` (${device.mac})`}`],
    [
      'protocol',
      `${PROTOCOL_NAMES[story.protocol]}${story.guessed ? ', a guess: the wire does not prove it' : ''}`,
    ],
    ['server', `${serverOf(story)}${story.server.name === null ? '' : ` (${story.server.address})`}`],
    ['state', story.state],
    ['since', renderTime(story.since)],
    ['ended', story.ended_at === null ? null : renderTime(story.ended_at)],
    ['sent', packets('out')],
    ['received', packets('in')],
    [
      'forgotten in',
      story.expires_in_seconds === null
        ? null
        : `${renderDuration(story.expires_in_seconds * 1000)}, if nothing passes`,
    ],
    ['pairing', story.pairing],
    ...story.details.map(({ name, value }): [string, string] => [name, value]),
  ];
  const known = facts.filter((fact): fact is [string, string] => fact[1] !== null);
  const width = Math.max(...known.map(([name]) => name.length));
  const lines = [`Session ${story.id}`, ''];
  if (story.trouble !== null) lines.push(`! ${story.trouble}`, '');
  lines.push(...known.map(([name, value]) => `${name.padEnd(width)}  ${value}`));
  if (story.pairs.length > 0) {
    lines.push('', 'Which inbound ESP is for this device, and why:');
    for (const pair of story.pairs)
      lines.push(`  ${pair.spi}  ${pair.confidence}, since ${renderTime(pair.since)}: ${pair.evidence}`);
  }
  lines.push('', 'History:');
  for (const { at, what } of story.history) lines.push(`  ${renderTime(at)}  ${what}`);
  return lines;
}
