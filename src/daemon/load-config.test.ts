import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Failure } from './failure.ts';
import { StateDirectory } from './files.ts';
import { loadConfig } from './load-config.ts';

const good = (wan: string): string => `version: 1\ninterfaces: { wan: ${wan}, lan: [eth1] }\n`;

let folder: string;
let path: string;
let state: StateDirectory;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'throughway-'));
  path = join(folder, 'config.yaml');
  state = new StateDirectory(join(folder, 'state'), () => undefined);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function failure(): Failure {
  try {
    loadConfig(path, state);
  } catch (error) {
    if (error instanceof Failure) return error;
  }
  throw new Error('no failure');
}

it('reads the configuration, whatever was good before', () => {
  writeFileSync(path, good('eth0'));
  state.write('last-good.yaml', good('ppp0'));
  const { config, problems } = loadConfig(path, state);
  expect([config.interfaces.wan, problems]).toEqual(['eth0', []]);
});

it('falls back to the last good one, and tells every problem', () => {
  writeFileSync(path, 'version: 1\ninterfaces: { wan: eth0 }\nextra: 1\n');
  state.write('last-good.yaml', good('ppp0'));
  const { config, problems } = loadConfig(path, state);
  expect(config.interfaces.wan).toBe('ppp0');
  expect(problems.map((problem) => problem.path)).toEqual(['interfaces.lan', 'extra']);
});

it('falls back to the last good one when there is no file any more', () => {
  state.write('last-good.yaml', good('ppp0'));
  expect(loadConfig(path, state).problems).toEqual([
    {
      path: '',
      message: `The configuration "${path}" does not exist`,
      hint: 'Write one, or name another with --config FILE',
    },
  ]);
});

it('fails when there is neither', () => {
  expect(failure()).toMatchObject({ code: 'config-unreadable', problems: [] });
  writeFileSync(path, '');
  state.write('last-good.yaml', 'version: 2\n');
  expect(failure()).toMatchObject({
    code: 'config-invalid',
    message: `The configuration "${path}" has a problem.`,
  });
  writeFileSync(path, 'version: 1\ninterfaces: { wan: eth0 }\nextra: 1\n');
  expect(failure().message).toBe(`The configuration "${path}" has 2 problems.`);
});
