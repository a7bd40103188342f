// `npm run package [amd64|arm64 ...]`: dist/throughway_VERSION_ARCHITECTURE.deb and its SBOM for each
// architecture. The same sources give the same bytes: times come from SOURCE_DATE_EPOCH or the last commit.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildDeb } from './deb.ts';
import { ARCHITECTURES, MOST_RUNTIME_PACKAGES, readRuntimePackages, type Architecture } from './lockfile.ts';
import { run } from './registry.ts';
import type { Product } from './sbom.ts';

const MOST_MEGABYTES = 45;
const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

function chosenArchitectures(typed: readonly string[]): Architecture[] {
  const all = Object.keys(ARCHITECTURES) as Architecture[];
  for (const one of typed)
    if (!all.some((known) => known === one)) {
      process.stderr.write(`"${one}" is no architecture; there are ${all.join(', ')}.\n`);
      process.exit(2);
    }
  return typed.length === 0 ? all : (typed as Architecture[]);
}

/** The program as JavaScript: Node takes types away when it starts, which costs 28 MB of memory for as long as it runs. */
function emitProgram(out: string): void {
  const config = join(out, 'tsconfig.json');
  writeFileSync(
    config,
    JSON.stringify({
      extends: join(root, 'tsconfig.json'),
      compilerOptions: {
        noEmit: false,
        noCheck: true,
        rewriteRelativeImportExtensions: true,
        removeComments: true,
        rootDir: join(root, 'src'),
        outDir: join(out, 'app'),
        typeRoots: [join(root, 'node_modules/@types')],
      },
      include: [join(root, 'src')],
      exclude: [join(root, 'src/**/*.test.ts'), join(root, 'src/ui')],
    }),
  );
  run('tsc', ['--project', config]);
}

function epochSeconds(): number {
  const given = process.env['SOURCE_DATE_EPOCH'];
  return Number(given ?? run('git', ['-C', root, 'log', '-1', '--format=%ct']).trim());
}

const product = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Product & {
  scripts: Record<string, string>;
};
const out = join(root, 'dist');
mkdirSync(out, { recursive: true });
const work = mkdtempSync(join(tmpdir(), 'throughway-program-'));
try {
  emitProgram(work);
  const ui = join(out, 'ui');
  if (product.scripts['build:ui']) run('npm', ['run', '--silent', 'build:ui']);
  for (const architecture of chosenArchitectures(process.argv.slice(2))) {
    const { length } = readRuntimePackages(join(root, 'package-lock.json'), architecture);
    if (length > MOST_RUNTIME_PACKAGES)
      throw new Error(
        `The product runs on ${length} npm packages; the budget is ${MOST_RUNTIME_PACKAGES} (packaging/lockfile.ts).`,
      );
    const deb = buildDeb({
      root,
      program: join(work, 'app'),
      ui: existsSync(join(ui, 'index.html')) ? ui : null,
      product,
      architecture,
      epochSeconds: epochSeconds(),
      out,
    });
    const megabytes = statSync(deb).size / 1e6;
    process.stdout.write(
      `${deb.slice(root.length + 1)}  ${megabytes.toFixed(1)} MB, ${length} npm packages\n`,
    );
    if (megabytes > MOST_MEGABYTES) throw new Error(`The package is larger than ${MOST_MEGABYTES} MB.`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
