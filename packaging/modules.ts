// Which files of an npm package the product needs when it runs: code, data that code reads, and licences.
// Types, sources, tests and documentation stay away.
import { readdirSync } from 'node:fs';
import { basename, extname, join } from 'node:path';

const CODE = new Set(['.js', '.cjs', '.mjs', '.json', '.node', '.wasm']);
/** At the top of a package; further down, such names are code (yaml has a dist/doc). */
const NEEDLESS_FOLDERS =
  /^(test|tests|doc|docs|example|examples|bench|benchmark|benchmarks|integration|bin|scripts|browser)$/;
const NEEDLESS_ANYWHERE = /^(__tests__|node_modules|\..*)$/;
/** In a folder that also has other things. */
// Settings of other tools, and programs for building and for the command line: nothing imports them.
const NEEDLESS_FILES =
  /^(\..*|.*\.(test|spec|bench|config)\.[cm]?js|bin\.[cm]?js|cnoke\.cjs|trampolines\.cjs)$/;
const LICENSE = /^(licen[cs]e|copying|notice)(\.(md|txt))?$/i;

/** Paths within `folder`, sorted. Packages within packages have entries of their own in the lockfile. */
export function runtimeFiles(folder: string, below = ''): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(join(folder, below), { withFileTypes: true })) {
    const path = join(below, entry.name);
    if (entry.isDirectory()) {
      const isNeedless = below === '' && NEEDLESS_FOLDERS.test(entry.name);
      if (!isNeedless && !NEEDLESS_ANYWHERE.test(entry.name) && !isForOtherLibc(entry.name))
        found.push(...runtimeFiles(folder, path));
    } else if (entry.isFile() && isNeeded(entry.name)) found.push(path);
  }
  return found.sort();
}

function isNeeded(name: string): boolean {
  if (LICENSE.test(name)) return true;
  return CODE.has(extname(name)) && !NEEDLESS_FILES.test(name);
}

/** koffi brings its library for musl beside the one for glibc. */
function isForOtherLibc(name: string): boolean {
  return name.startsWith('musl_');
}

/** The licence file among `files`, or null. */
export function licenseFile(files: readonly string[]): string | null {
  return files.find((one) => LICENSE.test(basename(one)) && !one.includes('/')) ?? null;
}
