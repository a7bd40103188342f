// Tables for people: columns as wide as they need to be, cut to the width of the terminal where they
// must. Pure: cells come in, lines go out.

export interface Column<T> {
  readonly title: string;
  readonly cell: (row: T) => string;
  /** Numbers end at the same place. */
  readonly alignRight?: boolean;
  /** May be cut to this many letters when the terminal is narrow; others are never cut. */
  readonly least?: number;
  /** Left out when the table is still too wide: the highest first. */
  readonly spare?: number;
}

const GAP = 2;

/** The title line and one line for each row; `width` is that of the terminal, or Infinity. */
export function renderTable<T>(columns: readonly Column<T>[], rows: readonly T[], width: number): string[] {
  const cells = rows.map((row) => columns.map((column) => column.cell(row)));
  let shown = columns.map((column, index) => ({
    column,
    index,
    width: Math.max(column.title.length, ...cells.map((line) => line[index]!.length)),
  }));
  const total = (): number => shown.reduce((sum, one) => sum + one.width + GAP, -GAP);
  while (total() > width) {
    const wide = shown
      .filter(({ column, width: own }) => own > (column.least ?? Infinity))
      .reduce<(typeof shown)[number] | null>(
        (best, one) => (best === null || one.width > best.width ? one : best),
        null,
      );
    if (wide) {
      wide.width = Math.max(wide.column.least!, wide.width - (total() - width));
      continue;
    }
    const spare = Math.max(...shown.map(({ column }) => column.spare ?? 0));
    if (spare === 0) break;
    shown = shown.filter(({ column }) => column.spare !== spare);
  }
  const line = (texts: readonly string[]): string =>
    shown
      .map(({ column, index, width: own }) => {
        const text = fit(texts[index]!, own);
        return column.alignRight ? text.padStart(own) : text.padEnd(own);
      })
      .join(' '.repeat(GAP))
      .trimEnd();
  return [line(columns.map(({ title }) => title)), ...cells.map(line)].map((text) => fit(text, width));
}

/** Cut with an ellipsis where it is too long. */
export function fit(text: string, width: number): string {
  if (text.length <= width) return text;
  return width < 1 ? '' : `${text.slice(0, width - 1)}…`;
}

/** Broken between words into lines of this width, each behind `indent`. */
export function wrap(text: string, width: number, indent = ''): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent.length + line.length + 1 + word.length > width) {
      lines.push(indent + line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(indent + line);
  return lines;
}
