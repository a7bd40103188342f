// The table of sessions, for `throughway sessions` and its `--watch`: one line for each, and a sentence
// under those that have a trouble. Pure.
import { PROTOCOL_NAMES } from '../core/alg/protocol-names.ts';
import type { Session } from '../daemon/api/session.ts';
import { fit, renderTable, wrap, type Column } from './table.ts';
import { paint, renderBytes, renderDuration, STATE_COLOURS } from './words.ts';

export interface TableStyle {
  /** Of the terminal, or Infinity. */
  readonly width: number;
  readonly colours: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

function columns(now: number): readonly Column<Session>[] {
  return [
    { title: 'ID', cell: ({ id }) => id, alignRight: true },
    { title: 'DEVICE', cell: deviceOf, least: 12 },
    {
      title: 'PROTOCOL',
      cell: ({ protocol, guessed }) => `${PROTOCOL_NAMES[protocol]}${guessed ? '?' : ''}`,
    },
    { title: 'SERVER', cell: serverOf, least: 12 },
    { title: 'STATE', cell: ({ state }) => state },
    {
      title: 'FOR',
      cell: ({ since, ended_at }) =>
        renderDuration((ended_at === null ? now : Date.parse(ended_at)) - Date.parse(since)),
      alignRight: true,
    },
    { title: 'SENT', cell: ({ traffic }) => renderBytes(traffic.out.bytes), alignRight: true, spare: 1 },
    { title: 'RECEIVED', cell: ({ traffic }) => renderBytes(traffic.in.bytes), alignRight: true, spare: 1 },
    {
      title: 'LAST',
      cell: ({ last_packet }) => {
        const last = Math.max(...[last_packet.out, last_packet.in].map((at) => (at ? Date.parse(at) : 0)));
        return last === 0 ? '-' : renderDuration(now - last);
      },
      alignRight: true,
      spare: 2,
    },
    { title: 'PAIRING', cell: ({ pairing }) => pairing ?? '', spare: 3 },
  ];
}

export function deviceOf({ device }: Session): string {
  return device.name === null ? device.address : `${device.name} ${device.address}`;
}

export function serverOf({ server }: Session): string {
  const place = server.name ?? server.address;
  if (server.port === null) return place;
  return place.includes(':') ? `[${place}]:${server.port}` : `${place}:${server.port}`;
}

/** The title, then for each session the lines that belong to it. */
export function renderSessions(
  sessions: readonly Session[],
  { width, colours, now }: TableStyle,
): { title: string; rows: string[][] } {
  const [title, ...lines] = renderTable(columns(now), sessions, width);
  const rows = lines.map((line, index) => {
    const { state, trouble } = sessions[index]!;
    // The state stands as a word of its own between two gaps.
    const painted = colours
      ? line.replace(` ${state}`, ` ${paint(state, STATE_COLOURS[state], true)}`)
      : line;
    const sentence = trouble === null ? [] : wrap(trouble, width, '     ! ').map((text) => fit(text, width));
    return [painted, ...sentence.map((text) => paint(text, STATE_COLOURS.failing, colours))];
  });
  return { title: paint(title!, 1, colours), rows };
}

export const SORTS = ['id', 'device', 'protocol', 'server', 'state', 'traffic'] as const;
export type Sort = (typeof SORTS)[number];

export function sortSessions(sessions: readonly Session[], sort: Sort): Session[] {
  const key = (session: Session): string | number => {
    switch (sort) {
      case 'id':
        return Number(session.id);
      case 'device':
        return deviceOf(session);
      case 'protocol':
        return session.protocol;
      case 'server':
        return serverOf(session);
      case 'state':
        return session.state;
      case 'traffic':
        return -(session.traffic.out.bytes + session.traffic.in.bytes);
    }
  };
  return [...sessions].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    const order =
      typeof x === 'number' && typeof y === 'number'
        ? x - y
        : String(x).localeCompare(String(y), 'en', { numeric: true });
    return order || Number(a.id) - Number(b.id);
  });
}
