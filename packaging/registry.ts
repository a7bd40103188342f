// Brings a package of the lockfile as a folder: the installed one where it is there in that version, else
// (Node and koffi for another architecture) the one from the registry, by npm and checked against the
// lockfile's checksum. Kept below node_modules/.cache, so it is fetched once.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { LockedPackage } from './lockfile.ts';

/** The folder with the package's files. Throws with what to do when it cannot be had. */
export function bringPackage(root: string, wanted: LockedPackage): string {
  const installed = join(root, wanted.path);
  if (existsSync(join(installed, 'package.json'))) {
    const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
      version: string;
    };
    if (version !== wanted.version)
      throw new Error(
        `"${wanted.path}" is installed in version "${version}"; the lockfile says "${wanted.version}". Run "npm install --no-save".`,
      );
    return installed;
  }
  const cache = join(root, 'node_modules', '.cache', 'packages');
  const base = `${wanted.name.replaceAll(/[@/]/g, '_')}-${wanted.version}`;
  const unpacked = join(cache, base);
  const [algorithm = '', checksum] = wanted.integrity.split('-', 2);
  // Named by its checksum, so that what lies there is what the lockfile means.
  const done = join(unpacked, `${createHash('sha256').update(wanted.integrity).digest('hex')}.done`);
  if (!existsSync(done)) {
    rmSync(unpacked, { recursive: true, force: true });
    mkdirSync(unpacked, { recursive: true });
    const said = run('npm', [
      'pack',
      `${wanted.name}@${wanted.version}`,
      '--json',
      '--pack-destination',
      unpacked,
    ]);
    const [{ filename } = { filename: '' }] = JSON.parse(said) as { filename: string }[];
    const tarball = join(unpacked, filename);
    const found = createHash(algorithm).update(readFileSync(tarball)).digest('base64');
    if (found !== checksum)
      throw new Error(
        `"${wanted.name}@${wanted.version}" has the checksum "${found}"; the lockfile says "${checksum}".`,
      );
    run('tar', ['--extract', '--gzip', '--file', tarball, '--directory', unpacked, '--no-same-owner']);
    rmSync(tarball);
    run('touch', [done]);
  }
  return join(unpacked, 'package');
}

/** Runs a program and returns what it prints; throws with its own words. */
export function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): string {
  const result = spawnSync(program, args, { encoding: 'utf8', env, maxBuffer: 64 << 20 });
  if (result.error || result.status !== 0) {
    const said = result.error?.message ?? `${result.stdout}${result.stderr}`.trim();
    throw new Error(`"${program} ${args.join(' ')}" failed: ${said}`);
  }
  return result.stdout;
}
