// The daemon's files: the administrator's configuration, and in the state directory the last good
// configuration and the system's former settings. A file is written beside its place, flushed and
// then renamed, so a full disk or a power cut leaves the old one whole.
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure, reasonOf } from './failure.ts';

/** A text that is on the disk beside its place, and takes the place with `commit` or goes with `discard`. */
export interface StagedFile {
  commit(): void;
  discard(): void;
}

/** Throws the system's own error (ENOSPC, EROFS, EACCES …), and then nothing has changed. */
export function stageFile(path: string, text: string): StagedFile {
  const beside = `${path}.new`;
  const mode = existsSync(path) ? statSync(path).mode & 0o777 : 0o600;
  try {
    const fd = openSync(beside, 'w', mode);
    try {
      writeSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
  return {
    commit: () => {
      renameSync(beside, path);
      const folder = openSync(dirname(path), 'r');
      fsyncSync(folder);
      closeSync(folder);
    },
    discard: () => {
      rmSync(beside, { force: true });
    },
  };
}

export function readConfigText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const what = code === 'ENOENT' ? 'does not exist' : `cannot be read (${reasonOf(error)})`;
    throw new Failure(
      'config-unreadable',
      `The configuration "${path}" ${what}. Write one, or name another with --config FILE.`,
    );
  }
}

export function stageConfigText(path: string, text: string): StagedFile {
  try {
    return stageFile(path, text);
  } catch (error) {
    throw new Failure(
      'config-unwritable',
      `The configuration "${path}" cannot be written (${reasonOf(error)}), so nothing was changed. Make room or make its folder writable, and try again.`,
    );
  }
}

/** What the daemon keeps between two runs. Losing it costs a fallback, never traffic, so failures are told and not thrown. */
export class StateDirectory {
  readonly path: string;
  readonly #onTrouble: (sentence: string | null) => void;

  /** `onTrouble` gets a sentence when a write fails, and null when one succeeds again. */
  constructor(path: string, onTrouble: (sentence: string | null) => void) {
    this.path = path;
    this.#onTrouble = onTrouble;
  }

  read(name: string): string | null {
    try {
      return readFileSync(join(this.path, name), 'utf8');
    } catch {
      return null;
    }
  }

  write(name: string, text: string): void {
    try {
      mkdirSync(this.path, { recursive: true, mode: 0o700 });
      if (this.read(name) !== text) stageFile(join(this.path, name), text).commit();
      this.#onTrouble(null);
    } catch (error) {
      this.#onTrouble(
        `The state directory "${this.path}" cannot be written (${reasonOf(error)}): traffic passes, but the last good configuration and the former system settings are not kept. Make room or make it writable, or name another with --state-dir DIR.`,
      );
    }
  }

  remove(name: string): void {
    rmSync(join(this.path, name), { force: true });
  }
}
