// One Debian package: Node, the program as JavaScript, the packages it runs on, the page, the service, the
// manual pages and the completions, laid out and packed. deb(5), deb-control(5).
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { COMMANDS } from '../src/cli/commands.ts';
import { renderCompletion } from '../src/cli/completion.ts';
import { TOPICS } from '../src/core/advice/topics.ts';
import { settingNames } from '../src/core/config/document.ts';
import { stripElf } from './elf.ts';
import { isNode, readRuntimePackages, type Architecture, type LockedPackage } from './lockfile.ts';
import { renderCommandsPage, renderConfigPage } from './man.ts';
import { licenseFile, runtimeFiles } from './modules.ts';
import { bringPackage, run } from './registry.ts';
import { renderCopyright, renderSbom, type Product } from './sbom.ts';
import { Tree } from './tree.ts';

const APP = 'usr/lib/throughway';
const DOC = 'usr/share/doc/throughway';
const MAINTAINER = 'Throughway developers <maintainers@throughway.example>';

export interface DebOptions {
  readonly root: string;
  /** The program as JavaScript, see main.ts. */
  readonly program: string;
  /** The built page, or null where there is none. */
  readonly ui: string | null;
  readonly product: Product;
  readonly architecture: Architecture;
  readonly epochSeconds: number;
  /** `quick` for a trial: packing well takes most of the time. */
  readonly compression: 'small' | 'quick';
  /** Where the package and its SBOM go. */
  readonly out: string;
}

