// Brings what is missing, then hands over to a script that runs on the project's own Node:
//   node scripts/setup.mjs SCRIPT [ARGUMENT...]
// Plain JavaScript without packages, for any Node from 18 on, since nothing is installed yet when it
// runs first. It names what it installs before it installs it, and does nothing when nothing is missing.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants as modes, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const node = join(root, 'node_modules', '.bin', 'node');
const stamp = join(root, 'node_modules', '.throughway-installed');

/** What is looked for, and the Debian package that brings it. */
const PROGRAMS = [
  { program: 'nft', debian: 'nftables' },
  { program: 'ip', debian: 'iproute2' },
  { program: 'unshare', debian: 'util-linux' },
  { program: 'mount', debian: 'mount' },
];

/** Either will do. What needs it says so where it is missing and cannot be installed. */
const BROWSER = {
  program: 'chromium-headless-shell',
  or: 'chromium',
  debian: 'chromium-headless-shell',
  isOptional: true,
};

/** The manual has lines for it, which are played. */
const CURL = { program: 'curl', debian: 'curl' };

const ROOT_BUILDER = { program: 'mmdebstrap', debian: 'mmdebstrap' };

/** What `npm run package:test` plays is left out without them, one by one, which it says. */
const PACKAGE_PLAYERS = [
  { program: 'lintian', debian: 'lintian' },
  { program: 'systemd-nspawn', debian: 'systemd-container' },
  { program: 'qemu-aarch64-static', debian: 'qemu-user-static' },
  { program: 'podman', debian: 'podman' },
  { program: 'crun', debian: 'crun' },
].map((one) => ({ ...one, isOptional: true }));

/** What one script needs beyond that. */
const MORE_PROGRAMS = {
  'interop/main.ts': [ROOT_BUILDER],
  'lab/play.ts': [CURL],
  'scripts/test.ts': [BROWSER, CURL],
  'packaging/test.ts': [{ ...ROOT_BUILDER, isOptional: true }, ...PACKAGE_PLAYERS],
  'scripts/ci.ts': [BROWSER, CURL, { ...ROOT_BUILDER, isOptional: true }, ...PACKAGE_PLAYERS],
  'scripts/screenshots.ts': [BROWSER],
  'bench/pages.ts': [BROWSER],
};

function isOnPath(program) {
  const folders = `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`.split(delimiter);
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), modes.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function run(command, args, options = {}) {
  return spawnSync(command, args, { stdio: 'inherit', cwd: root, ...options }).status === 0;
}

function stop(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

function bringPackages() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(node) && existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  process.stderr.write(
    'Installing the npm packages of package-lock.json into node_modules, Node 24 among them (about 370 MB) ...\n',
  );
  const npm = process.env.npm_execpath;
  // `npm ci` refuses a lockfile from which a registry's missing packages for other platforms are absent.
  const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  // To stderr: what the script prints is perhaps for a program.
  const output = { stdio: ['inherit', 2, 2] };
  const done = npm ? run(process.execPath, [npm, ...args], output) : run('npm', args, output);
  if (!done)
    stop('The npm packages could not be installed; npm said why above. Once that is mended, start again.');
  if (!existsSync(node)) {
    stop(
      `There is no Node 24 for "${process.platform} ${process.arch}" among the packages; linux x64 and linux arm64 have one.`,
    );
  }
  writeFileSync(stamp, lock);
}

function bringPrograms(more) {
  const absent = [...PROGRAMS, ...more].filter(
    ({ program, or }) => !isOnPath(program) && !(or && isOnPath(or)),
  );
  if (absent.length === 0) return;
  const missing = absent.map(({ debian }) => debian);
  const command = ['apt-get', 'install', '--yes', '--no-install-recommends', ...missing];
  const isRoot = process.getuid?.() === 0;
  const prefix = isRoot ? [] : ['sudo'];
  if (!isOnPath('apt-get') || (!isRoot && !(isOnPath('sudo') && process.stdin.isTTY))) {
    if (absent.every(({ isOptional }) => isOptional)) return;
    stop(
      `Missing on this machine: ${missing.join(', ')}. Installing them needs root; run: sudo ${command.join(' ')}`,
    );
  }
  process.stderr.write(
    `Installing the Debian packages ${missing.join(', ')}${isRoot ? '' : ' (this needs root, so sudo may ask)'} ...\n`,
  );
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (args) =>
    run([...prefix, ...args][0], [...prefix, ...args].slice(1), { env, stdio: ['inherit', 2, 2] });
  // A fresh machine has no package lists yet, and old ones may name what is gone.
  if (!apt(['apt-get', 'update', '--quiet=2']) || !apt(command)) {
    // What is optional may be what is not to be had.
    const needed = absent.filter(({ isOptional }) => !isOptional);
    if (needed.length === 0) return;
    if (needed.length < absent.length) return bringPrograms(needed);
    stop(
      `The Debian packages could not be installed; apt-get said why above. Install them by hand: ${missing.join(', ')}`,
    );
  }
}

/** Those that start or test the daemon serve its pages. */
const SHOW_PAGES = [
  'lab/start.ts',
  'scripts/test.ts',
  'scripts/ci.ts',
  'scripts/screenshots.ts',
  'bench/pages.ts',
];

function bringPages() {
  const done = run(node, [join(root, 'scripts', 'build-ui.ts'), '--if-stale'], {
    stdio: ['ignore', 2, 2],
  });
  if (!done) stop('The pages could not be built; the reason stands above. "npm run build:ui" tries again.');
}

const [script, ...args] = process.argv.slice(2);
bringPackages();
bringPrograms(MORE_PROGRAMS[script] ?? []);
if (SHOW_PAGES.includes(script)) bringPages();
const result = spawnSync(node, [join(root, script), ...args], {
  stdio: 'inherit',
  env: {
    ...process.env,
    PATH: `${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`,
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, 'node_modules', '.cache', 'compile'),
    // koffi's and SQLite's interfaces are marked experimental; their users need not be told each time.
    NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --disable-warning=ExperimentalWarning`.trim(),
  },
});
process.exit(result.status ?? 128 + (constants.signals[result.signal] ?? 0));
