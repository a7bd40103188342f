// Two texts as a unified diff, line by line, with three lines around each change.

const CONTEXT = 3;
/** Beyond so many comparisons the part that differs is shown as a whole. */
const MOST_CELLS = 4_000_000;

interface Line {
  readonly sign: ' ' | '-' | '+';
  readonly text: string;
}

/** Empty when both are the same. */
export function diffTexts(before: string, after: string, names: readonly [string, string]): string {
  if (before === after) return '';
  const lines = compare(splitLines(before), splitLines(after));
  const shown = lines.map((_line, index) =>
    lines.slice(Math.max(0, index - CONTEXT), index + CONTEXT + 1).some(({ sign }) => sign !== ' '),
  );
  const output = [`--- ${names[0]}`, `+++ ${names[1]}`];
  let [oldLine, newLine] = [1, 1];
  for (let index = 0; index < lines.length;) {
    let end = index;
    while (end < lines.length && shown[end] === shown[index]) end += 1;
    const part = lines.slice(index, end);
    const olds = part.filter(({ sign }) => sign !== '+').length;
    const news = part.filter(({ sign }) => sign !== '-').length;
    if (shown[index]) {
      output.push(`@@ -${range(oldLine, olds)} +${range(newLine, news)} @@`);
      output.push(...part.map(({ sign, text }) => `${sign}${text}`));
    }
    oldLine += olds;
    newLine += news;
    index = end;
  }
  return `${output.join('\n')}\n`;
}

/** An empty range stands behind the line before it. */
const range = (from: number, count: number): string =>
  count === 1 ? String(from) : `${count === 0 ? from - 1 : from},${count}`;

function splitLines(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  else lines[lines.length - 1] += '\n\\ No newline at end of file';
  return lines;
}

function compare(before: readonly string[], after: readonly string[]): Line[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  let tail = 0;
  while (
    tail < before.length - start &&
    tail < after.length - start &&
    before.at(-1 - tail) === after.at(-1 - tail)
  )
    tail += 1;
  const same = (text: string): Line => ({ sign: ' ', text });
  return [
    ...before.slice(0, start).map(same),
    ...compareMiddle(before.slice(start, before.length - tail), after.slice(start, after.length - tail)),
    ...before.slice(before.length - tail).map(same),
  ];
}

/** By the longest common subsequence. */
function compareMiddle(before: readonly string[], after: readonly string[]): Line[] {
  const gone = (text: string): Line => ({ sign: '-', text });
  const come = (text: string): Line => ({ sign: '+', text });
  if (before.length * after.length > MOST_CELLS) return [...before.map(gone), ...after.map(come)];
  const width = after.length + 1;
  const common = new Uint32Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) {
      common[i * width + j] =
        before[i] === after[j]
          ? common[(i + 1) * width + j + 1]! + 1
          : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
    }
  }
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      lines.push({ sign: ' ', text: before[i]! });
      i += 1;
      j += 1;
    } else if (
      j >= after.length ||
      (i < before.length && common[(i + 1) * width + j]! >= common[i * width + j + 1]!)
    ) {
      lines.push(gone(before[i]!));
      i += 1;
    } else {
      lines.push(come(after[j]!));
      j += 1;
    }
  }
  return lines;
}
