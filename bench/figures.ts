// What the parts of the daemon's benchmark hand back: a table whose columns say how a number reads.
// The text and the JSON are made from the same rows, so they cannot disagree.

/** A count, a time or a size; null where nothing was measured. */
export type Cell = string | number | null;

export interface Column {
  /** The name in JSON, with the unit. */
  readonly key: string;
  readonly heading: string;
  /** Of numbers, behind the point. */
  readonly digits?: number;
}

export interface Figures {
  /** As in `--only`, and the name in JSON. */
  readonly name: string;
  readonly title: string;
  /** What a reader must know to understand the numbers; one line each. */
  readonly notes: readonly string[];
  readonly columns: readonly Column[];
  readonly rows: readonly Readonly<Record<string, Cell>>[];
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const median = sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

/** Title, notes and rows, as plain text. */
export function renderFigures({ title, notes, columns, rows }: Figures): string {
  const cells = rows.map((row) => columns.map((column) => renderCell(row[column.key] ?? null, column)));
  return [title, ...notes, '', ...alignColumns([columns.map(({ heading }) => heading), ...cells])].join('\n');
}

/** Lines whose columns stand under each other: text to the left, numbers to the right. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const [headings, ...body] = rows;
  const isText = headings!.map((_, column) => body.some((row) => /^[^\d–-]/.test(row[column]!)));
  const widths = headings!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (isText[column] ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
}

/** The rows as JSON has them: numbers with the digits that mean something. */
export function rowsForJson({ columns, rows }: Figures): Record<string, Cell>[] {
  return rows.map((row) =>
    Object.fromEntries(
      columns.map(({ key, digits = 0 }) => {
        const cell = row[key] ?? null;
        return [key, typeof cell === 'number' ? Number(cell.toFixed(digits)) : cell];
      }),
    ),
  );
}

function renderCell(cell: Cell, { digits = 0 }: Column): string {
  if (cell === null) return '–';
  if (typeof cell === 'string') return cell;
  return cell.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
