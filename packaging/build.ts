// From the sources to a package: the program is made JavaScript once, and packed for an architecture. The
// same sources give the same bytes: times come from SOURCE_DATE_EPOCH or the last commit.
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildDeb, type DebOptions } from './deb.ts';
import { MOST_RUNTIME_PACKAGES, readRuntimePackages, type Architecture } from './lockfile.ts';
import { run } from './registry.ts';
import type { Product } from './sbom.ts';

/** A package that is larger has taken something along that it does not need. */
export const MOST_MEGABYTES = 45;

export const ROOT = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

/** Makes a package for each architecture below `out`, and returns their paths. */
export function buildPackages(
  architectures: readonly Architecture[],
  out: string,
  change: { version?: string; compression?: DebOptions['compression'] } = {},
): string[] {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Product;
  mkdirSync(out, { recursive: true });
  const work = mkdtempSync(join(tmpdir(), 'throughway-program-'));
  try {
    emitProgram(work);
    const ui = join(ROOT, 'dist', 'ui');
    run(process.execPath, [join(ROOT, 'scripts/build-ui.ts'), '--if-stale']);
    return architectures.map((architecture) => {
      const { length } = readRuntimePackages(join(ROOT, 'package-lock.json'), architecture);
      if (length > MOST_RUNTIME_PACKAGES)
        throw new Error(
          `The product runs on ${length} npm packages; the budget is ${MOST_RUNTIME_PACKAGES} (packaging/lockfile.ts).`,
        );
      return buildDeb({
        root: ROOT,
        program: join(work, 'program'),
        ui: existsSync(join(ui, 'index.html')) ? ui : null,
        product: { ...manifest, version: change.version ?? manifest.version },
        architecture,
        epochSeconds: epochSeconds(),
        compression: change.compression ?? 'small',
        out,
      });
    });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The program as JavaScript: Node takes types away when it starts, which costs 28 MB of memory for as long as it runs. */
function emitProgram(out: string): void {
  const config = join(out, 'tsconfig.json');
  writeFileSync(
    config,
    JSON.stringify({
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: {
        noEmit: false,
        noCheck: true,
        rewriteRelativeImportExtensions: true,
        removeComments: true,
        rootDir: ROOT,
        outDir: join(out, 'program'),
        typeRoots: [join(ROOT, 'node_modules/@types')],
      },
      // The lab is what "throughway selftest" plays.
      include: [join(ROOT, 'src'), join(ROOT, 'lab')],
      exclude: [join(ROOT, 'src/**/*.test.ts'), join(ROOT, 'lab/**/*.test.ts'), join(ROOT, 'src/ui')],
    }),
  );
  run('tsc', ['--project', config]);
  for (const path of globSync('program/**/*.js', { cwd: out })) {
    // Programs and threads that are started by their file's name, which tsc leaves as it is.
    const text = readFileSync(join(out, path), 'utf8');
    const renamed = text.replaceAll(/(new URL\('[^']+)\.ts(', import\.meta\.url\))/g, '$1.js$2');
    if (renamed !== text) writeFileSync(join(out, path), renamed);
  }
}

function epochSeconds(): number {
  const given = process.env['SOURCE_DATE_EPOCH'];
  return Number(given ?? run('git', ['-C', ROOT, 'log', '-1', '--format=%ct']).trim());
}
