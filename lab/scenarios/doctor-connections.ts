// `throughway doctor` on connections that fail: each fault is made on the way or at the server, devices
// behave as real ones do and ask again, and the first thing the doctor says must be the cause.
import { emitIsakmp, exchangeTypes, parseIsakmpHeader, payloadTypesV2 } from '../../src/core/wire/isakmp.ts';
import { emitNotify, notifyTypes } from '../../src/core/wire/isakmp-payloads.ts';
import { avpU16, l2tpAvpTypes, l2tpMessageTypes } from '../../src/core/wire/l2tp-avp.ts';
import { emitL2tp } from '../../src/core/wire/l2tp.ts';
import { connectionFault, keepSaying, wall } from '../asking-doctor.ts';
import { EspPeer } from '../peers/esp.ts';
import { GrePeer } from '../peers/gre.ts';
import { IkePeer, NAT_T_PORT } from '../peers/ike.ts';
import { PptpControl } from '../peers/pptp-control.ts';
import { PptpClient, PptpServer } from '../peers/pptp.ts';
import type { Scenario } from '../scenario.ts';
import { connectTcp, listenTcp, UdpSocket } from '../sockets.ts';
import type { Host, Household } from '../topologies/household.ts';

const { ikeSaInit, ikeAuth, mainMode, quickMode } = exchangeTypes;
/** A device that begins IKE with a server and gets no answer to it. */
function askIke(household: Household, device: Host, server: Host, to: Host | null = null): IkePeer {
  const peer = new IkePeer(household, device);
  const initiatorSpi = 0xd0c0_0000_0000_0000n + BigInt(household.devices.indexOf(device)) + 1n;
  keepSaying(household, () =>
    peer.sendIke(server.address, 500, to, { initiatorSpi, exchangeType: ikeSaInit }),
  );
  return peer;
}

/** IKE of version 2 up to its end, answered by `far`. */
async function completeIke(
  household: Household,
  near: IkePeer,
  far: IkePeer,
  initiatorSpi: bigint,
): Promise<void> {
  for (const exchangeType of [ikeSaInit, ikeAuth]) {
    const messageId = exchangeType === ikeAuth ? 1 : 0;
    near.sendIke(far.host.address, far.port, far.host, {
      initiatorSpi,
      exchangeType,
      messageId,
      length: 300,
    });
    await household.ledger.settle();
    far.answer(far.latest(initiatorSpi), near.host, 300);
    await household.ledger.settle();
  }
}

