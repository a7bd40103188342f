// The root file systems from which every machine of the interoperability runs lives: Debian's packages,
// unmodified, laid out by mmdebstrap under .cache/interop and used read-only. One is built again when
// its list of packages, the suite or the recipe here changes. strongSwan and libreswan exclude each
// other, hence two. Nothing is installed on the machine itself but mmdebstrap.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export type TreeName = 'main' | 'libreswan';

const CACHE = fileURLToPath(new URL('../.cache/interop', import.meta.url));
/** Raised when the way a tree is made changes. */
const RECIPE = 1;
const SUITE = 'bookworm';

const COMMON = [
  'ca-certificates',
  'iproute2',
  'iptables',
  'iputils-ping',
  'kmod',
  'mount',
  'openssl',
  'procps',
  'socat',
  'tcpdump',
  'user-mode-linux',
];

const PACKAGES: Readonly<Record<TreeName, readonly string[]>> = {
  main: [
    ...COMMON,
    'charon-systemd',
    'coturn',
    'ike-scan',
    'libcharon-extauth-plugins',
    'libcharon-extra-plugins',
    'libstrongswan-extra-plugins',
    'libstrongswan-standard-plugins',
    'nmap',
    'ocserv',
    'openconnect',
    'openvpn',
    'ppp',
    'pptp-linux',
    'pptpd',
    'softether-vpnclient',
    'softether-vpncmd',
    'softether-vpnserver',
    'strongswan-charon',
    'strongswan-libcharon',
    'strongswan-starter',
    'strongswan-swanctl',
    'vpnc',
    'vpnc-scripts',
    'wireguard-go',
    'wireguard-tools',
    'xl2tpd',
  ],
  libreswan: [...COMMON, 'libreswan'],
};

function keyOf(name: TreeName): string {
  const inputs = JSON.stringify([RECIPE, SUITE, process.arch, PACKAGES[name]]);
  return createHash('sha256').update(inputs).digest('hex').slice(0, 16);
}

/** Where the tree is, whether it has been built yet or not. */
export function treePath(name: TreeName): string {
  return `${CACHE}/${name}-${keyOf(name)}`;
}

export function isBuilt(name: TreeName): boolean {
  return existsSync(treePath(name));
}

/** Debian's archive or mmdebstrap cannot be had here, which says nothing of the gateway. */
export class TreeError extends Error {}

/** Builds a tree; throws TreeError with mmdebstrap's last words. */
export async function buildTree(name: TreeName): Promise<void> {
  mkdirSync(CACHE, { recursive: true });
  for (const old of readdirSync(CACHE))
    if (old.startsWith(`${name}-`)) rmSync(`${CACHE}/${old}`, { recursive: true, force: true });
  const unfinished = `${CACHE}/${name}-unfinished`;
  const proxy = spawnSync('apt-config', ['dump', '--format=%v', 'Acquire::http::Proxy'], {
    encoding: 'utf8',
  });
  const { status, said } = await runBuilder([
    '--mode=root',
    '--variant=apt',
    // What is made anew at any time need not survive a power cut while it is made.
    '--dpkgopt=force-unsafe-io',
    ...(proxy.status === 0 && proxy.stdout !== '' ? [`--aptopt=Acquire::http::Proxy "${proxy.stdout}"`] : []),
    `--include=${PACKAGES[name].join(',')}`,
    SUITE,
    unfinished,
  ]);
  if (status !== 0) {
    // What is wrong here, and not on the way to the archive, must not be left out.
    const Kind = said.includes('Unable to locate package') ? Error : TreeError;
    const last = said.trim().split('\n').slice(-6).join('; ');
    throw new Kind(`mmdebstrap could not build the root file system "${name}": ${last}`);
  }
  renameSync(unfinished, treePath(name));
}

function runBuilder(args: readonly string[]): Promise<{ status: number; said: string }> {
  return new Promise((resolve) => {
    const child = spawn('mmdebstrap', args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.once('error', (error) => resolve({ status: 127, said: error.message }));
    child.once('close', (status) => resolve({ status: status ?? 1, said }));
  });
}

/** The version of an installed package, as Debian writes it. */
export function packageVersion(tree: TreeName, wanted: string): string {
  const status = readFileSync(`${treePath(tree)}/var/lib/dpkg/status`, 'utf8');
  const version = new RegExp(`^Package: ${wanted}\\n(?:.+\\n)*?Version: (.+)$`, 'm').exec(status)?.[1];
  if (version === undefined) throw new Error(`"${wanted}" is no package of the root file system "${tree}"`);
  return version;
}
