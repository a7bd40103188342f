// What package-lock.json says of the packages that the product runs on: which they are, their versions,
// licences and checksums. Development packages are none of its business. The dependency budget is here.
import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** Each run-time package is code that we answer for; raise this only with a reason in ARCHITECTURE.md. */
export const MOST_RUNTIME_PACKAGES = 90;

/** The architectures that a package is made for, in the words of Debian and of Node. */
export const ARCHITECTURES = { amd64: 'x64', arm64: 'arm64' } as const;
export type Architecture = keyof typeof ARCHITECTURES;

export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  /** `node_modules/...`, where npm puts it. */
  readonly path: string;
  readonly license: string;
  /** Subresource integrity, such as `sha512-...`. */
  readonly integrity: string;
}

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      name: z.string().optional(),
      version: z.string().optional(),
      license: z.string().optional(),
      integrity: z.string().optional(),
      dev: z.boolean().optional(),
      devOptional: z.boolean().optional(),
      optional: z.boolean().optional(),
      os: z.union([z.string(), z.array(z.string())]).optional(),
      cpu: z.union([z.string(), z.array(z.string())]).optional(),
      libc: z.union([z.string(), z.array(z.string())]).optional(),
    }),
  ),
});

/** The packages that a .deb for `architecture` carries, sorted by path; Node itself is among them. */
export function readRuntimePackages(lockfile: string, architecture: Architecture): LockedPackage[] {
  const { packages } = lockSchema.parse(JSON.parse(readFileSync(lockfile, 'utf8')));
  const isFor = (allowed: string | string[] | undefined, found: string): boolean =>
    allowed === undefined || [allowed].flat().includes(found);
  const runtime = Object.entries(packages).flatMap(([path, one]): LockedPackage[] => {
    if (path === '' || one.dev || one.devOptional) return [];
    if (!isFor(one.os, 'linux') || !isFor(one.cpu, ARCHITECTURES[architecture]) || !isFor(one.libc, 'glibc'))
      return [];
    const name = one.name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    if (!one.version || !one.integrity)
      throw new Error(`"${path}" has no version or checksum in the lockfile`);
    if (!one.license) throw new Error(`"${path}" has no licence in the lockfile`);
    return [{ name, version: one.version, path, license: one.license, integrity: one.integrity }];
  });
  return runtime.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The package that is Node itself: its program is taken, and not the rest. */
export function isNode({ name }: LockedPackage): boolean {
  return name.startsWith('node-linux-');
}
