import { expect, it } from 'vitest';
import { renderLine } from './logs.ts';

it.each([
  [
    '{"time":"2026-11-23T22:25:43.654Z","level":"info","msg":"ready","nft":"libnftables","pid":139}',
    '2026-11-23 22:25:43 info  ready nft=libnftables pid=139',
  ],
  ['{"time":"2026-11-23T22:25:43.654Z","level":"error","msg":"no"}', '2026-11-23 22:25:43 error no'],
  ['Started throughway.service.', 'Started throughway.service.'],
  ['null', 'null'],
  ['{"a":1}', '{"a":1}'],
])('%s', (line, text) => expect(renderLine(line, false)).toBe(text));

it('paints what is wrong, where there are colours', () => {
  const line = (level: string): string => `{"time":"2026-11-23T22:25:43.654Z","level":"${level}","msg":"x"}`;
  expect(renderLine(line('warn'), true)).toBe('2026-11-23 22:25:43 \u001b[33mwarn \u001b[0m x');
  expect(renderLine(line('info'), true)).toBe('2026-11-23 22:25:43 info  x');
});
