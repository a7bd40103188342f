// What is inside the package, for those who must account for it: a CycloneDX 1.6 list of components, and
// the licences in Debian's machine-readable form. Both from the lockfile alone.
import { createHash } from 'node:crypto';
import type { LockedPackage } from './lockfile.ts';

export interface Product {
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

export function renderSbom(
  product: Product,
  architecture: string,
  packages: readonly LockedPackage[],
): string {
  const purl = (one: { name: string; version: string }): string =>
    `pkg:npm/${one.name.replace('@', '%40')}@${one.version}`;
  const own = `pkg:deb/debian/${product.name}@${product.version}?arch=${architecture}`;
  const components = packages.map((one) => {
    const [algorithm = '', digest = ''] = one.integrity.split('-', 2);
    return {
      type: 'library',
      'bom-ref': `${purl(one)}#${one.path}`,
      name: one.name,
      version: one.version,
      purl: purl(one),
      licenses: [{ expression: one.license }],
      hashes: [
        {
          alg: algorithm.replace(/^sha/, 'SHA-'),
          content: Buffer.from(digest, 'base64').toString('hex'),
        },
      ],
    };
  });
  const bom = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    // From the contents, so that the same package has the same number.
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify([own, components]))}`,
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': own,
        name: product.name,
        version: product.version,
        purl: own,
        licenses: [{ expression: product.license }],
      },
    },
    components,
    dependencies: [{ ref: own, dependsOn: components.map((one) => one['bom-ref']) }],
  };
  return `${JSON.stringify(bom, null, 2)}\n`;
}

/** RFC 9562 5.8: a UUID of one's own making. */
function uuidOf(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** `licenseOf` gives the text that came with a package, or null. */
export function renderCopyright(
  packages: readonly LockedPackage[],
  appFolder: string,
  licenseOf: (one: LockedPackage) => string | null,
): string {
  const indent = (text: string): string =>
    text
      .replaceAll('\r', '')
      .trimEnd()
      .split('\n')
      .map((line) => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`))
      .join('\n');
  const lines = [
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/',
    'Upstream-Name: throughway',
    '',
    'Files: *',
    'Copyright: The Throughway authors',
    'License: Apache-2.0',
    ' On Debian systems, the full text of the Apache License, Version 2.0, is in',
    ' /usr/share/common-licenses/Apache-2.0.',
  ];
  for (const one of packages) {
    const text = licenseOf(one) ?? `The package says "${one.license}" and brings no text.`;
    const holder = /^.*copyright\s+(?:\(c\)|©|[12]\d{3}).*$/im.exec(text)?.[0].trim();
    const files = one.name.startsWith('node-linux-') ? `${appFolder}/node` : `${appFolder}/${one.path}/*`;
    lines.push(
      '',
      `Files: ${files}`,
      `Copyright: ${holder ?? `the authors of ${one.name}`}`,
      `License: ${one.license.replaceAll(/[()]/g, '')}-of-${one.name.replaceAll(/[@/]/g, '-').replace(/^-/, '')}`,
      indent(text),
    );
  }
  return `${lines.join('\n')}\n`;
}
