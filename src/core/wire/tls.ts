// The ClientHello at the beginning of a TLS connection: server name, application protocols and
// versions, which tell an SSTP, AnyConnect or SoftEther client from others. It may be cut short by
// TCP segmentation, and is `truncated` then; all else that is wrong is not cured by waiting. Other
// extensions are skipped; no connection is ever made with what is emitted.
// RFC 8446 4.1.2, 4.2 and 5.1, RFC 6066 3, RFC 7301 3.1.

import { assert } from '../assert.ts';
import { Reader, readWhole, WireError, Writer } from './bytes.ts';

/** A ClientHello; what it does not tell is null or empty. */
export interface ClientHello {
  readonly recordVersion: number;
  readonly legacyVersion: number;
  readonly random: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly cipherSuites: readonly number[];
  readonly serverName: string | null;
  readonly applicationProtocols: readonly string[];
  readonly supportedVersions: readonly number[];
}

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const HOST_NAME = 0;
const SERVER_NAME_EXTENSION = 0;
const APPLICATION_PROTOCOLS_EXTENSION = 16;
const SUPPORTED_VERSIONS_EXTENSION = 43;
const RANDOM_BYTES = 32;

/** RFC 8446 5.1: a record carries at most 2^14 bytes. */
const MAXIMUM_RECORD_BYTES = 0x4000;

/** Far over any seen; a collector must not be made to wait for the 16 MiB the field can say. */
const MAXIMUM_HELLO_BYTES = 0xffff;

/** Reads the ClientHello that a TCP stream begins with; offsets in errors inside it count from its own start. */
export function parseClientHello(bytes: Uint8Array): ClientHello {
  const reader = new Reader(bytes);
  let recordVersion: number | null = null;
  let hello: Uint8Array = new Uint8Array();
  for (let wanted = 4; hello.length < wanted; wanted = helloBytes(hello)) {
    const [version, fragment] = readRecord(reader);
    recordVersion ??= version;
    hello = new Writer(hello.length + fragment.length).put(hello).put(fragment).bytes;
  }
  assert(recordVersion !== null, 'at least one record was read');
  return readWhole(() => readHello(recordVersion, hello.subarray(4, helloBytes(hello))));
}

function readRecord(reader: Reader): [version: number, fragment: Uint8Array] {
  const at = reader.at;
  // RFC 8446 5.1: what comes first, and until the ClientHello is whole, are handshake records.
  if (reader.u8() !== HANDSHAKE) throw new WireError('malformed', at, 'no TLS handshake record');
  const version = reader.u16();
  if (version >> 8 !== 3) throw new WireError('malformed', at + 1, `TLS version ${version.toString(16)}`);
  const length = reader.u16();
  // RFC 8446 5.1: handshake records are never empty.
  if (length === 0 || length > MAXIMUM_RECORD_BYTES) {
    throw new WireError('malformed', at + 3, `TLS record of ${length} bytes`);
  }
  return [version, reader.bytes(length)];
}

/** The length of the ClientHello with its header; more than there is while the header is not whole. */
function helloBytes(hello: Uint8Array): number {
  if (hello[0] !== CLIENT_HELLO) throw new WireError('unsupported', 5, `TLS handshake type ${hello[0]}`);
  if (hello.length < 4) return 4;
  const length = new Reader(hello).u32() & 0xffffff;
  if (length > MAXIMUM_HELLO_BYTES) throw new WireError('malformed', 6, `ClientHello of ${length} bytes`);
  return 4 + length;
}

function readHello(recordVersion: number, bytes: Uint8Array): ClientHello {
  const reader = new Reader(bytes);
  const legacyVersion = reader.u16();
  const random = reader.bytes(RANDOM_BYTES);
  const sessionId = reader.bytes(reader.u8());
  const cipherSuites = readU16s(reader.bytes(reader.u16()));
  reader.skip(reader.u8());
  const hello = { recordVersion, legacyVersion, random, sessionId, cipherSuites };
  const extensions = readExtensions(reader);
  const body = (type: number): Reader | null => {
    const found = extensions.get(type);
    return found ? new Reader(found) : null;
  };
  const names = body(SERVER_NAME_EXTENSION);
  const protocols = body(APPLICATION_PROTOCOLS_EXTENSION);
  const versions = body(SUPPORTED_VERSIONS_EXTENSION);
  return {
    ...hello,
    serverName: names && readServerName(names),
    applicationProtocols: protocols ? readProtocols(protocols) : [],
    supportedVersions: versions ? readU16s(versions.bytes(versions.u8())) : [],
  };
}

