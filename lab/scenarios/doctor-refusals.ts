// `throughway doctor` on servers that refuse, each in the way of its protocol, and on providers that block
// PPTP: the first thing it says must be the cause, with the server's reason in words.
import { openvpnOpcodes, emitOpenvpnControlBody, emitOpenvpnTcp } from '../../src/core/wire/openvpn.ts';
import { avpNumber, avpU16, l2tpAvpTypes, l2tpMessageTypes } from '../../src/core/wire/l2tp-avp.ts';
import { emitL2tp, l2tpMessageType, parseL2tp } from '../../src/core/wire/l2tp.ts';
import { emitClientHello } from '../../src/core/wire/tls.ts';
import { connectionFault, keepSaying, wall } from '../asking-doctor.ts';
import type { Scenario } from '../scenario.ts';
import { connectTcp, listenTcp, UdpSocket } from '../sockets.ts';
import type { Host, Household } from '../topologies/household.ts';

const types = l2tpMessageTypes;

/** A device that connects, says hello, is hung up on, and tries again. */
function keepConnecting(
  household: Household,
  device: Host,
  server: Host,
  port: number,
  hello: Uint8Array,
): void {
  keepSaying(household, () => {
    void connectTcp(device, server.address, port).then(
      (socket) => {
        socket.on('error', () => undefined);
        household.onClose(() => void socket.destroy());
        socket.on('end', () => socket.end());
        socket.resume();
        socket.write(hello);
      },
      () => undefined,
    );
  });
}

export const doctorRefusalScenarios: readonly Scenario[] = [
  connectionFault(
    26,
    'an L2TP server takes the tunnel and refuses the call',
    'server-refuses',
    'no room for this now',
    (household) => {
      const { server, device } = household;
      const [near, far] = [0x66, 0x77];
      const say = (tunnelId: number, type: number, ns: number, nr: number, ...avps: [number, number][]) =>
        emitL2tp({
          kind: 'control',
          version: 2,
          tunnelId,
          sessionId: 0,
          ns,
          nr,
          avps: [avpU16(l2tpAvpTypes.messageType, type), ...avps.map(([one, value]) => avpU16(one, value))],
        });
      const lns = new UdpSocket(server, 1701, ({ source, sourcePort, payload }) => {
        const message = parseL2tp(payload);
        if (message.version !== 2 || message.kind !== 'control') return;
        const type = l2tpMessageType(message);
        if (type === types.startControlConnectionRequest)
          lns.send(
            source,
            sourcePort,
            say(near, types.startControlConnectionReply, 0, 1, [l2tpAvpTypes.assignedTunnelId, far]),
          );
        // RFC 2661 4.4.2: 4 is lack of facilities, for now.
        if (type === types.incomingCallRequest)
          lns.send(
            source,
            sourcePort,
            say(
              near,
              types.callDisconnectNotify,
              1,
              2,
              [l2tpAvpTypes.resultCode, 4],
              [l2tpAvpTypes.assignedSessionId, far],
            ),
          );
      });
      const lac = new UdpSocket(device, 1701, ({ payload }) => {
        const message = parseL2tp(payload);
        if (message.version !== 2 || message.kind !== 'control') return;
        if (l2tpMessageType(message) !== types.startControlConnectionReply) return;
        const tunnelId = avpNumber(message.avps, l2tpAvpTypes.assignedTunnelId)!;
        lac.send(
          server.address,
          1701,
          say(tunnelId, types.incomingCallRequest, 1, 1, [l2tpAvpTypes.assignedSessionId, near]),
        );
      });
      household.onClose(() => [lns, lac].forEach((one) => one.close()));
      keepSaying(household, () =>
        lac.send(
          server.address,
          1701,
          say(0, types.startControlConnectionRequest, 0, 0, [l2tpAvpTypes.assignedTunnelId, near]),
        ),
      );
    },
  ),

  connectionFault(
    27,
    'an OpenVPN server resets the connection',
    'server-refuses',
    'ended it before anything was agreed',
    (household) => {
      const { server, device } = household;
      const listener = listenTcp(server, 1194, (socket) => {
        socket.on('error', () => undefined);
        // What a server does whose tls-auth key is another (OpenVPN, "HMAC authentication failed").
        socket.once('data', () => socket.resetAndDestroy());
      });
      household.onClose(() => void listener.close());
      const opcode = openvpnOpcodes.hardResetClientV2;
      const body = emitOpenvpnControlBody({
        acks: [],
        remoteSessionId: null,
        packetId: 0,
        payload: new Uint8Array(),
      });
      const hello = emitOpenvpnTcp({ kind: 'control', opcode, keyId: 0, sessionId: 0x1122_3344n, body });
      keepConnecting(household, device, server, 1194, hello);
    },
  ),

  connectionFault(
    28,
    'a server refuses TLS with an alert',
    'server-refuses',
    'alert "handshake failure"',
    (household) => {
      const { server, device } = household;
      const listener = listenTcp(server, 5555, (socket) => {
        socket.on('error', () => undefined);
        // RFC 8446 6: an alert, fatal, handshake_failure.
        socket.once('data', () => socket.end(Uint8Array.of(21, 3, 3, 0, 2, 2, 40)));
      });
      household.onClose(() => void listener.close());
      const hello = emitClientHello({
        recordVersion: 0x0301,
        legacyVersion: 0x0303,
        random: new Uint8Array(32).fill(7),
        sessionId: new Uint8Array(32),
        cipherSuites: [0x1301, 0xc02f],
        serverName: 'vpn.example.org',
        applicationProtocols: [],
        supportedVersions: [0x0304, 0x0303],
      });
      keepConnecting(household, device, server, 5555, hello);
    },
  ),

  connectionFault(29, 'the provider blocks PPTP', 'provider-blocks', 'nothing came back', (household) => {
    const { devices, servers } = household;
    wall(household, 'tcp dport 1723');
    for (const [index, server] of servers.entries())
      keepSaying(household, () => {
        void connectTcp(devices[index]!, server.address, 1723).then(
          (socket) => socket.destroy(),
          () => undefined,
        );
      });
  }),
];
