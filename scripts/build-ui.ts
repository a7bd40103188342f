// `npm run build:ui`: src/ui becomes dist/ui, and docs the manual below it. With `--if-stale` only when a source
// has changed since, which is how the set-up calls it: a checkout always serves the pages of its own sources.
import { createHash } from 'node:crypto';
import { globSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { writeManual } from './manual/pages.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = `${root}/dist/ui.stamp`;

/** What the pages are made of; the lockfile stands for the packages among it. */
function fingerprint(): string {
  const hash = createHash('sha256');
  const files = globSync(['src/ui/**/*', 'docs/**/*', 'scripts/manual/*'], { cwd: root }).filter((path) =>
    statSync(`${root}/${path}`).isFile(),
  );
  for (const path of [...files.sort(), 'package-lock.json'])
    hash.update(path).update(readFileSync(`${root}/${path}`));
  return hash.digest('hex');
}

function lastBuilt(): string | null {
  try {
    return readFileSync(stamp, 'utf8');
  } catch {
    return null;
  }
}

const now = fingerprint();
if (!process.argv.includes('--if-stale') || lastBuilt() !== now) {
  process.stderr.write('Building the pages into dist/ui ...\n');
  await build({ configFile: `${root}/src/ui/vite.config.ts` });
  writeManual(root, `${root}/dist/ui/manual`);
  writeFileSync(stamp, now);
}
