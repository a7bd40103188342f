// What is wrong with the operator's configuration, as a list: every problem at once, each with the
// place, the value in quotes, what is allowed and what to do. The same list is shown by the command
// line, the API and the page.
import type { z } from 'zod';

export interface Problem {
  /** Where, in the file's own words: `interfaces.lan[1]`, or empty for the file as a whole. */
  readonly path: string;
  /** What is wrong, with the value in quotes, and what is allowed. */
  readonly message: string;
  /** What to do. */
  readonly hint: string;
  /** The line in the file, from 1, where it is known. */
  readonly line?: number;
}

export type Path = readonly (string | number)[];

export function renderPath(path: Path): string {
  let text = '';
  for (const step of path) text += typeof step === 'number' ? `[${step}]` : text ? `.${step}` : step;
  return text;
}

/** One line for a person: `interfaces.wan (line 3): "a b" is not allowed: … Try: …`. */
export function renderProblem(problem: Problem): string {
  const where =
    problem.line === undefined ? problem.path : `${problem.path || 'file'} (line ${problem.line})`;
  return `${where ? `${where}: ` : ''}${problem.message}. ${problem.hint}.`;
}

/** The value as messages name it, shortened. */
export function quote(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
  return `"${text.length > 60 ? `${text.slice(0, 57)}...` : text}"`;
}

/** Zod's issues as problems; `value` is what was checked, `known` lists the settings allowed at a path. */
export function problemsOf(error: z.ZodError, value: unknown, known: (path: Path) => string[]): Problem[] {
  return error.issues.flatMap((issue): Problem[] => {
    const path = issue.path.filter((step) => typeof step !== 'symbol');
    const found = valueAt(value, path);
    const at = renderPath(path);
    switch (issue.code) {
      case 'unrecognized_keys':
        return issue.keys.map((key) => {
          const near = nearest(key, known(path));
          return {
            path: renderPath([...path, key]),
            message: `"${key}" is not a setting; allowed here: ${known(path).join(', ')}`,
            hint: near ? `Did you mean "${near}"` : 'Remove the line',
          };
        });
      case 'invalid_value': {
        const allowed = issue.values.map((one) => `"${String(one)}"`).join(' or ');
        const [only] = issue.values;
        return [
          {
            path: at,
            message:
              found === undefined
                ? `the setting is missing; allowed: ${allowed}`
                : `${quote(found)} is not allowed; allowed: ${allowed}`,
            hint: issue.values.length === 1 ? `Write ${String(only)}` : 'Write one of these',
          },
        ];
      }
      case 'invalid_type':
        if (found === undefined) {
          return [
            {
              path: at,
              message: `the setting is missing; ${expectation(issue.expected)} is needed`,
              hint: `Add "${at.split('.').at(-1)}"`,
            },
          ];
        }
        return [
          {
            path: at,
            message: `${quote(found)} is not allowed; ${expectation(issue.expected)} is needed`,
            hint: 'Correct the value',
          },
        ];
      case 'too_small':
        if (issue.origin === 'array') return [{ path: at, message: issue.message, hint: 'Add an entry' }];
        return [
          {
            path: at,
            message: `${quote(found)} is too small; the least is ${issue.minimum}`,
            hint: `Write ${issue.minimum} or more`,
          },
        ];
      case 'too_big':
        if (issue.origin === 'array')
          return [
            { path: at, message: `too many entries; the most is ${issue.maximum}`, hint: 'Remove some' },
          ];
        return [
          {
            path: at,
            message: `${quote(found)} is too large; the most is ${issue.maximum}`,
            hint: `Write ${issue.maximum} or less`,
          },
        ];
      default:
        return [
          {
            path: at,
            message: `${quote(found)} is not allowed: ${issue.message}`,
            hint: 'Correct the value',
          },
        ];
    }
  });
}

function expectation(expected: string): string {
  const words: Record<string, string> = {
    object: 'a group of settings',
    array: 'a list such as [eth1]',
    int: 'a whole number',
    number: 'a whole number',
    boolean: 'true or false',
    string: 'a text',
  };
  return words[expected] ?? expected;
}

function valueAt(value: unknown, path: Path): unknown {
  let found = value;
  for (const step of path) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = (found as Record<string | number, unknown>)[step];
  }
  return found;
}

/** The word nearest to `word` by edit distance, if it is near enough to be a slip of the pen. */
export function nearest(word: string, words: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.ceil(word.length / 3)) + 1;
  for (const candidate of words) {
    const distance = editDistance(word, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const swap = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
