// `npm run package [amd64|arm64 ...]`: dist/throughway_VERSION_ARCHITECTURE.deb and its list of components
// for each architecture.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { buildPackages, MOST_MEGABYTES, ROOT } from './build.ts';
import { ARCHITECTURES, type Architecture } from './lockfile.ts';

function chosenArchitectures(typed: readonly string[]): Architecture[] {
  const all = Object.keys(ARCHITECTURES) as Architecture[];
  for (const one of typed)
    if (!all.some((known) => known === one)) {
      process.stderr.write(`"${one}" is no architecture; there are ${all.join(', ')}.\n`);
      process.exit(2);
    }
  return typed.length === 0 ? all : (typed as Architecture[]);
}

for (const deb of buildPackages(chosenArchitectures(process.argv.slice(2)), join(ROOT, 'dist'))) {
  const megabytes = statSync(deb).size / 1e6;
  process.stdout.write(`${deb.slice(ROOT.length + 1)}  ${megabytes.toFixed(1)} MB\n`);
  if (megabytes > MOST_MEGABYTES) throw new Error(`The package is larger than ${MOST_MEGABYTES} MB.`);
}
