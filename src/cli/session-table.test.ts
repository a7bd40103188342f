import { expect, it } from 'vitest';
import type { Session, SessionStory } from '../daemon/api/session.ts';
import { renderEvent } from './events.ts';
import { renderStory } from './session.ts';
import { renderSessions, sortSessions } from './session-table.ts';
import { drawWatch, type WatchState } from './sessions-watch.ts';
import { hasColours, renderBytes, renderDuration } from './words.ts';

const NOW = Date.parse('2026-01-02T03:04:05Z');

const ipsec: Session = {
  id: '7',
  device: { id: '02:00:00:00:00:01', name: "Ann's phone", address: '192.168.1.11', mac: '02:00:00:00:00:01' },
  protocol: 'ipsec',
  guessed: false,
  server: { address: '203.0.113.1', name: null, port: 500 },
  state: 'failing',
  since: '2026-01-02T02:00:00Z',
  ended_at: null,
  last_packet: { out: '2026-01-02T03:04:00Z', in: null },
  traffic: { out: { packets: 12, bytes: 1234 }, in: { packets: 0, bytes: 0 } },
  expires_in_seconds: 3600,
  details: [{ name: 'IKE version', value: '2' }],
  pairing: 'certain',
  trouble: 'ESP leaves for 203.0.113.1 and nothing returns. The server may have no route back.',
};
const sstp: Session = {
  ...ipsec,
  id: '12',
  device: { id: '192.168.1.12', name: null, address: '192.168.1.12', mac: null },
  protocol: 'sstp',
  guessed: true,
  server: { address: '203.0.113.2', name: 'vpn.company.example', port: 443 },
  state: 'up',
  since: '2026-01-02T03:03:00Z',
  last_packet: { out: '2026-01-02T03:04:00Z', in: '2026-01-02T03:04:04Z' },
  traffic: { out: { packets: 1, bytes: 5_600_000 }, in: { packets: 1, bytes: 78_900_000_000 } },
  pairing: null,
  trouble: null,
};

function table(width: number): string[] {
  const { title, rows } = renderSessions([ipsec, sstp], { width, colours: false, now: NOW });
  return [title, ...rows.flat()];
}

it('a wide terminal has everything', () => {
  expect(table(Infinity)).toEqual([
    'ID  DEVICE                    PROTOCOL  SERVER                   STATE      FOR    SENT  RECEIVED  LAST  PAIRING',
    " 7  Ann's phone 192.168.1.11  IPsec     203.0.113.1:500          failing  1h 4m  1.2 kB       0 B    5s  certain",
    '     ! ESP leaves for 203.0.113.1 and nothing returns. The server may have no route back.',
    '12  192.168.1.12              SSTP?     vpn.company.example:443  up          1m  5.6 MB     79 GB    1s',
  ]);
});

it('a narrow one loses what matters least, and no line is ever wider', () => {
  for (let width = 1; width < 140; width += 1) {
    for (const line of table(width)) expect(line.length).toBeLessThanOrEqual(width);
  }
  expect(table(60)[0]).not.toContain('PAIRING');
  expect(table(60)[1]).toContain('failing');
});

it('colours leave the words as they are', () => {
  const { rows } = renderSessions([ipsec], { width: 200, colours: true, now: NOW });
  // oxlint-disable-next-line no-control-regex
  const plain = rows.flat().map((line) => line.replaceAll(/\u001b\[\d+m/g, ''));
  const without = renderSessions([ipsec], { width: 200, colours: false, now: NOW });
  expect(plain).toEqual(without.rows.flat());
  expect(rows[0]![0]).toContain('\u001b[31mfailing\u001b[0m');
});

it('colours are for terminals, and not against the will of who reads', () => {
  expect(hasColours({ isTTY: false })).toBe(false);
  const before = process.env['NO_COLOR'];
  process.env['NO_COLOR'] = '1';
  expect(hasColours({ isTTY: true })).toBe(false);
  process.env['NO_COLOR'] = before ?? '';
});

it('sorting', () => {
  const order = (sort: 'id' | 'traffic' | 'device'): string[] =>
    sortSessions([sstp, ipsec], sort).map(({ id }) => id);
  expect([order('id'), order('traffic'), order('device')]).toEqual([
    ['7', '12'],
    ['12', '7'],
    ['12', '7'],
  ]);
});

const story: SessionStory = {
  ...ipsec,
  pairs: [{ spi: '0x00002001', confidence: 'certain', evidence: 'Only it negotiates.', since: ipsec.since }],
  history: Array.from({ length: 40 }, (_, index) => ({ at: ipsec.since, what: `line ${index}` })),
};

it('the story of a session', () => {
  const lines = renderStory(story);
  expect(lines.slice(0, 5)).toEqual([
    'Session 7',
    '',
    `! ${ipsec.trouble}`,
    '',
    "device        Ann's phone 192.168.1.11 (02:00:00:00:00:01)",
  ]);
  expect(lines).toContain('forgotten in  1h, if nothing passes');
  expect(lines.some((line) => line.startsWith('  0x00002001  certain, since '))).toBe(true);
  expect(lines.at(-1)).toMatch(/line 39$/);
});

it('the live table fits any screen, and shows the chosen session', () => {
  const many = Array.from({ length: 100 }, (_, index) => ({ ...ipsec, id: String(index + 1) }));
  const state: WatchState = {
    sessions: many,
    story: null,
    sort: 'id',
    chosen: '77',
    note: 'The daemon is gone.',
  };
  for (const [columns, rows] of [
    [80, 24],
    [40, 8],
    [200, 50],
    [10, 3],
  ] as const) {
    for (const shown of [state, { ...state, story }]) {
      const lines = drawWatch(shown, { columns, rows, colours: false, now: NOW });
      expect(lines.length).toBeLessThanOrEqual(rows);
      // oxlint-disable-next-line no-control-regex
      const plain = lines.map((line) => line.replaceAll(/\u001b\[\d+m/g, ''));
      for (const line of plain) expect(line.length).toBeLessThanOrEqual(columns);
    }
  }
  const screen = drawWatch(state, { columns: 100, rows: 24, colours: false, now: NOW });
  expect(screen[0]).toBe('Throughway: 100 sessions, 100 with trouble');
  expect(screen.find((line) => line.startsWith('\u001b[7m'))).toContain(' 77 ');
  expect(screen.at(-2)).toBe('! The daemon is gone.');
});

it('an event', () => {
  const event = {
    id: 3,
    at: '2026-01-02T03:04:05Z',
    kind: 'session',
    level: 'warn',
    what: 'It fails.',
    session: '7',
    device: null,
  } as const;
  expect(renderEvent(event, false)).toMatch(/^2026-01-0\d \d\d:\d\d:05 {6}3 {2}session ! It fails\.$/);
});

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [9_949, '9.9 kB'],
  [999_499, '999 kB'],
  [999_500, '1.0 MB'],
  [78_900_000_000, '79 GB'],
])('%d bytes are %s', (bytes, text) => {
  expect(renderBytes(bytes)).toBe(text);
});

it.each([
  [-5, '0s'],
  [59_999, '59s'],
  [60_000, '1m'],
  [7_500_000, '2h 5m'],
  [7_200_000, '2h'],
  [356_400_000, '4d 3h'],
])('%d ms are %s', (ms, text) => {
  expect(renderDuration(ms)).toBe(text);
});
