// A certificate that the gateway makes for itself (RFC 5280): P-256, for its names and addresses. Browsers
// warn of it once; then what is typed cannot be read on the way.
import { createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { isIP, isIPv4 } from 'node:net';
import {
  bitFlags,
  bitString,
  boolean,
  explicit,
  implicit,
  integer,
  objectId,
  octetString,
  sequence,
  set,
  time,
  utf8,
  type Der,
} from './der.ts';

export interface KeyAndCertificate {
  readonly key: string;
  readonly certificate: string;
}

/** CA/Browser Forum and Apple: what is longer valid is refused by some. */
const VALID_DAYS = 397;
const DAY_MS = 86_400_000;

const ECDSA_SHA256 = sequence(objectId('1.2.840.10045.4.3.2'));
const COMMON_NAME = '2.5.4.3';
const BASIC_CONSTRAINTS = '2.5.29.19';
const KEY_USAGE = '2.5.29.15';
const EXTENDED_KEY_USAGE = '2.5.29.37';
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const ALTERNATIVE_NAME = '2.5.29.17';
/** The first bit: digitalSignature. */
const DIGITAL_SIGNATURE = bitFlags(0x80, 7);

/** `names` are host names and addresses, the first one is the subject. */
export function makeCertificate(names: readonly string[], now: Date): KeyAndCertificate {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const name = sequence(set(sequence(objectId(COMMON_NAME), utf8((names[0] ?? 'throughway').slice(0, 64)))));
  // A clock that is a little behind must not find it too young.
  const from = new Date(now.getTime() - DAY_MS);
  const until = new Date(now.getTime() + (VALID_DAYS - 1) * DAY_MS);
  // RFC 5280 4.1.2.2: positive, at most 20 octets.
  const serial = randomBytes(16);
  serial[0]! &= 0x7f;
  const body = sequence(
    explicit(0, integer(Uint8Array.from([2]))),
    integer(serial),
    ECDSA_SHA256,
    name,
    sequence(time(from), time(until)),
    name,
    publicKey,
    explicit(
      3,
      sequence(
        extension(BASIC_CONSTRAINTS, true, sequence()),
        extension(KEY_USAGE, true, DIGITAL_SIGNATURE),
        extension(EXTENDED_KEY_USAGE, false, sequence(objectId(SERVER_AUTH))),
        extension(ALTERNATIVE_NAME, false, sequence(...names.map(alternativeName))),
      ),
    ),
  );
  const signature = sign('sha256', body, privateKey);
  const certificate = Buffer.from(sequence(body, ECDSA_SHA256, bitString(signature))).toString('base64');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificate: `-----BEGIN CERTIFICATE-----\n${certificate.replaceAll(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
  };
}

function extension(id: string, critical: boolean, value: Der): Der {
  return sequence(objectId(id), ...(critical ? [boolean(true)] : []), octetString(value));
}

/** RFC 5280 4.2.1.6: [2] dNSName, [7] iPAddress. */
function alternativeName(name: string): Der {
  if (isIP(name) === 0) return implicit(2, new TextEncoder().encode(name));
  return implicit(7, isIPv4(name) ? Uint8Array.from(name.split('.').map(Number)) : ipv6Octets(name));
}

function ipv6Octets(text: string): Uint8Array {
  const [head = '', tail] = text.split('::');
  const front = head.split(':').filter(Boolean);
  const back = (tail ?? '').split(':').filter(Boolean);
  const zeros = Array<string>(Math.max(0, 8 - front.length - back.length)).fill('0');
  const groups = [...front, ...(tail === undefined ? [] : zeros), ...back];
  return Uint8Array.from(
    groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]),
  );
}
