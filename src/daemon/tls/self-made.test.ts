import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StateDirectory } from '../files.ts';
import { Certificates } from './certificates.ts';
import { makeCertificate } from './self-made.ts';

const NAMES = ['gateway.lan', '192.168.1.1', 'fd00::1'];
const DAY_MS = 86_400_000;

describe('a certificate of our own making', () => {
  it('is for all names and addresses, and signed with its own key', () => {
    const now = new Date('2026-03-04T05:06:07Z');
    const { certificate, key } = makeCertificate(NAMES, now);
    const read = new X509Certificate(certificate);
    expect(read.subject).toBe('CN=gateway.lan');
    expect(read.subjectAltName).toBe(
      'DNS:gateway.lan, IP Address:192.168.1.1, IP Address:FD00:0:0:0:0:0:0:1',
    );
    expect(read.verify(read.publicKey)).toBe(true);
    expect(read.ca).toBe(false);
    expect(read.checkHost('gateway.lan')).toBe('gateway.lan');
    expect(read.checkIP('192.168.1.1')).toBe('192.168.1.1');
    expect(new Date(read.validFrom).toISOString()).toBe('2026-03-03T05:06:07.000Z');
    expect(Date.parse(read.validTo) - Date.parse(read.validFrom)).toBeLessThanOrEqual(398 * DAY_MS);
    expect(key).toContain('BEGIN PRIVATE KEY');
  });

  it('is taken by a TLS client that trusts it, for its name and for its addresses', async () => {
    const { certificate, key } = makeCertificate([...NAMES, '127.0.0.1'], new Date());
    const server = createServer({ key, cert: certificate });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const trusted = (servername?: string) =>
      new Promise<boolean>((resolve, reject) => {
        const options = { port, host: '127.0.0.1', ca: certificate, ...(servername ? { servername } : {}) };
        const socket = connect(options, () => {
          resolve(socket.authorized);
          socket.destroy();
        });
        socket.once('error', reject);
      });
    try {
      expect(await trusted('gateway.lan')).toBe(true);
      expect(await trusted()).toBe(true);
      await expect(trusted('evil.example')).rejects.toThrow(/altnames/);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});

describe('which certificate is served', () => {
  let folder: string;
  let now: number;
  let changes: number;
  let certificates: Certificates;
  const open = (): Certificates =>
    new Certificates({
      state: new StateDirectory(folder, () => undefined),
      names: () => NAMES,
      onChange: () => {
        changes += 1;
      },
      now: () => now,
    });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'certificates-'));
    now = Date.now();
    changes = 0;
    certificates = open();
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is made once, kept over a restart, and renewed in time', () => {
    const { fingerprint_sha256: first, self_made } = certificates.describe();
    expect(self_made).toBe(true);
    expect(open().describe().fingerprint_sha256).toBe(first);
    now += 360 * DAY_MS;
    expect(certificates.describe().fingerprint_sha256).toBe(first);
    now += 10 * DAY_MS;
    expect(certificates.describe().fingerprint_sha256).not.toBe(first);
  });

  it("is the administrator's own when there is one, until a new one is made", () => {
    const own = makeCertificate(['own.example'], new Date(now));
    certificates.use(own);
    expect([certificates.describe().subject, certificates.describe().self_made]).toEqual([
      'own.example',
      false,
    ]);
    certificates.renew();
    expect([certificates.describe().subject, certificates.describe().self_made]).toEqual([
      'gateway.lan',
      true,
    ]);
    expect(changes).toBe(2);
  });

  it('a daemon that runs for a year renews its own, and says when the one that was brought nears its end', () => {
    const first = certificates.current().certificate;
    expect([certificates.look(), changes]).toEqual([null, 0]);
    now += 370 * DAY_MS;
    expect([certificates.look(), changes]).toEqual([null, 1]);
    expect(certificates.current().certificate).not.toBe(first);
    certificates.use(makeCertificate(['own.example'], new Date(now)));
    expect(certificates.look()).toBeNull();
    now += 385 * DAY_MS;
    expect(certificates.look()).toMatch(
      /^The certificate of the page is valid only until \d{4}-\d\d-\d\d\. /,
    );
    now += 20 * DAY_MS;
    expect(certificates.look()).toMatch(/^The certificate of the page has not been valid since /);
    expect(changes).toBe(2);
  });

  it('what cannot be used is refused by its field, and the former one stays', () => {
    const own = makeCertificate(['own.example'], new Date(now));
    const other = makeCertificate(['other.example'], new Date(now));
    const old = makeCertificate(['old.example'], new Date(now - 500 * DAY_MS));
    const before = certificates.describe().fingerprint_sha256;
    const problemOf = (pair: { certificate: string; key: string }): unknown => {
      try {
        certificates.use(pair);
        return null;
      } catch (error) {
        return (error as { problems: { path: string }[] }).problems.map(({ path }) => path);
      }
    };
    expect(problemOf({ ...own, certificate: 'no' })).toEqual(['certificate']);
    expect(problemOf({ ...own, key: 'no' })).toEqual(['key']);
    expect(problemOf({ ...own, key: other.key })).toEqual(['key']);
    expect(problemOf(old)).toEqual(['certificate']);
    expect(certificates.describe().fingerprint_sha256).toBe(before);
    expect(changes).toBe(0);
  });
});