function readExtensions(hello: Reader): Map<number, Uint8Array> {
  const extensions = new Map<number, Uint8Array>();
  // RFC 5246 7.4.1.2: older clients end before the extensions.
  if (hello.remaining === 0) return extensions;
  const reader = new Reader(hello.bytes(hello.u16()));
  while (reader.remaining > 0) {
    const at = reader.at;
    const type = reader.u16();
    // RFC 8446 4.2: no type twice, so that nobody reads another server name than we do.
    if (extensions.has(type)) throw new WireError('malformed', at, `extension ${type} twice`);
    extensions.set(type, reader.bytes(reader.u16()));
  }
  return extensions;
}

function readServerName(extension: Reader): string | null {
  const reader = new Reader(extension.bytes(extension.u16()));
  while (reader.remaining > 0) {
    const type = reader.u8();
    const at = reader.at;
    const name = latin1(reader.bytes(reader.u16()));
    if (type !== HOST_NAME) continue;
    // RFC 6066 3: a host name in ASCII; it will be shown, so controls and spaces are refused.
    if (!/^[\u0021-\u007e]+$/.test(name)) throw new WireError('malformed', at, 'server name');
    return name;
  }
  return null;
}

function readProtocols(extension: Reader): string[] {
  const reader = new Reader(extension.bytes(extension.u16()));
  const names: string[] = [];
  while (reader.remaining > 0) names.push(latin1(reader.bytes(reader.u8())));
  return names;
}

function readU16s(bytes: Uint8Array): number[] {
  const reader = new Reader(bytes);
  const numbers: number[] = [];
  while (reader.remaining > 0) numbers.push(reader.u16());
  return numbers;
}

function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
}

/** A ClientHello in one record, with the extensions it has values for. */
export function emitClientHello(hello: ClientHello): Uint8Array {
  const { recordVersion, legacyVersion, random, sessionId, cipherSuites } = hello;
  assert(random.length === RANDOM_BYTES, 'the random is of 32 bytes');
  const parts = [u16(legacyVersion), random, vector8(sessionId), vector16(u16s(cipherSuites))];
  const body = joined([...parts, vector8(Uint8Array.of(0)), vector16(emitExtensions(hello))]);
  const header = new Writer(4).u32(CLIENT_HELLO * 0x1000000 + body.length).bytes;
  assert(body.length + 4 <= MAXIMUM_RECORD_BYTES, 'the ClientHello fits one record');
  return joined([Uint8Array.of(HANDSHAKE), u16(recordVersion), vector16(joined([header, body]))]);
}

function emitExtensions({ serverName, applicationProtocols, supportedVersions }: ClientHello): Uint8Array {
  const extension = (type: number, body: Uint8Array): Uint8Array => joined([u16(type), vector16(body)]);
  const parts: Uint8Array[] = [];
  if (serverName !== null) {
    const name = joined([Uint8Array.of(HOST_NAME), vector16(fromLatin1(serverName))]);
    parts.push(extension(SERVER_NAME_EXTENSION, vector16(name)));
  }
  if (applicationProtocols.length > 0) {
    const names = joined(applicationProtocols.map((name) => vector8(fromLatin1(name))));
    parts.push(extension(APPLICATION_PROTOCOLS_EXTENSION, vector16(names)));
  }
  if (supportedVersions.length > 0) {
    parts.push(extension(SUPPORTED_VERSIONS_EXTENSION, vector8(u16s(supportedVersions))));
  }
  return joined(parts);
}

function fromLatin1(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

function u16(value: number): Uint8Array {
  return new Writer(2).u16(value).bytes;
}

function u16s(values: readonly number[]): Uint8Array {
  return joined(values.map(u16));
}

function vector8(bytes: Uint8Array): Uint8Array {
  return joined([Uint8Array.of(bytes.length), bytes]);
}

function vector16(bytes: Uint8Array): Uint8Array {
  return joined([u16(bytes.length), bytes]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const writer = new Writer(parts.reduce((sum, part) => sum + part.length, 0));
  for (const part of parts) writer.put(part);
  return writer.bytes;
}
