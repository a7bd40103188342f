import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { corpus, hex } from '../../../test/corpus/corpus.ts';
import {
  bytesOf,
  bytesUpTo,
  record,
  throwsWire,
  u16,
  wireProperties,
} from '../../../test/wire-properties.ts';
import { emitClientHello, parseClientHello, type ClientHello } from './tls.ts';

const small: ClientHello = {
  recordVersion: 0x0301,
  legacyVersion: 0x0303,
  random: new Uint8Array(32).fill(7),
  sessionId: new Uint8Array(),
  cipherSuites: [0x1301],
  serverName: 'vpn.example.com',
  applicationProtocols: [],
  supportedVersions: [0x0304],
};

it('reads a ClientHello of OpenSSL', () => {
  const hello = parseClientHello(corpus('tls', 'client-hello-openssl'));
  expect(hello).toMatchObject({
    recordVersion: 0x0301,
    legacyVersion: 0x0303,
    serverName: 'vpn.example.com',
    applicationProtocols: ['h2', 'http/1.1'],
    supportedVersions: [0x0304, 0x0303],
  });
  expect(hello.cipherSuites.slice(0, 3)).toEqual([0x1302, 0x1303, 0x1301]);
  expect(hello.sessionId).toHaveLength(32);
});

it('says truncated for every beginning of it', () => {
  const bytes = corpus('tls', 'client-hello-openssl');
  for (let length = 0; length < bytes.length; length += 1) {
    throwsWire(() => parseClientHello(bytes.subarray(0, length)), 'truncated');
  }
});

it('reads a ClientHello that goes over two records, and leaves what follows alone', () => {
  const bytes = emitClientHello(small);
  const content = bytes.subarray(5);
  for (const at of [1, 3, 4, 50]) {
    const head = Uint8Array.of(0x16, 3, 1, 0, at, ...content.subarray(0, at));
    const tail = Uint8Array.of(0x16, 3, 1, 0, content.length - at, ...content.subarray(at));
    expect(parseClientHello(Uint8Array.of(...head, ...tail, 0x14, 3, 3))).toEqual(small);
  }
});

it('reads a ClientHello without extensions', () => {
  const body = hex(`0303 ${'11'.repeat(32)} 00 0002 002f 01 00`);
  const bytes = Uint8Array.of(0x16, 3, 1, 0, body.length + 4, 1, 0, 0, body.length, ...body);
  expect(parseClientHello(bytes)).toMatchObject({ cipherSuites: [0x2f], serverName: null });
});

it('refuses other records, other messages, and lengths that waiting does not cure', () => {
  throwsWire(() => parseClientHello(hex('17 0301 0005 0000000000')), 'malformed');
  throwsWire(() => parseClientHello(hex('16 0201 0005 0000000000')), 'malformed');
  throwsWire(() => parseClientHello(hex('16 0301 0000')), 'malformed');
  throwsWire(() => parseClientHello(hex('16 0301 4001')), 'malformed');
  throwsWire(() => parseClientHello(hex('16 0301 0004 02000000')), 'unsupported');
  throwsWire(() => parseClientHello(hex('16 0301 0004 01010000')), 'malformed');
  throwsWire(() => parseClientHello(hex('16 0301 0006 01000002 0303')), 'malformed');
});

it('refuses a server name with a space, and an extension given twice', () => {
  throwsWire(() => parseClientHello(emitClientHello({ ...small, serverName: 'a b' })), 'malformed');
  const bytes = emitClientHello({ ...small, serverName: 'a', supportedVersions: [0x0304] });
  // The server name extension takes 10 bytes here, the versions extension behind it 7.
  bytes.set([0x0a, 0x0a], bytes.length - 17);
  expect(parseClientHello(bytes).serverName).toBeNull();
  bytes.set([0x0a, 0x0a], bytes.length - 7);
  throwsWire(() => parseClientHello(bytes), 'malformed');
});

const name = fc.stringMatching(/^[!-~]{1,30}$/);

wireProperties('ClientHello', {
  draft: record<ClientHello>({
    recordVersion: fc.constantFrom(0x0301, 0x0303),
    legacyVersion: u16,
    random: bytesOf(32),
    sessionId: bytesUpTo(32),
    cipherSuites: fc.array(u16, { maxLength: 4 }),
    serverName: fc.option(name, { nil: null }),
    applicationProtocols: fc.array(name, { maxLength: 3 }),
    supportedVersions: fc.array(u16, { maxLength: 3 }),
  }),
  emit: emitClientHello,
  parse: parseClientHello,
});