export const doctorConnectionScenarios: readonly Scenario[] = [
  connectionFault(
    30,
    'a server answers nothing at all',
    'server-silent',
    'nothing came back',
    (household) => {
      wall(household, 'ip daddr 203.0.113.1');
      askIke(household, household.device, household.server);
    },
  ),
  connectionFault(
    31,
    'a server answers a ping and no VPN',
    'protocol-blocked',
    'answers a ping',
    (household) => {
      wall(household, 'ip daddr 203.0.113.1 meta l4proto != icmp');
      askIke(household, household.device, household.server);
    },
  ),
  connectionFault(32, 'a server answers another protocol only', 'other-protocol', 'pptp', (household) => {
    wall(household, 'udp dport { 500, 4500 }');
    new PptpServer(household, household.server);
    askIke(household, household.device, household.server);
  }),
  connectionFault(33, 'the port of the server is shut', 'other-protocol', 'port is shut', (household) => {
    askIke(household, household.device, household.server, household.server);
  }),
  connectionFault(34, 'the provider blocks IKE', 'provider-blocks', 'nothing came back', (household) => {
    wall(household, 'udp dport { 500, 4500 }');
    for (const [index, server] of household.servers.entries())
      askIke(household, household.devices[index]!, server);
  }),
  connectionFault(35, 'a PPTP server refuses', 'server-refuses', 'not authorized', async (household) => {
    const { server, device } = household;
    const controls: PptpControl[] = [];
    const listener = listenTcp(server, 1723, (socket) => {
      const control = new PptpControl(socket, (message) => {
        if (message.kind !== 'start-request') return;
        const { protocolVersion, framingCapabilities, bearerCapabilities } = message;
        control.send({
          kind: 'start-reply',
          protocolVersion,
          resultCode: 4,
          errorCode: 0,
          framingCapabilities,
          bearerCapabilities,
          maximumChannels: 0,
          firmwareRevision: 0,
          hostName: '',
          vendorName: '',
        });
      });
      controls.push(control);
    });
    const control = new PptpControl(await connectTcp(device, server.address, 1723));
    household.onClose(() => {
      for (const one of [...controls, control]) one.destroy();
      listener.close();
    });
    control.send({
      kind: 'start-request',
      protocolVersion: 0x100,
      framingCapabilities: 1,
      bearerCapabilities: 1,
      maximumChannels: 0,
      firmwareRevision: 0,
      hostName: '',
      vendorName: '',
    });
  }),
  connectionFault(
    36,
    'an IKE server refuses the proposals',
    'server-refuses',
    'NO_PROPOSAL_CHOSEN',
    (household) => {
      const { server, device } = household;
      const far = new UdpSocket(server, 500, ({ source, sourcePort, payload }) => {
        const header = parseIsakmpHeader(payload);
        if (header.majorVersion !== 2) return;
        const body = emitNotify({
          doi: null,
          protocolId: 0,
          type: notifyTypes.noProposalChosen,
          spi: new Uint8Array(),
          data: new Uint8Array(),
        });
        far.send(
          source,
          sourcePort,
          emitIsakmp({
            header: { ...header, flags: { response: true } },
            payloads: [{ type: payloadTypesV2.notify, critical: false, body }],
            encrypted: null,
          }),
        );
      });
      household.onClose(() => far.close());
      askIke(household, device, server, server);
    },
  ),
  connectionFault(37, 'an L2TP server refuses', 'server-refuses', 'not authorized', (household) => {
    const { server, device } = household;
    const say = (type: number, tunnelId: number, avps: ReturnType<typeof avpU16>[]): Uint8Array =>
      emitL2tp({
        kind: 'control',
        version: 2,
        tunnelId,
        sessionId: 0,
        ns: 0,
        nr: 0,
        avps: [avpU16(l2tpAvpTypes.messageType, type), ...avps],
      });
    const own = avpU16(l2tpAvpTypes.assignedTunnelId, 0x77);
    const far = new UdpSocket(server, 1701, ({ source, sourcePort }) =>
      far.send(
        source,
        sourcePort,
        say(l2tpMessageTypes.stopControlConnection, 0x77, [own, avpU16(l2tpAvpTypes.resultCode, 4)]),
      ),
    );
    const near = new UdpSocket(device, 1701, () => undefined);
    household.onClose(() => [far, near].forEach((one) => one.close()));
    keepSaying(household, () =>
      near.send(server.address, 1701, say(l2tpMessageTypes.startControlConnectionRequest, 0, [own])),
    );
  }),
  connectionFault(
    38,
    'a server insists on source port 500',
    'source-port-500',
    'translated',
    async (household) => {
      const { server, devices } = household;
      const far = new IkePeer(household, server);
      await completeIke(household, new IkePeer(household, devices[0]!), far, 0xd0c1_0000_0000_0001n);
      // The far end leaves whoever comes from another port without an answer.
      askIke(household, devices[1]!, server, server);
    },
  ),
  connectionFault(
    39,
    'ESP leaves and nothing returns',
    'esp-one-way',
    'packets of ESP left',
    async (household) => {
      const { server, device } = household;
      wall(household, 'ip protocol esp');
      await completeIke(
        household,
        new IkePeer(household, device),
        new IkePeer(household, server),
        0xd0c1_0000_0000_0002n,
      );
      const esp = new EspPeer(household, device);
      keepSaying(household, () => esp.send(server.address, 0x9001, null));
    },
  ),
  connectionFault(
    40,
    'IKE is complete and no ESP follows',
    'no-esp',
    'IKE is complete',
    async (household) => {
      const { server, device } = household;
      await completeIke(
        household,
        new IkePeer(household, device),
        new IkePeer(household, server),
        0xd0c1_0000_0000_0003n,
      );
    },
  ),
  connectionFault(41, 'data of PPTP is lost on the way', 'gre-lost', 'none came', async (household) => {
    const { server, device } = household;
    wall(household, 'ip protocol gre');
    const far = new PptpServer(household, server);
    const gre = new GrePeer(household, device);
    const client = new PptpClient(household, gre, far);
    await client.start();
    const { peerCallId } = await client.call(0x4242);
    let sequence = 0;
    keepSaying(household, () => {
      gre.send(server.address, { version: 1, callId: peerCallId, sequence, acknowledgment: null }, null, 200);
      sequence += 1;
    });
  }),
  connectionFault(42, 'large packets vanish without a word', 'too-large', '1500 bytes', async (household) => {
    const { server, device } = household;
    wall(household, 'ip length > 1300');
    await completeIke(
      household,
      new IkePeer(household, device, NAT_T_PORT),
      new IkePeer(household, server, NAT_T_PORT),
      0xd0c1_0000_0000_0004n,
    );
  }),
  connectionFault(
    43,
    'fragments of IKE are lost',
    'ike-fragments-lost',
    'first messages',
    async (household) => {
      const { server, device, ledger } = household;
      wall(household, 'ip frag-off & 0x1fff != 0');
      const near = new IkePeer(household, device);
      const far = new IkePeer(household, server);
      near.sendIke(server.address, 500, server, {
        initiatorSpi: 0xd0c1_0000_0000_0005n,
        exchangeType: ikeSaInit,
      });
      await ledger.settle();
      far.answer(far.latest(0xd0c1_0000_0000_0005n), device);
      await ledger.settle();
      const { responderSpi } = near.latest(0xd0c1_0000_0000_0005n).header;
      keepSaying(household, () =>
        // The first piece arrives, and is of no use.
        near.sendIke(server.address, 500, server, {
          initiatorSpi: 0xd0c1_0000_0000_0005n,
          responderSpi,
          exchangeType: ikeAuth,
          messageId: 1,
          length: 2_000,
        }),
      );
    },
  ),
  connectionFault(
    44,
    'two devices have L2TP/IPsec with one server',
    'transport-mode-limit',
    '2 devices behind this gateway',
    async (household) => {
      const { server, devices, ledger } = household;
      const far = new IkePeer(household, server, NAT_T_PORT);
      const [first, second] = devices.map((device) => new IkePeer(household, device, NAT_T_PORT)) as [
        IkePeer,
        IkePeer,
      ];
      for (const [index, near] of [first, second].entries()) {
        const initiatorSpi = 0xd0c1_0000_0000_0010n + BigInt(index);
        for (const exchangeType of [mainMode, quickMode]) {
          near.sendIke(server.address, NAT_T_PORT, server, { initiatorSpi, exchangeType, length: 200 });
          await ledger.settle();
          far.answer(far.latest(initiatorSpi), near.host, 200);
          await ledger.settle();
        }
      }
      // The server has put the second device in the place of the first, and answers it alone.
      const { sourcePort } = far.latest(0xd0c1_0000_0000_0011n);
      keepSaying(household, () => {
        first.send(server.address, NAT_T_PORT, server);
        second.send(server.address, NAT_T_PORT, server);
        far.send(household.wan, sourcePort, second.host);
      });
    },
  ),
];
