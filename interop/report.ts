// The matrix: a row for each pair of programs, what was seen of each stage, how fast the data went, and
// what plain masquerade does with the same. As Markdown, which reads well in a terminal too, or as JSON.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { claim } from '../lab/wait.ts';
import type { Result } from './play.ts';
import type { Row } from './row.ts';
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
  'Mbit/s',
  'plain masquerade',
];

export function renderMatrix(rows: readonly Row[], results: readonly Result[]): string {
  const lines = rows.map((row) => cells(row, results));
  const widths = HEADS.map((head, column) =>
    Math.max(head.length, ...lines.map((line) => line[column]!.length)),
  );
  const render = (line: readonly string[]): string =>
    `| ${line.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return `\n${[render(HEADS), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...lines.map(render)].join('\n')}\n\n`;
}

export function renderJson(rows: readonly Row[], results: readonly Result[]): string {
  const described = rows.map((row) => ({
    id: row.id,
    title: row.title,
    devices: row.devices,
    versions: versions(row),
    results: results.filter(({ id }) => id === row.id),
  }));
  return `${JSON.stringify(described, null, 2)}\n`;
}

/** Puts the matrix and the versions between the marks of docs/interop.md. */
export function writeMatrix(rows: readonly Row[], results: readonly Result[]): void {
  const text = readFileSync(DOCUMENT, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  claim(begin >= 0 && end > begin, `"${DOCUMENT}" has the marks between which the matrix stands`);
  const all = new Map(rows.flatMap((row) => Object.entries(versions(row))));
  const list = [...all]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
  writeFileSync(
    DOCUMENT,
    `${text.slice(0, begin + BEGIN.length)}\n${renderMatrix(rows, results)}Versions: ${list}.\n\n${text.slice(end)}`,
  );
}

function versions(row: Row): Record<string, string> {
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
    renderRates(ours?.rates ?? []),
    plain === undefined ? 'not run' : renderPlain(plain),
  ];
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
