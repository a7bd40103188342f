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

/** A setting's name that a dot or a blank would make unreadable stands in quotes. */
export function renderPath(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += `${text && '.'}${/^[\w-]+$/.test(step) ? step : quote(step)}`;
  }
  return text;
}

/** One line for a person: `interfaces.wan (line 3): "a b" is not allowed: … Write …`. */
export function renderProblem(problem: Problem): string {
  const where =
    problem.line === undefined ? problem.path : `${problem.path || 'file'} (line ${problem.line})`;
  const hint = problem.hint.endsWith('?') ? problem.hint : `${problem.hint}.`;
  return `${where ? `${where}: ` : ''}${problem.message}. ${hint}`;
}

/** The value as messages name it, shortened, and with nothing in it that a terminal would act upon. */
export function quote(value: unknown): string {
  const text = plainText(value).replaceAll(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
  return `"${text.length > 60 ? `${text.slice(0, 57)}...` : text}"`;
}

function plainText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  try {
    return JSON.stringify(value) ?? 'nothing';
  } catch {
    // It holds itself, as YAML's aliases allow, or is nested too deep.
    return Array.isArray(value) ? 'a list' : 'a group of settings';
  }
}

/** What is known of a place in the configuration. */
export interface Place {
  /** The names of the settings allowed there. */
  readonly settings: readonly string[];
  /** What to do about a wrong value there. */
  readonly hint?: string;
  readonly line?: number;
  /** What stands there must not be repeated, not even when it is wrong: a password. */
  readonly isSecret?: boolean;
}

/** Zod's issues as problems; `value` is what was checked. */
export function problemsOf(error: z.ZodError, value: unknown, placeAt: (path: Path) => Place): Problem[] {
  return error.issues.flatMap((issue): Problem[] => {
    const path = issue.path.filter((step) => typeof step !== 'symbol');
    const problem = (at: Path, text: { message: string; hint: string }): Problem => {
      const { line } = placeAt(at);
      return { path: renderPath(at), ...text, ...(line === undefined ? {} : { line }) };
    };
    if (issue.code !== 'unrecognized_keys')
      return [problem(path, explain(issue, path, valueAt(value, path), placeAt(path)))];
    const { settings } = placeAt(path);
    return issue.keys.map((key) => {
      const near = nearest(key, settings);
      const message = `${quote(key)} is not a setting; allowed here: ${settings.join(', ')}`;
      return problem([...path, key], { message, hint: near ? `Did you mean "${near}"?` : 'Remove it' });
    });
  });
}

type Issue = Exclude<z.core.$ZodIssue, { code: 'unrecognized_keys' }>;

function explain(
  issue: Issue,
  path: Path,
  found: unknown,
  { settings, hint = 'Correct the value', isSecret }: Place,
): { message: string; hint: string } {
  const name = path.at(-1);
  const named = isSecret ? 'this' : quote(found);
  // What is not there has no value that could be quoted.
  const isAbsent = found === undefined || found === null;
  const missing = found === null ? 'the setting is empty' : 'the setting is missing';
  const absent = !isAbsent ? null : name === undefined ? 'nothing was given' : missing;
  switch (issue.code) {
    case 'invalid_value': {
      const allowed = issue.values.map((one) => `"${String(one)}"`).join(' or ');
      const [only, ...others] = issue.values;
      if (absent !== null) {
        const write = others.length === 0 ? `Write "${name}: ${String(only)}"` : 'Write one of these';
        return { message: `${absent}; allowed: ${allowed}`, hint: write };
      }
      const other = issue.values.find((one) => typeof one !== typeof found && String(one) === found);
      if (other !== undefined)
        return {
          message: `${named} is a text; the number ${String(other)} is needed`,
          hint: 'Remove the quotes',
        };
      const near = others.length === 0 ? null : meant(found, issue.values.map(String));
      return {
        message: `${named} is not allowed; allowed: ${allowed}`,
        hint: near
          ? `Did you mean "${near}"?`
          : others.length === 0
            ? `Write ${String(only)}`
            : 'Write one of these',
      };
    }
    case 'invalid_type': {
      const needed = expectation(issue.expected);
      if (absent !== null) {
        const add =
          name === undefined
            ? `Name one of these: ${settings.join(', ')}`
            : found === null
              ? 'Write a value, or remove the line'
              : `Add "${renderPath([name])}"`;
        return { message: `${absent}; ${needed} is needed`, hint: add };
      }
      const isQuotedNumber = issue.expected === 'number' && typeof found === 'string' && /^\d+$/.test(found);
      const isLoneEntry = issue.expected === 'array' && typeof found === 'string';
      return {
        message: `${named} is not allowed; ${needed} is needed`,
        hint: isQuotedNumber ? 'Remove the quotes' : isLoneEntry ? 'Put it in brackets' : hint,
      };
    }
    case 'too_small':
      if (issue.origin === 'array') return { message: issue.message, hint: 'Add an entry' };
      return {
        message: `${named} is too small; the least is ${issue.minimum}`,
        hint: `Write ${issue.minimum} or more`,
      };
    case 'too_big':
      if (issue.origin === 'array')
        return { message: `too many entries; the most is ${issue.maximum}`, hint: 'Remove some' };
      return {
        message: `${named} is too large; the most is ${issue.maximum}`,
        hint: `Write ${issue.maximum} or less`,
      };
    default:
      return { message: `${named} is not allowed: ${issue.message}`, hint };
  }
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

/** The allowed word that a wrong value stands for, or null. */
function meant(found: unknown, allowed: readonly string[]): string | null {
  const typed = plainText(found).toLowerCase();
  const word = ['true', 'on', 'yes', '1'].includes(typed)
    ? 'enabled'
    : ['false', 'off', 'no', '0'].includes(typed)
      ? 'disabled'
      : typed;
  return allowed.includes(word) ? word : nearest(word, allowed);
}

function valueAt(value: unknown, path: Path): unknown {
  let found = value;
  for (const step of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined;
    found = (found as Record<string | number, unknown>)[step];
  }
  return found;
}

/** The word nearest to `word` by edit distance, if it is near enough to be a slip of the pen. */
export function nearest(word: string, words: readonly string[]): string | null {
  // Longer than any setting: not worth the comparison.
  if (word.length > 64) return null;
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
