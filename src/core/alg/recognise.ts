// What the first packets of a connection show of protocols that have no switch: OpenVPN, WireGuard,
// STUN, and by the server's name in a TLS ClientHello also SSTP, AnyConnect and SoftEther. What
// another protocol could look like is called guessed. Web sites are told by their application
// protocol (RFC 7301), which VPN clients do not name.
import { WireError } from '../wire/bytes.ts';
import {
  openvpnOpcodes,
  parseOpenvpn,
  parseOpenvpnControlBody,
  parseOpenvpnTcp,
  type OpenvpnPacket,
} from '../wire/openvpn.ts';
import { parseStun, stunTypes } from '../wire/stun.ts';
import { parseClientHello } from '../wire/tls.ts';
import { parseWireguard } from '../wire/wireguard.ts';
import type { Recognised } from './fact.ts';

type Recognition = Pick<Recognised, 'protocol' | 'guessed' | 'serverName'>;

const OPENVPN_PORT = 1194;
/** SoftEther's own ports beside 443. */
const SOFTETHER_PORTS: ReadonlySet<number> = new Set([992, 5555]);

/** Null where nothing of a VPN shows. */
export function recognise(
  transport: 'udp' | 'tcp',
  serverPort: number,
  payload: Uint8Array,
): Recognition | null {
  if (payload.length === 0) return null;
  const attempts =
    transport === 'udp'
      ? [
          () => readWireguard(payload),
          () => readStun(payload),
          () => readOpenvpn(parseOpenvpn(payload), serverPort),
        ]
      : [() => readTls(payload, serverPort), () => readOpenvpn(parseOpenvpnTcp(payload), serverPort)];
  for (const attempt of attempts) {
    try {
      const found = attempt();
      if (found !== null) return found;
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
    }
  }
  return null;
}

function readWireguard(payload: Uint8Array): Recognition | null {
  // Whitepaper 5.4.2: 148 bytes of which the first is 1; Cloudflare WARP uses the reserved three.
  const message = parseWireguard(payload);
  if (message.kind !== 'initiation') return null;
  return { protocol: 'wireguard', guessed: false, serverName: null };
}

function readStun(payload: Uint8Array): Recognition | null {
  const { type } = parseStun(payload);
  return type === stunTypes.bindingRequest ? { protocol: 'stun', guessed: false, serverName: null } : null;
}

/** A client's first packet, a hard reset with key id 0. */
function readOpenvpn(packet: OpenvpnPacket, serverPort: number): Recognition | null {
  const { hardResetClientV1, hardResetClientV2, hardResetClientV3 } = openvpnOpcodes;
  if (packet.kind !== 'control' || packet.keyId !== 0 || packet.sessionId === 0n) return null;
  if (![hardResetClientV1, hardResetClientV2, hardResetClientV3].includes(packet.opcode as 1)) return null;
  return {
    protocol: 'openvpn',
    guessed: serverPort !== OPENVPN_PORT && !isPlainReset(packet),
    serverName: null,
  };
}

/** Without a key that wraps it, the whole packet is known: no acks, packet id 0, and no more. */
function isPlainReset(packet: Extract<OpenvpnPacket, { kind: 'control' }>): boolean {
  try {
    const { acks, packetId, payload } = parseOpenvpnControlBody(packet.opcode, packet.body);
    return acks.length === 0 && packetId === 0 && payload.length === 0;
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return false;
  }
}

function readTls(payload: Uint8Array, serverPort: number): Recognition | null {
  const { serverName, applicationProtocols } = parseClientHello(payload);
  if (applicationProtocols.length > 0) return null;
  const name = (serverName ?? '').toLowerCase();
  const guess = (protocol: Recognition['protocol']): Recognition => ({ protocol, guessed: true, serverName });
  if (SOFTETHER_PORTS.has(serverPort) || /\.(softether|opengw)\.net$/.test(name)) return guess('softether');
  if (/\.vpnazure\.net$|(^|[.-])sstp\d*[.-]/.test(name)) return guess('sstp');
  if (/^(ssl)?vpn\d*[.-]|(^|[.-])(anyconnect|webvpn|sslvpn|ravpn|asa)\d*[.-]/.test(name))
    return guess('anyconnect');
  return null;
}
