// The manual says nothing that is not so: every command and option in it exists, every configuration is in
// order, every setting that is named is one, every `npm run` is a script, every link leads somewhere.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { NOT_HERE, readExamples } from '../lab/examples.ts';
import { parsePlan } from '../bench/plan.ts';
import { ROWS } from '../interop/rows/all.ts';
import { SCENARIOS } from '../lab/scenarios/all.ts';
import { apiPages } from './golden/api-reference.ts';
import { COMMANDS } from '../src/cli/commands.ts';
import { parseTyped } from '../src/cli/command-line.ts';
import { renderCommandReference } from '../src/cli/reference.ts';
import { TOPICS } from '../src/core/advice/topics.ts';
import { parseConfig, settingAt } from '../src/core/config/document.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const pages = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  ...globSync('docs/**/*.md', { cwd: root }),
].sort();
const read = (page: string): string => readFileSync(join(root, page), 'utf8');

interface Block {
  readonly language: string;
  readonly text: string;
}

/** Fenced blocks, without the indentation of a list. */
function blocksOf(text: string): Block[] {
  return [...text.matchAll(/^( *)```(\w*)\n([^]*?)^\1```$/gm)].map(
    ([, indent = '', language = '', body = '']) => ({
      language,
      text: body.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    }),
  );
}

/** Lines of blocks and inline code, as they would be typed. */
function typedLines(text: string): string[] {
  const inline = [...text.replaceAll(/```[^]*?```/g, '').matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!);
  return [...blocksOf(text).flatMap((block) => block.text.split('\n')), ...inline];
}

/** The words of every call of `program` in a line, without what is piped from it. */
function callsOf(line: string, program: RegExp): string[][] {
  const match = new RegExp(`^\\s*(?:sudo )?(?:\\./)?${program.source} (.*)$`).exec(line);
  const words = match?.[1]!.split(/ [|#>&]/)[0]!.match(/"[^"]*"|\S+/g);
  return words ? [words.map((word) => word.replaceAll('"', ''))] : [];
}

describe('every command of the manual exists, with its options and arguments', () => {
  for (const page of pages) {
    const calls = typedLines(read(page)).flatMap((line) => callsOf(line, /(?:bin\/)?throughway/));
    if (calls.length === 0) continue;
    it(page, () => {
      for (const [name = '', ...rest] of calls) {
        if (name === 'COMMAND' || name === 'help' || name === '--help') continue;
        // A bare name in a sentence is a mention, and no example.
        if (rest.length === 0 && COMMANDS.some((one) => one.name === name)) continue;
        const { command, given } = parseTyped(name, rest);
        if (command.name === 'explain' && given.args[0] !== 'TOPIC')
          expect(TOPICS.map((one) => one.name)).toContain(given.args[0]);
      }
    });
  }
});

it('what no scenario plays of the manual still stands in it', () => {
  const texts = readExamples(root).map((one) => one.text);
  expect(texts.length).toBeGreaterThan(80);
  for (const { lines } of NOT_HERE)
    expect([lines, texts.some((text) => lines.test(text))]).toEqual([lines, true]);
});

describe('every configuration of the manual is in order', () => {
  const least = 'version: 1\ninterfaces: { wan: eth0, lan: [eth1] }\n';
  for (const page of pages) {
    const configs = blocksOf(read(page)).filter((block) => block.language === 'yaml');
    if (configs.length === 0) continue;
    it(page, () => {
      for (const { text } of configs)
        expect(parseConfig(/^version:/m.test(text) ? text : least + text)).toHaveProperty('config');
    });
  }
});

describe('every setting that the manual names is one', () => {
  const groups = settingAt([]).settings;
  for (const page of pages) {
    const named = [...read(page).matchAll(/`([a-z_]+(?:\.[a-z_0-9]+)+)(?::[^`]*)?`/g)]
      .map(([, path]) => path!.split('.'))
      .filter(([group = '']) => groups.includes(group));
    if (named.length === 0) continue;
    it(page, () => {
      for (const path of named)
        expect(settingAt(path.slice(0, -1)).settings, path.join('.')).toContain(path.at(-1));
    });
  }
});

it('every script that is named is one', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const named = pages.flatMap((page) =>
    [...read(page).matchAll(/npm run ([a-z:-]+)/g)].map(([, name]) => name!),
  );
  expect(named.length).toBeGreaterThan(10);
  for (const name of new Set(named)) expect(Object.keys(scripts)).toContain(name);
});

it('every measurement, scenario and row that is named is one', () => {
  const lines = readExamples(root).map(({ text }) => text);
  const wordsOf = (script: string): string[][] =>
    lines.flatMap((line) =>
      line.startsWith(`npm run ${script} -- `) ? [line.slice(`npm run ${script} -- `.length).split(' ')] : [],
    );
  expect(wordsOf('bench').length).toBeGreaterThan(8);
  for (const words of wordsOf('bench')) expect(parsePlan(words)).not.toBeNull();
  const ids = SCENARIOS.map(({ id }) => id);
  for (const words of wordsOf('lab'))
    for (const word of words)
      if (word !== 'NAME')
        expect(ids.some((id) => id === word || id.replace(/\d.*/, '') === word)).toBe(true);
  for (const [option, name = ''] of wordsOf('interop'))
    if (option === '--only') expect(ROWS.some(({ id }) => id.startsWith(name))).toBe(true);
});

it('every link leads somewhere', () => {
  for (const page of pages)
    for (const [, target = ''] of read(page).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g))
      if (!/^[a-z]+:/.test(target))
        expect([page, target, existsSync(join(root, dirname(page), target))]).toEqual([page, target, true]);
});

it('every page is reached from the first one', () => {
  const seen = new Set<string>();
  const visit = (page: string): void => {
    if (seen.has(page) || !existsSync(join(root, page))) return;
    seen.add(page);
    for (const [, target = ''] of read(page).matchAll(/\]\(([^)#:]+\.md)(?:#[^)]*)?\)/g))
      visit(join(dirname(page), target));
  };
  visit('docs/README.md');
  expect(pages.filter((page) => page.startsWith('docs/') && !seen.has(page))).toEqual([]);
});

it('the reference of the commands is that of the table', () => {
  expect(read('docs/commands.md')).toBe(renderCommandReference(COMMANDS));
});

it('the lists of routes and metrics are those of the API', async () => {
  for (const { name, text } of await apiPages()) expect(read(`docs/${name}`)).toBe(text);
});

it('what the container file names exists', () => {
  const text = read('packaging/Containerfile');
  const { version } = JSON.parse(read('package.json')) as { version: string };
  for (const [, named] of text.matchAll(/throughway_([\d.]+)_/g)) expect(named).toBe(version);
  expect(JSON.parse(/^ENTRYPOINT (.*)$/m.exec(text)![1]!)).toEqual(['/usr/bin/throughway']);
  const [name = '', ...rest] = JSON.parse(/^CMD (.*)$/m.exec(text)![1]!) as string[];
  expect(parseTyped(name, rest).command.name).toBe('run');
});

describe('every help', () => {
  const helps = globSync('test/golden/help/*.txt', { cwd: root });
  it('fits a screen of 80 by 24', () => {
    expect(helps.length).toBeGreaterThan(30);
    for (const page of helps) {
      const lines = read(page).trimEnd().split('\n');
      // One line is left for the prompt.
      expect([page, lines.length <= 23, Math.max(...lines.map((line) => line.length)) <= 80]).toEqual([
        page,
        true,
        true,
      ]);
    }
  });
});
