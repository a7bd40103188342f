import { deepStrictEqual, strictEqual } from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'vitest';
import { corpus } from '../../../test/corpus/corpus.ts';
import { bytesUpTo } from '../../../test/wire-properties.ts';
import { emitOpenvpn } from '../wire/openvpn.ts';
import { emitStun, stunTypes } from '../wire/stun.ts';
import { emitClientHello, type ClientHello } from '../wire/tls.ts';
import { recognise } from './recognise.ts';

const sure = (protocol: string) => ({ protocol, guessed: false, serverName: null });

const hello = (serverName: string | null, applicationProtocols: string[] = []): Uint8Array => {
  const draft: ClientHello = {
    recordVersion: 0x0301,
    legacyVersion: 0x0303,
    random: new Uint8Array(32),
    sessionId: new Uint8Array(),
    cipherSuites: [0x1301],
    serverName,
    applicationProtocols,
    supportedVersions: [],
  };
  return emitClientHello(draft);
};

describe('recognise', () => {
  it('knows OpenVPN by its first packet, on any port, over UDP and TCP', () => {
    deepStrictEqual(recognise('udp', 1194, corpus('openvpn', 'hard-reset-client')), sure('openvpn'));
    deepStrictEqual(recognise('tcp', 1194, corpus('openvpn', 'tcp-hard-reset-client')), sure('openvpn'));
    const plain = emitOpenvpn({
      kind: 'control',
      opcode: 7,
      keyId: 0,
      sessionId: 5n,
      body: new Uint8Array(5),
    });
    deepStrictEqual(recognise('udp', 8080, plain), sure('openvpn'));
    const wrapped = emitOpenvpn({
      kind: 'control',
      opcode: 7,
      keyId: 0,
      sessionId: 5n,
      body: new Uint8Array(45),
    });
    strictEqual(recognise('udp', 8080, wrapped)?.guessed, true);
    strictEqual(recognise('udp', 1194, corpus('openvpn', 'data-v2')), null);
  });

  it('knows WireGuard and STUN', () => {
    deepStrictEqual(recognise('udp', 51_820, corpus('wireguard', 'initiation')), sure('wireguard'));
    const ask = emitStun({
      type: stunTypes.bindingRequest,
      transactionId: new Uint8Array(12),
      attributes: [],
    });
    deepStrictEqual(recognise('udp', 3478, ask), sure('stun'));
  });

  it('guesses by the name in a ClientHello, and takes no web site for a VPN', () => {
    const guess = (name: string | null, port = 443) => recognise('tcp', port, hello(name))?.protocol;
    strictEqual(guess('vpn123.vpnazure.net'), 'sstp');
    strictEqual(guess('sstp.example.com'), 'sstp');
    strictEqual(guess('public-vpn-12.opengw.net'), 'softether');
    strictEqual(guess(null, 5555), 'softether');
    strictEqual(guess('vpn.example.com'), 'anyconnect');
    strictEqual(guess('www.example.com'), undefined);
    strictEqual(guess('vpns-compared.example.com'), undefined);
    strictEqual(recognise('tcp', 443, hello('vpn.example.com', ['h2', 'http/1.1'])), null);
    strictEqual(recognise('tcp', 443, hello('vpn.example.com'))?.serverName, 'vpn.example.com');
  });

  it('finds nothing or something in any bytes, and never throws', () => {
    fc.assert(
      fc.property(fc.constantFrom('udp' as const, 'tcp' as const), bytesUpTo(200), (transport, bytes) => {
        recognise(transport, 443, bytes);
      }),
    );
  });
});