/** Makes the package and returns its path. */
export function buildDeb(options: DebOptions): string {
  const { root, product, architecture, epochSeconds } = options;
  const stage = mkdtempSync(join(tmpdir(), 'throughway-package-'));
  try {
    const tree = new Tree(join(stage, 'tree'));
    const packages = readRuntimePackages(join(root, 'package-lock.json'), architecture);
    const licenses = layPackages(tree, root, packages);
    layFolder(tree, options.program, APP);
    tree.write(
      `${APP}/package.json`,
      `${JSON.stringify({ name: product.name, version: product.version, type: 'module' })}\n`,
    );
    if (options.ui !== null) layFolder(tree, options.ui, `${APP}/dist/ui`);
    tree.write(
      'usr/bin/throughway',
      renderLauncher(readFileSync(join(root, 'bin/throughway'), 'utf8')),
      0o755,
    );
    // Where the lab of "throughway selftest" looks for it.
    tree.link(`${APP}/bin/throughway`, '../../../bin/throughway');
    laySystemFiles(tree, options);
    const name = `${product.name}_${product.version}_${architecture}`;
    const sbom = renderSbom(product, architecture, packages);
    tree.write(`${DOC}/sbom.cdx.json`, sbom);
    tree.write(
      `${DOC}/copyright`,
      renderCopyright(packages, APP, (one) => licenses.get(one.path) ?? null),
    );
    const sums = tree.md5sums();
    const sizeKib = tree.sizeKib();
    tree.write('DEBIAN/md5sums', sums);
    tree.write('DEBIAN/control', renderControl(product, architecture, sizeKib));
    for (const script of ['postinst', 'prerm', 'postrm'])
      tree.write(`DEBIAN/${script}`, readFileSync(join(root, 'packaging/debian', script)), 0o755);
    tree.settle(epochSeconds);
    const deb = join(options.out, `${name}.deb`);
    // One thread: more of them cut the archive into other blocks.
    run(
      'dpkg-deb',
      [
        '--root-owner-group',
        '-Zxz',
        options.compression === 'small' ? '-z6' : '-z0',
        '--threads-max=1',
        '--build',
        tree.root,
        deb,
      ],
      {
        ...process.env,
        SOURCE_DATE_EPOCH: String(epochSeconds),
      },
    );
    new Tree(options.out).write(`${name}.cdx.json`, sbom);
    return deb;
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

/** Lays Node and the npm packages; returns each one's licence text by its path. */
function layPackages(tree: Tree, root: string, packages: readonly LockedPackage[]): Map<string, string> {
  const licenses = new Map<string, string>();
  for (const one of packages) {
    const folder = bringPackage(root, one);
    const files = isNode(one) ? readdirSync(folder) : runtimeFiles(folder);
    const license = licenseFile(files);
    if (license !== null) licenses.set(one.path, readFileSync(join(folder, license), 'utf8'));
    if (isNode(one)) {
      tree.write(`${APP}/node`, stripElf(readFileSync(join(folder, 'bin/node'))), 0o755);
      continue;
    }
    for (const file of files) {
      // The texts stand together in the copyright file.
      if (file === license) continue;
      tree.write(`${APP}/${one.path}/${file}`, readFileSync(join(folder, file)));
    }
  }
  return licenses;
}

function layFolder(tree: Tree, folder: string, to: string): void {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  for (const entry of files) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    tree.write(join(to, path.slice(folder.length + 1)), readFileSync(path));
  }
}

/** What bin/throughway does, with the places of an installed one. Node's flags stand there and only there. */
export function renderLauncher(source: string): string {
  const flags = /^exec "\$node" (.*) "\$here\/src\/cli\/main\.ts" "\$@"$/m.exec(source)?.[1];
  if (flags === undefined) throw new Error('bin/throughway does not end as expected');
  return `#!/bin/sh\nexec /${APP}/node ${flags} /${APP}/src/cli/main.js "$@"\n`;
}

function laySystemFiles(tree: Tree, { root, product, epochSeconds }: DebOptions): void {
  // Debian 12 looks in /lib, which is a link to /usr/lib there; packages of it ship below /lib (lintian).
  tree.write(
    'lib/systemd/system/throughway.service',
    readFileSync(join(root, 'packaging/throughway.service')),
  );
  tree.makeFolder('etc/throughway');
  const edition = { version: product.version, epochSeconds };
  const gzip = (text: string): Buffer => gzipSync(text, { level: 9 });
  tree.write('usr/share/man/man8/throughway.8.gz', gzip(renderCommandsPage(COMMANDS, edition)));
  tree.write('usr/share/man/man5/throughway.yaml.5.gz', gzip(renderConfigPage(edition)));
  const named = { topics: TOPICS.map((one) => one.name), settings: settingNames() };
  tree.write('usr/share/bash-completion/completions/throughway', renderCompletion('bash', COMMANDS, named));
  tree.write('usr/share/zsh/vendor-completions/_throughway', renderCompletion('zsh', COMMANDS, named));
  tree.write(
    'usr/share/fish/vendor_completions.d/throughway.fish',
    renderCompletion('fish', COMMANDS, named),
  );
  const date = new Date(epochSeconds * 1000).toUTCString().replace('GMT', '+0000');
  const entry = `${product.name} (${product.version}) unstable; urgency=medium\n\n  * See NEWS.gz for what has changed.\n\n -- ${MAINTAINER}  ${date}\n`;
  tree.write(`${DOC}/changelog.gz`, gzip(entry));
  tree.write(`${DOC}/NEWS.gz`, gzip(readFileSync(join(root, 'CHANGELOG.md'), 'utf8')));
  const overrides = join(root, 'packaging/debian/lintian-overrides');
  if (existsSync(overrides)) tree.write('usr/share/lintian/overrides/throughway', readFileSync(overrides));
}

function renderControl(product: Product, architecture: Architecture, sizeKib: number): string {
  return `Package: ${product.name}
Version: ${product.version}
Architecture: ${architecture}
Maintainer: ${MAINTAINER}
Installed-Size: ${sizeKib}
Depends: adduser, libc6 (>= 2.28), libgcc-s1 (>= 4.2), libnftables1 (>= 1.0.6), libstdc++6 (>= 6)
Recommends: iproute2, nftables
Suggests: dnsmasq
Section: net
Priority: optional
Description: VPN passthrough gateway
 Turns a machine with a LAN and a WAN side into the router behind which the VPN
 connections of every device pass: PPTP, L2TP and IPsec, any number of devices,
 also to the same server. Each can be switched on and off at once.
 .
 It lets the VPN packets of other machines pass and performs no VPN operation
 of its own. The rules are in one nftables table; a daemon keeps them true.
`;
}
