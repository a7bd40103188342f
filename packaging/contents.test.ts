import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../src/cli/commands.ts';
import { configSchema } from '../src/core/config/schema.ts';
import { renderLauncher } from './deb.ts';
import { isNode, MOST_RUNTIME_PACKAGES, readRuntimePackages } from './lockfile.ts';
import { renderCommandsPage, renderConfigPage } from './man.ts';
import { licenseFile, runtimeFiles } from './modules.ts';
import { renderCopyright, renderSbom } from './sbom.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const EDITION = { version: '1.2.3', epochSeconds: 0 };
const packages = readRuntimePackages(`${root}/package-lock.json`, 'amd64');
const manifest = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as {
  version: string;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};

describe('the packages that are shipped', () => {
  it('are those that the product names and what they need, nothing of development, within the budget', () => {
    const names = packages.map((one) => one.name);
    for (const name of Object.keys(manifest.dependencies)) expect(names).toContain(name);
    for (const name of Object.keys(manifest.devDependencies)) expect(names).not.toContain(name);
    expect(packages.length).toBeLessThanOrEqual(MOST_RUNTIME_PACKAGES);
  });

  it('are Node and koffi of the right architecture', () => {
    for (const [architecture, node] of [
      ['amd64', 'x64'],
      ['arm64', 'arm64'],
    ] as const) {
      const native = readRuntimePackages(`${root}/package-lock.json`, architecture)
        .map((one) => one.name)
        .filter((name) => /linux/.test(name));
      expect(native).toEqual([`@koromix/koffi-linux-${node}`, `node-linux-${node}`]);
    }
  });

  it('each have a reason in ARCHITECTURE.md, when the product names them', () => {
    const reasons = readFileSync(`${root}/ARCHITECTURE.md`, 'utf8');
    for (const name of Object.keys(manifest.dependencies))
      expect(reasons).toMatch(new RegExp(`^\\| .*\`${name}\``, 'm'));
  });

  it('come with a licence that allows it', () => {
    const allowed = ['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', '0BSD', 'BlueOak-1.0.0'];
    for (const { license, name } of packages) expect([name, allowed.includes(license)]).toEqual([name, true]);
  });

  it('are had from the lockfile only, with checksums, without install scripts and without an audit', () => {
    const settings = readFileSync(`${root}/.npmrc`, 'utf8').split('\n');
    for (const line of ['ignore-scripts=true', 'save-exact=true', 'audit=false'])
      expect(settings).toContain(line);
    const { packages: all } = JSON.parse(readFileSync(`${root}/package-lock.json`, 'utf8')) as {
      packages: Record<string, { integrity?: string; link?: boolean; inBundle?: boolean }>;
    };
    for (const [path, one] of Object.entries(all))
      if (path !== '' && !one.inBundle)
        expect([path, one.link ?? false, one.integrity]).toEqual([
          path,
          false,
          expect.stringMatching(/^sha512-/),
        ]);
    for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }))
      expect([name, version]).toEqual([name, expect.stringMatching(/^\d+\.\d+\.\d+$/)]);
    const scripts = globSync(['scripts/**/*', 'packaging/**/*', '.ci/*', 'package.json'], { cwd: root })
      .filter((path) => /\.(ts|mjs|json)$|^\.ci\//.test(path) && !path.endsWith('.test.ts'))
      .map((path) => [path, readFileSync(`${root}/${path}`, 'utf8')] as const);
    expect(scripts.length).toBeGreaterThan(20);
    for (const [path, text] of scripts) expect([path, /npm audit|'audit'/.test(text)]).toEqual([path, false]);
  });

  it('leave types, tests and documentation behind', () => {
    const files = runtimeFiles(`${root}/node_modules/fastify`);
    expect(files).toContain('fastify.js');
    expect(files).toContain('lib/reply.js');
    expect(files.filter((one) => /(\.d\.ts|\.md|^test\/|^docs\/)/.test(one))).toEqual([]);
    expect(licenseFile(files)).toBe('LICENSE');
  });
});

describe('what accounts for them', () => {
  it('is a CycloneDX list of every one, with its checksum, and the same each time', () => {
    const product = { name: 'throughway', version: '1.2.3', license: 'Apache-2.0' };
    const text = renderSbom(product, 'amd64', packages);
    expect(renderSbom(product, 'amd64', packages)).toBe(text);
    const bom = JSON.parse(text) as {
      bomFormat: string;
      components: { name: string; version: string; hashes: { alg: string; content: string }[] }[];
    };
    expect(bom.bomFormat).toBe('CycloneDX');
    expect(bom.components.map((one) => one.name)).toEqual(packages.map((one) => one.name));
    for (const { hashes } of bom.components)
      expect(hashes).toEqual([
        { alg: 'SHA-512', content: expect.stringMatching(/^[0-9a-f]{128}$/) as string },
      ]);
  });

  it('is a copyright file with a paragraph for each', () => {
    const text = renderCopyright(
      packages,
      'usr/lib/throughway',
      () => 'Copyright (c) 2001 Ann\n\nDo as you like.',
    );
    for (const one of packages)
      expect(text).toContain(`Files: usr/lib/throughway/${isNode(one) ? 'node' : `${one.path}/*`}\n`);
    expect(text).toContain('Copyright: Copyright (c) 2001 Ann\n');
    expect(text).toContain('\n .\n Do as you like.\n');
  });
});

describe('the manual pages', () => {
  const plain = (text: string): string => text.replaceAll('\\-', '-').replaceAll(/\\f[BIR]/g, '');

  it('throughway(8) has every command and option', () => {
    const page = plain(renderCommandsPage(COMMANDS, EDITION));
    for (const command of COMMANDS) {
      expect(page).toContain(`.SS ${[command.name, ...command.args].join(' ')}\n`);
      for (const option of command.options) expect(page).toContain(`--${option.name}`);
    }
  });

  it('throughway.yaml(5) has every setting', () => {
    const page = plain(renderConfigPage(EDITION));
    for (const name of Object.keys(configSchema.shape)) expect(page).toContain(name);
    expect(page).toContain('timeouts.vpn_udp_seconds\n');
    expect(page).toContain('Allowed: 120 to 86400 seconds; default: 330.');
  });

  it('have no line that troff takes for a request of its own', () => {
    for (const page of [renderCommandsPage(COMMANDS, EDITION), renderConfigPage(EDITION)])
      for (const line of page.split('\n'))
        expect(line).toMatch(/^(?:[^.']|\.(?:TH|SH|SS|TP|PP|B|I|br|nf|fi|RS|RE)\b|$)/);
  });
});

describe('the installed program', () => {
  it("starts Node as the project's own does", () => {
    const flags = /exec "\$node" (.*) "\$here/.exec(readFileSync(`${root}/bin/throughway`, 'utf8'))![1]!;
    expect(renderLauncher(readFileSync(`${root}/bin/throughway`, 'utf8'))).toBe(
      `#!/bin/sh\nexec /usr/lib/throughway/node ${flags} /usr/lib/throughway/src/cli/main.js "$@"\n`,
    );
    expect(() => renderLauncher('#!/bin/sh\n')).toThrow('does not end as expected');
  });
});
