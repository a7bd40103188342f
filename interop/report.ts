// The matrix: a row for each pair of programs, what was seen of each stage, how fast the data went, and
// what plain masquerade does with the same. As Markdown, which reads well in a terminal too, or as JSON.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { claim } from '../lab/wait.ts';
import type { Result } from './play.ts';
import type { Row, Setting, Trial } from './row.ts';
import type { Rates } from './transfer.ts';
import { packageVersion } from './trees.ts';

const DOCUMENT = fileURLToPath(new URL('../docs/interop.md', import.meta.url));
const BEGIN = '<!-- matrix: written by npm run interop -- --write -->';
const END = '<!-- end of matrix -->';

const HEADS = [
  'row',
  'what',
  'devices',
  'connect',
  'data',
  'new keys',
  'switch',
  'kill -9',
  'also',
  'Mbit/s',
  'plain masquerade',
];

const TRIAL_HEADS = ['row', 'what', 'seen', 'holds', 'in words'];

export function renderMatrix(
  rows: readonly Row[],
  trials: readonly Trial[],
  results: readonly Result[],
): string {
  const tables = [
    renderTable(
      HEADS,
      rows.map((row) => cells(row, results)),
    ),
    renderTable(
      TRIAL_HEADS,
      trials.flatMap((trial) => trialCells(trial, results)),
    ),
  ];
  return `\n${tables.filter((table) => table !== '').join('\n')}\n`;
}

function renderTable(heads: readonly string[], lines: readonly (readonly string[])[]): string {
  if (lines.length === 0) return '';
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...lines.map((line) => line[column]!.length)),
  );
  const render = (line: readonly string[]): string =>
    `| ${line.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return `${[render(heads), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...lines.map(render)].join('\n')}\n`;
}

function trialCells({ id, title }: Trial, results: readonly Result[]): string[][] {
  const stages = results.find((result) => result.id === id)?.stages ?? [];
  return stages.map(({ stage, holds, note }) => [id, title, stage, holds ? 'yes' : 'NO', firstLine(note)]);
}

function firstLine(note: string): string {
  return note.split('\n')[0]!.replaceAll('|', '/').slice(0, 160);
}

export function renderJson(rows: readonly Setting[], results: readonly Result[]): string {
  const described = rows.map((row) => ({
    id: row.id,
    title: row.title,
    devices: row.devices,
    versions: versions(row),
    results: results.filter(({ id }) => id === row.id),
  }));
  return `${JSON.stringify(described, null, 2)}\n`;
}

/** Puts what was played into the matrix of docs/interop.md; the rows that were not played stay as they are. */
export function writeMatrix(
  rows: readonly Row[],
  trials: readonly Trial[],
  results: readonly Result[],
): void {
  const text = readFileSync(DOCUMENT, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  claim(begin >= 0 && end > begin, `"${DOCUMENT}" has the marks between which the matrix stands`);
  const written = text
    .slice(begin, end)
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
  const choose = <One extends Setting>(one: One, render: (one: One) => string[][]): string[][] =>
    results.some(({ id }) => id === one.id) ? render(one) : written.filter(([id]) => id === one.id);
  const tables = [
    renderTable(
      HEADS,
      rows.flatMap((row) => choose(row, () => [cells(row, results)])),
    ),
    renderTable(
      TRIAL_HEADS,
      trials.flatMap((trial) => choose(trial, () => trialCells(trial, results))),
    ),
  ];
  const all = new Map([...rows, ...trials].flatMap((row) => Object.entries(versions(row))));
  const list = [...all]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
  writeFileSync(
    DOCUMENT,
    `${text.slice(0, begin + BEGIN.length)}\n\n${tables.join('\n')}\nVersions: ${list}.\n\n${text.slice(end)}`,
  );
}

function versions(row: Setting): Record<string, string> {
  return Object.fromEntries(
    row.packages.map((name) => {
      const tree = name === 'libreswan' ? 'libreswan' : 'main';
      return [name, packageVersion(tree, name)];
    }),
  );
}

function cells(row: Row, results: readonly Result[]): string[] {
  const ours = results.find(({ id, way }) => id === row.id && way === 'throughway');
  const plain = results.find(({ id, way }) => id === row.id && way === 'masquerade');
  const mark = (prefix: string): string => {
    const stages = ours?.stages.filter(({ stage }) => stage.startsWith(prefix)) ?? [];
    if (stages.length === 0)
      return ours && row.rekeys.length === 0 && prefix === 'rekey' ? '–' : 'not reached';
    return stages.every(({ holds }) => holds) ? 'yes' : 'NO';
  };
  const theSwitch = row.governedBy === null ? mark('all switches off') : mark('off and on');
  return [
    row.id,
    row.title,
    String(row.devices),
    mark('connect'),
    mark('data'),
    mark('rekey'),
    theSwitch,
    mark('kill -9'),
    also(row, ours),
    renderRates(ours?.rates ?? []),
    plain === undefined ? 'not run' : renderPlain(plain),
  ];
}

/** The checks that only this row has. */
function also(row: Row, ours: Result | undefined): string {
  const holds = (wanted: string): boolean =>
    ours?.stages.some(({ stage, holds: held }) => stage === wanted && held) ?? false;
  const said = (row.checks ?? []).map(({ title }) => `${holds(title) ? '' : 'NOT: '}${title}`);
  return said.join('; ') || '–';
}

function renderRates(rates: readonly Rates[]): string {
  const sum = (pick: (rate: Rates) => number): string =>
    rates.reduce((total, rate) => total + pick(rate), 0).toFixed(0);
  return rates.length === 0 ? '–' : `${sum(({ up }) => up)} up, ${sum(({ down }) => down)} down`;
}

function renderPlain(plain: Result): string {
  const note = (wanted: string): string =>
    plain.stages.find(({ stage }) => stage === wanted)?.note ?? 'nothing';
  return `${note('connect')} connect, ${note('data')} have data${plain.rates.length === 0 ? '' : `; ${renderRates(plain.rates)}`}`;
}
