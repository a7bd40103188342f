// What is tried on the path between two machines: each kind of packet that VPNs use, dressed as the protocol
// would dress it, so that whoever filters on the way sees what it would see of a real one. Inside is a mark
// (mark.ts) and nothing else. RFC 7296 3.1, RFC 3948, RFC 2661 5.1, RFC 4303 2, RFC 2637 4.1.
import { Reader, WireError, Writer } from '../wire/bytes.ts';
import { emitEsp, parseEsp } from '../wire/esp.ts';
import { emitGre, parseGre } from '../wire/gre.ts';
import { emitIsakmp, exchangeTypes, parseIsakmp, payloadTypesV2 } from '../wire/isakmp.ts';
import { avp, avpU16, l2tpAvpTypes, l2tpMessageTypes } from '../wire/l2tp-avp.ts';
import { emitL2tp, parseL2tp } from '../wire/l2tp.ts';
import { emitOpenvpn, openvpnOpcodes, parseOpenvpn } from '../wire/openvpn.ts';
import { emitWireguard, parseWireguard, wireguardBodyBytes } from '../wire/wireguard.ts';
import { MARK_BYTES } from './mark.ts';

export type Carrier = 'udp' | 'tcp' | 'esp' | 'gre';
type Form = 'ike' | 'esp' | 'l2tp' | 'openvpn' | 'wireguard' | 'plain' | 'pptp' | 'gre';

export interface Crossing {
  readonly id: string;
  /** As a person would say it. */
  readonly name: string;
  readonly carrier: Carrier;
  /** Null for ESP and GRE, which have none. */
  readonly port: number | null;
  readonly form: Form;
  /** How long the payload of UDP or IP is. */
  readonly bytes: number;
}

/** What a first message is long, what the smallest usual path just carries, and what is cut into pieces. */
const [SMALL, LARGE, IN_PIECES] = [200, 1_372, 2_000];

/** A mark names its crossing by its place in this list. */
export const CROSSINGS: readonly Crossing[] = [
  { id: 'ike', name: 'IKE', carrier: 'udp', port: 500, form: 'ike', bytes: SMALL },
  { id: 'ike-fragments', name: 'IKE in fragments', carrier: 'udp', port: 500, form: 'ike', bytes: IN_PIECES },
  { id: 'nat-t', name: 'IKE with NAT-T', carrier: 'udp', port: 4500, form: 'ike', bytes: SMALL },
  { id: 'nat-t-esp', name: 'ESP in UDP', carrier: 'udp', port: 4500, form: 'esp', bytes: SMALL },
  { id: 'nat-t-large', name: 'ESP in UDP, large', carrier: 'udp', port: 4500, form: 'esp', bytes: LARGE },
  { id: 'esp', name: 'raw ESP', carrier: 'esp', port: null, form: 'esp', bytes: SMALL },
  { id: 'esp-large', name: 'raw ESP, large', carrier: 'esp', port: null, form: 'esp', bytes: LARGE },
  {
    id: 'esp-fragments',
    name: 'raw ESP in fragments',
    carrier: 'esp',
    port: null,
    form: 'esp',
    bytes: IN_PIECES,
  },
  { id: 'l2tp', name: 'L2TP', carrier: 'udp', port: 1701, form: 'l2tp', bytes: SMALL },
  { id: 'pptp', name: 'PPTP control', carrier: 'tcp', port: 1723, form: 'pptp', bytes: 0 },
  { id: 'gre', name: 'PPTP data (GRE)', carrier: 'gre', port: null, form: 'gre', bytes: SMALL },
  { id: 'openvpn-udp', name: 'OpenVPN', carrier: 'udp', port: 1194, form: 'openvpn', bytes: SMALL },
  { id: 'openvpn-tcp', name: 'OpenVPN over TCP', carrier: 'tcp', port: 1194, form: 'plain', bytes: 0 },
  { id: 'wireguard', name: 'WireGuard', carrier: 'udp', port: 51_820, form: 'wireguard', bytes: 0 },
  { id: 'tls', name: 'SSTP, SoftEther, AnyConnect', carrier: 'tcp', port: 443, form: 'plain', bytes: 0 },
];

/** `UDP 500`, `TCP 1723` or `IP protocol 50`. */
export function whereOf({ carrier, port }: Crossing): string {
  if (carrier === 'esp') return 'IP protocol 50';
  return carrier === 'gre' ? 'IP protocol 47' : `${carrier.toUpperCase()} ${port}`;
}

export interface Dressed {
  readonly mark: Uint8Array;
  readonly isAnswer: boolean;
  /** A number like an SPI, a cookie or a Call ID, not 0: the receiver's, where it has one. */
  readonly label: number;
  readonly number: number;
}

const NON_ESP_MARKER = new Uint8Array(4);

