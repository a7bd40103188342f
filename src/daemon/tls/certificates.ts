// The certificate that the page is served with: the administrator's own, or one that the gateway makes for
// itself and renews in time. Both are kept in the state directory, which only root reads.
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { Certificate } from '../api/account.ts';
import { Failure, reasonOf } from '../failure.ts';
import type { StateDirectory } from '../files.ts';
import { makeCertificate, type KeyAndCertificate } from './self-made.ts';

const OWN = 'certificate.json';
const SELF_MADE = 'self-made-certificate.json';
const DAY_MS = 86_400_000;
/** A self-made one is renewed when it has so long left. */
const RENEW_MS = 30 * DAY_MS;
/** Of one's own it is said when it has so long left. */
const TELL_MS = 14 * DAY_MS;

export interface CertificatesOptions {
  readonly state: StateDirectory;
  /** Host names and addresses of the gateway, the best first. */
  readonly names: () => readonly string[];
  /** Another one is to be served from now on. */
  readonly onChange: () => void;
  readonly now?: () => number;
}

export class Certificates {
  readonly #options: CertificatesOptions;
  readonly #now: () => number;

  constructor(options: CertificatesOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** What TLS is to be served with; made when there is none, or none that will do. */
  current(): KeyAndCertificate {
    const own = this.#read(OWN);
    if (own) return own;
    const made = this.#read(SELF_MADE);
    if (made && Date.parse(new X509Certificate(made.certificate).validTo) - this.#now() > RENEW_MS)
      return made;
    return this.#make();
  }

  describe(): Certificate {
    const certificate = new X509Certificate(this.current().certificate);
    const nameOf = (text: string): string =>
      /(?:^|\n)CN=([^\n]*)/.exec(text)?.[1] ?? text.replaceAll('\n', ', ');
    return {
      subject: nameOf(certificate.subject),
      issuer: nameOf(certificate.issuer),
      names: (certificate.subjectAltName ?? '')
        .split(', ')
        .map((one) => one.replace(/^(DNS|IP Address):/, ''))
        .filter(Boolean),
      not_before: new Date(certificate.validFrom).toISOString(),
      not_after: new Date(certificate.validTo).toISOString(),
      fingerprint_sha256: certificate.fingerprint256,
      self_made: this.#read(OWN) === null,
    };
  }

  /** The administrator's own, or null. */
  own(): KeyAndCertificate | null {
    return this.#read(OWN);
  }

  /** Throws Failure with a problem for the field that is wrong. */
  check(own: KeyAndCertificate): void {
    check(own, this.#now());
  }

  /** Throws Failure with a problem for the field that is wrong, and then the former one stays. */
  use(own: KeyAndCertificate): void {
    this.check(own);
    this.#write(OWN, own);
    this.#options.onChange();
  }

  /** For once a day: renews a self-made one in time, and says in a sentence when one's own nears its end. */
  look(): string | null {
    const own = this.#read(OWN);
    if (own === null) {
      const before = this.#read(SELF_MADE)?.certificate;
      if (this.current().certificate !== before) this.#options.onChange();
      return null;
    }
    const until = Date.parse(new X509Certificate(own.certificate).validTo);
    const left = until - this.#now();
    if (left > TELL_MS) return null;
    const day = new Date(until).toISOString().slice(0, 10);
    const when = left > 0 ? `is valid only until ${day}` : `has not been valid since ${day}`;
    return `The certificate of the page ${when}. Bring a new one, or go back to a self-made one, under Administration > Certificate.`;
  }

  /** A new self-made one, in the place of whatever there is. */
  renew(): void {
    this.#options.state.remove(OWN);
    this.#make();
    this.#options.onChange();
  }

  #make(): KeyAndCertificate {
    const made = makeCertificate(this.#options.names(), new Date(this.#now()));
    // Where nothing can be kept it lasts as long as the daemon; `status` tells of the disk.
    this.#unkept = made;
    this.#options.state.write(SELF_MADE, JSON.stringify(made));
    return made;
  }

  #unkept: KeyAndCertificate | null = null;

  #read(name: string): KeyAndCertificate | null {
    const text = this.#options.state.read(name);
    if (text === null) return name === SELF_MADE ? this.#unkept : null;
    try {
      const { key, certificate } = JSON.parse(text) as KeyAndCertificate;
      createSecureContext({ key, cert: certificate });
      return { key, certificate };
    } catch {
      return null;
    }
  }

  #write(name: string, pair: KeyAndCertificate): void {
    const text = JSON.stringify(pair);
    this.#options.state.write(name, text);
    if (this.#options.state.read(name) !== text)
      throw new Failure(
        'state-unwritable',
        `The state directory "${this.#options.state.path}" cannot be written, so the former certificate stays.`,
      );
  }
}

function check({ certificate, key }: KeyAndCertificate, now: number): void {
  const refuse = (path: string, message: string, hint: string): never => {
    throw new Failure('bad-request', 'The certificate cannot be used, so the former one stays.', [
      { path, message, hint },
    ]);
  };
  let first: X509Certificate | null = null;
  let privateKey: KeyObject | null = null;
  try {
    first = new X509Certificate(certificate);
  } catch {
    return refuse(
      'certificate',
      'this is no certificate in PEM',
      'It begins with "-----BEGIN CERTIFICATE-----"',
    );
  }
  try {
    privateKey = createPrivateKey(key);
  } catch {
    return refuse(
      'key',
      'this is no private key in PEM without a pass phrase',
      'It begins with "-----BEGIN PRIVATE KEY-----"',
    );
  }
  if (!first.checkPrivateKey(privateKey))
    refuse(
      'key',
      'this key does not belong to the certificate',
      'Take the key that the certificate was made for',
    );
  if (Date.parse(first.validTo) <= now)
    refuse(
      'certificate',
      `it was valid until ${new Date(first.validTo).toISOString()}`,
      'Take one that is still valid',
    );
  try {
    createSecureContext({ key, cert: certificate });
  } catch (error) {
    refuse(
      'certificate',
      `it cannot be used: ${reasonOf(error)}`,
      'Take a certificate with its chain in PEM',
    );
  }
}
