import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Failure } from './failure.ts';
import { readConfigText, stageConfigText, stageFile, StateDirectory } from './files.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'throughway-'));
  file = join(folder, 'config.yaml');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const read = (path = file): string => readFileSync(path, 'utf8');

describe('a staged file', () => {
  it('takes the place with commit, and only then', () => {
    writeFileSync(file, 'old');
    const staged = stageFile(file, 'new, with ümlaut\n');
    expect(read()).toBe('old');
    staged.commit();
    expect(read()).toBe('new, with ümlaut\n');
    expect(readdirSync(folder)).toEqual(['config.yaml']);
  });

  it('goes with discard, also after commit', () => {
    writeFileSync(file, 'old');
    stageFile(file, 'new').discard();
    expect(read()).toBe('old');
    expect(readdirSync(folder)).toEqual(['config.yaml']);
    const staged = stageFile(file, 'new');
    staged.commit();
    staged.discard();
    expect(read()).toBe('new');
  });

  it('keeps the mode of the old one whatever the umask, and is private when new', () => {
    stageFile(file, 'new').commit();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    chmodSync(file, 0o664);
    stageFile(file, 'newer').commit();
    expect(statSync(file).mode & 0o777).toBe(0o664);
  });

  it('is written where a symbolic link leads, and the link stays', () => {
    mkdirSync(join(folder, 'elsewhere'));
    const target = join(folder, 'elsewhere', 'real.yaml');
    writeFileSync(target, 'old');
    symlinkSync(target, file);
    stageFile(file, 'new').commit();
    expect(lstatSync(file).isSymbolicLink()).toBe(true);
    expect(read(target)).toBe('new');
  });

  it('does not write through what a crash or somebody else left beside it', () => {
    const other = join(folder, 'other');
    writeFileSync(other, 'precious');
    symlinkSync(other, `${file}.new`);
    stageFile(file, 'new').commit();
    expect(read()).toBe('new');
    expect(read(other)).toBe('precious');
  });

  it('leaves the old one whole when it cannot be written', () => {
    writeFileSync(file, 'old');
    mkdirSync(`${file}.new`);
    expect(() => stageFile(file, 'new')).toThrow();
    expect(read()).toBe('old');
    expect(() => stageFile(join(file, 'below'), 'new')).toThrow('ENOTDIR');
    expect(() => stageFile(join(folder, 'none', 'below'), 'new')).toThrow('ENOENT');
  });

  it('leaves nothing behind when it cannot take the place', () => {
    mkdirSync(file);
    const staged = stageFile(file, 'new');
    expect(() => staged.commit()).toThrow();
    expect(readdirSync(folder)).toEqual(['config.yaml']);
  });

  it('leaves the old one whole on a full disk', () => {
    // A disk of two pages, in a namespace of its own; the second text is cut off by its end.
    const script = `
      import { stageFile } from ${JSON.stringify(new URL('files.ts', import.meta.url).href)};
      import { readFileSync, readdirSync } from 'node:fs';
      stageFile('config', 'old').commit();
      try { stageFile('config', 'x'.repeat(20000)).commit(); } catch (error) { console.log(error.code); }
      console.log(readFileSync('config', 'utf8'), readdirSync('.').join());`;
    const command = 'mount -t tmpfs -o size=8k none . && cd "$PWD" && exec "$0" --input-type=module -e "$1"';
    const ran = spawnSync('unshare', ['-rm', 'sh', '-c', command, process.execPath, script], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, NODE_NO_WARNINGS: '1' },
    });
    // Where namespaces are forbidden, nothing can be said.
    if (ran.error || /unshare|mount/.test(ran.stderr)) return;
    expect(ran.stdout).toBe('ENOSPC\nold config\n');
  });
});

describe('the configuration', () => {
  it('that is not there, or is no file, is a failure that says what to do', () => {
    expect(() => readConfigText(file)).toThrow(
      `The configuration "${file}" does not exist. Write one, or name another with --config FILE.`,
    );
    expect(() => readConfigText(folder)).toThrow(
      /^The configuration ".*" cannot be read \(EISDIR.*\)\. Write one/,
    );
  });

  it('that cannot be written is a failure, at once or when it takes its place', () => {
    const failing = (work: () => void): Failure => {
      try {
        work();
      } catch (error) {
        if (error instanceof Failure) return error;
      }
      throw new Error('no failure');
    };
    const below = failing(() => stageConfigText(join(folder, 'none', 'config.yaml'), 'new'));
    expect(below.code).toBe('config-unwritable');
    expect(below.message).toMatch(
      /cannot be written \(ENOENT.*\), so nothing was changed\. Make room or make its folder writable, and try again\.$/,
    );
    mkdirSync(file);
    const staged = stageConfigText(file, 'new');
    expect(failing(() => staged.commit()).code).toBe('config-unwritable');
  });
});

describe('the state directory', () => {
  it('is made when it is needed, private, and gives back what it got', () => {
    const told: (string | null)[] = [];
    const state = new StateDirectory(join(folder, 'a', 'b'), (sentence) => told.push(sentence));
    expect(state.read('kept')).toBeNull();
    state.write('kept', 'text');
    expect(state.read('kept')).toBe('text');
    expect(statSync(state.path).mode & 0o777).toBe(0o700);
    state.remove('kept');
    state.remove('kept');
    expect(state.read('kept')).toBeNull();
    expect(told).toEqual([null, null, null]);
  });

  it('tells its trouble and does not throw, and tells when it is over', () => {
    const told: (string | null)[] = [];
    writeFileSync(file, '');
    const state = new StateDirectory(file, (sentence) => told.push(sentence));
    state.write('kept', 'text');
    state.remove('kept');
    expect(told).toHaveLength(2);
    for (const sentence of told)
      expect(sentence).toMatch(
        /^The state directory ".*" cannot be written \(.+\): traffic passes, but .* name another with --state-dir DIR\.$/,
      );
    rmSync(file);
    state.write('kept', 'text');
    expect(told.at(-1)).toBeNull();
    expect(state.read('kept')).toBe('text');
  });
});