/** The payload of UDP or IP. */
export function dress(crossing: Crossing, dressed: Dressed): Uint8Array {
  const { form, port, bytes } = crossing;
  if (form === 'ike') {
    const bare = dressIke(dressed, port === 4500 ? bytes - NON_ESP_MARKER.length : bytes);
    return port === 4500 ? new Writer(bytes).put(NON_ESP_MARKER).put(bare).bytes : bare;
  }
  const { mark, isAnswer, label, number } = dressed;
  switch (form) {
    case 'esp':
      return emitEsp({ spi: label, sequence: number + 1, rest: padded(mark, bytes - 8) });
    case 'gre': {
      // PPP LCP with a code that nobody has (RFC 1661 5), so that a real end would refuse it.
      const payload = padded(new Writer(4 + MARK_BYTES).u32(0xff03_c021).put(mark).bytes, bytes - 12);
      return emitGre({ version: 1, callId: label, sequence: number, acknowledgment: null, payload });
    }
    case 'l2tp':
      return emitL2tp({
        kind: 'control',
        version: 2,
        tunnelId: isAnswer ? label & 0xffff || 1 : 0,
        sessionId: 0,
        ns: 0,
        nr: isAnswer ? 1 : 0,
        avps: [
          avpU16(
            l2tpAvpTypes.messageType,
            isAnswer
              ? l2tpMessageTypes.startControlConnectionReply
              : l2tpMessageTypes.startControlConnectionRequest,
          ),
          // 12 octets of header, 8 of the first AVP and 6 of this one's.
          avp(l2tpAvpTypes.hostName, padded(mark, bytes - 26)),
        ],
      });
    case 'openvpn':
      return emitOpenvpn({
        kind: 'control',
        opcode: isAnswer ? openvpnOpcodes.hardResetServerV2 : openvpnOpcodes.hardResetClientV2,
        keyId: 0,
        sessionId: BigInt(label),
        body: padded(mark, bytes - 9),
      });
    case 'wireguard':
      return isAnswer
        ? emitWireguard({
            kind: 'response',
            reserved: 0,
            sender: label,
            receiver: label,
            body: padded(mark, wireguardBodyBytes.response),
          })
        : emitWireguard({
            kind: 'initiation',
            reserved: 0,
            sender: label,
            body: padded(mark, wireguardBodyBytes.initiation),
          });
    default:
      return mark;
  }
}

/** The bytes in which the mark is, of a datagram that came from or to `port`. Throws WireError. */
export function undressDatagram(port: number, payload: Uint8Array): Uint8Array {
  switch (port) {
    case 500:
      return undressIke(payload);
    case 4500:
      return new Reader(payload).u32() === 0 ? undressIke(payload.subarray(4)) : parseEsp(payload).rest;
    case 1701: {
      const message = parseL2tp(payload);
      const found =
        message.kind === 'control' && message.avps.find((one) => one.type === l2tpAvpTypes.hostName);
      if (!found) throw new WireError('unsupported', 0, 'no host name in L2TP');
      return found.value;
    }
    case 1194: {
      return parseOpenvpn(payload).body;
    }
    default: {
      const message = parseWireguard(payload);
      return message.body;
    }
  }
}

/** The same of a payload of IP; `label` is the Call ID or SPI that it is addressed with. Throws WireError. */
export function undressRaw(
  carrier: 'esp' | 'gre',
  payload: Uint8Array,
): { readonly label: number; readonly inside: Uint8Array } {
  if (carrier === 'esp') {
    const { spi, rest } = parseEsp(payload);
    return { label: spi, inside: rest };
  }
  const packet = parseGre(payload);
  if (packet.version !== 1) throw new WireError('unsupported', 0, 'GRE of another version');
  return { label: packet.callId, inside: packet.payload.subarray(4) };
}

function dressIke({ mark, isAnswer, label }: Dressed, bytes: number): Uint8Array {
  // The 28 octets of the header and the 4 of the payload's.
  const body = padded(mark, bytes - 32);
  return emitIsakmp({
    header: {
      initiatorSpi: 0x7468_726f_0000_0000n | BigInt(label),
      responderSpi: isAnswer ? 0x7265_666c_0000_0000n | BigInt(label) : 0n,
      majorVersion: 2,
      minorVersion: 0,
      exchangeType: exchangeTypes.ikeSaInit,
      flags: isAnswer ? { response: true } : { initiator: true },
      messageId: 0,
    },
    payloads: [{ type: payloadTypesV2.vendorId, critical: false, body }],
    encrypted: null,
  });
}

function undressIke(payload: Uint8Array): Uint8Array {
  const [first] = parseIsakmp(payload).payloads;
  if (first?.type !== payloadTypesV2.vendorId) throw new WireError('unsupported', 0, 'other payloads of IKE');
  return first.body;
}

function padded(bytes: Uint8Array, length: number): Uint8Array {
  const all = new Uint8Array(length);
  all.set(bytes);
  return all;
}
