// OpenVPN: the client's hard reset, over UDP and over TCP. A server with tls-auth or tls-crypt does not
// answer strangers at all. openvpn-rfc 4.2; ssl_pkt.h.
import {
  emitOpenvpn,
  emitOpenvpnControlBody,
  emitOpenvpnTcp,
  openvpnOpcodes,
  parseOpenvpn,
  parseOpenvpnControlBody,
  parseOpenvpnTcp,
} from '../wire/openvpn.ts';
import { ended, reading, type Probe } from './attempt.ts';

const SILENCE =
  'OpenVPN servers with tls-auth or tls-crypt, which is most of them, do not answer strangers: silence is not an answer.';

function openvpnProbe(id: string, name: string, transport: 'udp' | 'tcp', port: number): Probe {
  const emit = transport === 'udp' ? emitOpenvpn : emitOpenvpnTcp;
  const parse = transport === 'udp' ? parseOpenvpn : parseOpenvpnTcp;
  return {
    id,
    name,
    transport,
    port,
    passthrough: null,
    silence: SILENCE,
    begin: (random) => {
      const sessionId = random(8).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
      const body = emitOpenvpnControlBody({
        acks: [],
        remoteSessionId: null,
        packetId: 0,
        payload: new Uint8Array(),
      });
      return {
        opening: emit({
          kind: 'control',
          opcode: openvpnOpcodes.hardResetClientV2,
          keyId: 0,
          sessionId,
          body,
        }),
        hear: (bytes) =>
          reading('OpenVPN', () => {
            const packet = parse(bytes);
            // openvpn-rfc 4.2: the server's reset acknowledges ours, by our session id.
            const isReset =
              packet.kind === 'control' &&
              packet.opcode === openvpnOpcodes.hardResetServerV2 &&
              parseOpenvpnControlBody(packet.opcode, packet.body).remoteSessionId === sessionId;
            return isReset
              ? ended('answered', 'The server answered as OpenVPN does.')
              : ended('other', 'Something answered, but not as OpenVPN does.');
          }),
      };
    },
  };
}

export const openvpnProbes: readonly Probe[] = [
  openvpnProbe('openvpn-udp', 'OpenVPN over UDP', 'udp', 1194),
  openvpnProbe('openvpn-tcp', 'OpenVPN over TCP', 'tcp', 1194),
];
