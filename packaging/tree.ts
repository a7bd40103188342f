// The files of a package before they are one: a folder whose files have fixed modes and times, so that the
// same sources give the same package.
import { createHash } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

export class Tree {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
    mkdirSync(root, { recursive: true });
  }

  /** `path` begins at the package's root, without a slash. */
  write(path: string, content: string | Buffer, mode = 0o644): void {
    const target = join(this.root, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
    chmodSync(target, mode);
  }

  makeFolder(path: string): void {
    mkdirSync(join(this.root, path), { recursive: true });
  }

  link(path: string, to: string): void {
    const target = join(this.root, path);
    mkdirSync(dirname(target), { recursive: true });
    symlinkSync(to, target);
  }

  /** All files, sorted. */
  files(): string[] {
    return readdirSync(this.root, { recursive: true, encoding: 'utf8' })
      .filter((path) => lstatSync(join(this.root, path)).isFile())
      .sort();
  }

  sizeKib(): number {
    return this.files().reduce(
      (sum, path) => sum + Math.ceil(lstatSync(join(this.root, path)).size / 1024),
      0,
    );
  }

  /** What dpkg --verify reads (deb-md5sums(5)). */
  md5sums(): string {
    return this.files()
      .map(
        (path) =>
          `${createHash('md5')
            .update(readFileSync(join(this.root, path)))
            .digest('hex')}  ${path}\n`,
      )
      .join('');
  }

  /** Gives everything the same time and folders the same mode. */
  settle(epochSeconds: number): void {
    for (const path of ['.', ...readdirSync(this.root, { recursive: true, encoding: 'utf8' })]) {
      const target = join(this.root, path);
      if (lstatSync(target).isDirectory()) chmodSync(target, 0o755);
      lutimesSync(target, epochSeconds, epochSeconds);
    }
  }
}
