// L2TP without IPsec: asks for a tunnel, and takes it back. RFC 2661 4.4.2, 5.1, 6.1, 6.2 and 6.4.
import { l2tpStopResult } from '../alg/session-words.ts';
import {
  avp,
  avpNumber,
  avpU16,
  avpU32,
  l2tpAvpTypes,
  l2tpMessageTypes,
  type L2tpAvp,
} from '../wire/l2tp-avp.ts';
import { emitL2tp, l2tpMessageType, parseL2tp } from '../wire/l2tp.ts';
import { ended, reading, type Attempt, type Probe } from './attempt.ts';

const HOST_NAME = Uint8Array.from('probe', (letter) => letter.charCodeAt(0));

export const l2tpProbe: Probe = {
  id: 'l2tp',
  name: 'L2TP without IPsec',
  transport: 'udp',
  port: 1701,
  passthrough: 'l2tp',
  silence:
    'Most servers answer L2TP only inside IPsec, so silence here says nothing about L2TP/IPsec; see IKE.',
  begin: (random): Attempt => {
    const [high = 0, low = 0] = random(2);
    const ownTunnelId = ((high << 8) | low) & 0x7fff || 1;
    const say = (tunnelId: number, ns: number, nr: number, avps: readonly L2tpAvp[]): Uint8Array =>
      emitL2tp({ kind: 'control', version: 2, tunnelId, sessionId: 0, ns, nr, avps: [...avps] });
    return {
      opening: say(0, 0, 0, [
        avpU16(l2tpAvpTypes.messageType, l2tpMessageTypes.startControlConnectionRequest),
        avpU16(l2tpAvpTypes.protocolVersion, 0x0100),
        avpU32(l2tpAvpTypes.framingCapabilities, 3),
        avp(l2tpAvpTypes.hostName, HOST_NAME),
        avpU16(l2tpAvpTypes.assignedTunnelId, ownTunnelId),
        avpU16(l2tpAvpTypes.receiveWindowSize, 4),
      ]),
      hear: (bytes) =>
        reading('L2TP', () => {
          const message = parseL2tp(bytes);
          if (message.version !== 2 || message.kind !== 'control') return null;
          const type = l2tpMessageType(message);
          if (type === l2tpMessageTypes.startControlConnectionReply) {
            const tunnelId = avpNumber(message.avps, l2tpAvpTypes.assignedTunnelId) ?? 0;
            const farewell = say(tunnelId, 1, message.ns + 1, [
              avpU16(l2tpAvpTypes.messageType, l2tpMessageTypes.stopControlConnection),
              avpU16(l2tpAvpTypes.assignedTunnelId, ownTunnelId),
              avpU16(l2tpAvpTypes.resultCode, 1),
            ]);
            return ended('answered', 'The server accepted a tunnel.', farewell);
          }
          if (type === l2tpMessageTypes.stopControlConnection) {
            const code = avpNumber(message.avps, l2tpAvpTypes.resultCode);
            // Two numbers of 16 bits, the second optional: the first is the result.
            const result = code === null ? null : code > 0xffff ? code >>> 16 : code;
            const why = result === null ? 'no reason given' : l2tpStopResult(result);
            return ended('refused', `The server refused a tunnel: ${why}.`);
          }
          return null;
        }),
    };
  },
};
