// The package for arm64, run on whatever machine this is by qemu's user emulation: Node starts, the program runs, and
// koffi's own binary calls the C library and loads libnftables. The kernel is not asked: qemu passes netlink on in
// parts only, and an emulated daemon would prove nothing of a real one.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runTool } from '../lab/namespaces.ts';
import { claim, claimEqual } from '../lab/wait.ts';
import { ROOT } from './build.ts';
import { bringDebian } from './installed.ts';

const QEMU = 'qemu-aarch64-static';
/** What the package depends on, for arm64. */
const LIBRARIES = ['libc6', 'libgcc-s1', 'libnftables1', 'libstdc++6'];
const CONFIG = 'version: 1\ninterfaces: { wan: eth0, lan: [eth1] }\n';

/** Why it cannot be played here, or null. */
export function arm64Forbidden(): string | null {
  if (spawnSync(QEMU, ['--version']).error)
    return `${QEMU} is not installed (apt-get install qemu-user-static)`;
  return null;
}

/** The libraries as an archive, fetched once. */
export function bringLibraries(): Promise<string> {
  return bringDebian({ packages: LIBRARIES, architecture: 'arm64', variant: 'extract' });
}

/** Unpacks, runs and throws Disproved; resolves to a word on what was found. */
export async function playArm64(deb: string, folder: string): Promise<string> {
  const [system, unpacked] = [join(folder, 'system'), join(folder, 'unpacked')];
  for (const one of [system, unpacked]) mkdirSync(one, { recursive: true });
  const archive = await bringLibraries();
  runTool('tar', ['--extract', '--file', archive, '--directory', system, '--exclude=./dev/*']);
  runTool('dpkg-deb', ['--extract', deb, unpacked]);
  const app = join(unpacked, 'usr/lib/throughway');
  const emulated = (...args: string[]): string =>
    runTool(QEMU, ['-L', system, join(app, 'node'), '--disable-warning=ExperimentalWarning', ...args]);
  const program = (...args: string[]): string => emulated(join(app, 'src/cli/main.js'), ...args);

  claim(program('version').startsWith('throughway '), 'it says its version');
  const config = join(folder, 'config.yaml');
  writeFileSync(config, CONFIG);
  claim(program('check-config', config).includes('is in order'), 'it checks a configuration');
  const ruleset = program('print-ruleset', '--config', config);
  const ours = runTool(join(ROOT, 'bin/throughway'), ['print-ruleset', '--config', config]);
  claimEqual(ruleset, ours, 'the ruleset that it makes, beside that of this machine');
  const script = join(app, 'trial.mjs');
  writeFileSync(
    script,
    `import koffi from 'koffi';
import './src/linux/libc.js';
const getpid = koffi.load('libc.so.6').func('int getpid()');
koffi.load('libnftables.so.1').func('void *nft_ctx_new(uint32_t flags)');
process.stdout.write(process.arch + ' ' + (getpid() === process.pid));
`,
  );
  claimEqual(emulated(script), 'arm64 true', 'what koffi says there');
  return `node ${emulated('--version').trim()}, the same ruleset, koffi calls libc and loads libnftables`;
}
