// The daemon's files: the administrator's configuration, and in the state directory the last good
// configuration and the system's former settings. A file is written beside its place, flushed and
// then renamed, so a full disk or a power cut leaves the old one whole.
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
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
  const target = followLinks(path);
  const beside = `${target}.new`;
  const before = statSync(target, { throwIfNoEntry: false });
  // Left over from a crash, perhaps with another owner or as a link to elsewhere.
  rmSync(beside, { force: true });
  const fd = openSync(beside, 'wx', 0o600);
  try {
    try {
      // Unlike writeSync, this goes on after a short write and so notices a full disk.
      writeFileSync(fd, text);
      if (before) {
        keepOwner(fd, before);
        fchmodSync(fd, before.mode & 0o777);
      }
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
      try {
        renameSync(beside, target);
      } catch (error) {
        rmSync(beside, { force: true });
        throw error;
      }
      flushFolder(dirname(target));
    },
    discard: () => {
      rmSync(beside, { force: true });
    },
  };
}

/** The daemon's own user may not give a file away; then the file becomes its own, with the former mode. */
function keepOwner(fd: number, { uid, gid }: { uid: number; gid: number }): void {
  try {
    fchownSync(fd, uid, gid);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
  }
}

/** Where a symbolic link leads, so that the file is exchanged and not the link. */
function followLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Not every file system can do this; what the file holds is whole either way. */
function flushFolder(path: string): void {
  try {
    const folder = openSync(path, 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch {
    // A power cut within the next seconds may bring the former file back.
  }
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

/** As stageFile; throws Failure, and so does its `commit`. */
export function stageConfigText(path: string, text: string): StagedFile {
  const orFail = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw new Failure(
        'config-unwritable',
        `The configuration "${path}" cannot be written (${reasonOf(error)}), so nothing was changed. Make room or make its folder writable, and try again.`,
      );
    }
  };
  const staged = orFail(() => stageFile(path, text));
  return { commit: () => orFail(() => staged.commit()), discard: () => staged.discard() };
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
    this.#change(() => {
      mkdirSync(this.path, { recursive: true, mode: 0o700 });
      if (this.read(name) !== text) stageFile(join(this.path, name), text).commit();
    });
  }

  remove(name: string): void {
    this.#change(() => rmSync(join(this.path, name), { force: true }));
  }

  #change(work: () => void): void {
    try {
      work();
      this.#onTrouble(null);
    } catch (error) {
      this.#onTrouble(
        `The state directory "${this.path}" cannot be written (${reasonOf(error)}): traffic passes, but the last good configuration and the former system settings are not kept. Make room or make it writable, or name another with --state-dir DIR.`,
      );
    }
  }
}
