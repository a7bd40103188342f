// What the gateway tells of the connections that pass (scenarios S1 to S9): two devices each of every
// protocol appear with their device, server, state and traffic; switches, refusals, ending and a
// killed daemon show as they should.
import type { Session, SessionProtocol, SessionStory } from '../../src/daemon/api/session.ts';
import { exchangeTypes, emitIsakmp, payloadTypesV2 } from '../../src/core/wire/isakmp.ts';
import { emitNotify, notifyTypes } from '../../src/core/wire/isakmp-payloads.ts';
import { emitPort4500 } from '../../src/core/wire/port4500.ts';
import { openvpnOpcodes } from '../../src/core/wire/openvpn.ts';
import { listConntrack } from '../../src/linux/conntrack.ts';
import { EspSession } from '../peers/esp-session.ts';
import { EspPeer } from '../peers/esp.ts';
import { IKE_PORT, IkePeer, NAT_T_PORT } from '../peers/ike.ts';
import { L2tpClient, L2tpServer } from '../peers/l2tp.ts';
import { converse } from '../peers/converse.ts';
import type { PptpSession } from '../peers/pptp.ts';
import { outgoingCallReply } from '../peers/pptp-control.ts';
import { UdpPeer } from '../peers/udp.ts';
import { scenario, type Scenario } from '../scenario.ts';
import type { Host, Household } from '../topologies/household.ts';
import { claim, claimEqual, until } from '../wait.ts';
import { pptpClients } from './pptp.ts';

/** Counters are looked at every few seconds. */
const PATIENCE_MS = 15_000;
/** An agreement of IKE_AUTH, with certificates. */
const AGREEMENT_BYTES = 600;

/** Resolves when the sessions are as `isAsWanted` says; fails naming them as they are. */
async function sessionsWhen(
  household: Household,
  what: string,
  isAsWanted: (sessions: readonly Session[]) => boolean,
): Promise<Session[]> {
  let last: Session[] = [];
  return until(
    what,
    async () => {
      last = await household.daemon.sessions();
      return isAsWanted(last) ? last : null;
    },
    PATIENCE_MS,
    () =>
      JSON.stringify(
        last.map(({ id, protocol, device, state, trouble, traffic }) => ({
          id,
          protocol,
          device: device.address,
          state,
          trouble,
          traffic,
        })),
      ),
  );
}

/** One session of this protocol for each of these devices with the first server, all in this state. */
function areAll(
  household: Household,
  devices: readonly Host[],
  protocol: SessionProtocol,
  state: Session['state'],
): (sessions: readonly Session[]) => boolean {
  return (sessions) =>
    devices.every((device) => {
      const its = sessions.filter(
        (one) => one.device.address === device.address && one.protocol === protocol,
      );
      return (
        its.length === 1 && its[0]!.state === state && its[0]!.server.address === household.server.address
      );
    });
}

/** Traffic of so many packets each way has been counted for each. */
function haveCarried(packets: number): (sessions: readonly Session[]) => boolean {
  return (sessions) =>
    sessions.every(({ traffic }) => traffic.out.packets >= packets && traffic.in.packets >= packets);
}

/** What an IPsec client and server of IKEv2 say until the tunnel stands. */
async function negotiate(
  household: Household,
  near: IkePeer,
  far: IkePeer,
  spi: bigint,
  authPort: number,
  peers: { near: IkePeer; far: IkePeer } = { near, far },
): Promise<void> {
  const { server } = household;
  const ask = async (
    from: IkePeer,
    to: IkePeer,
    port: number,
    exchangeType: number,
    messageId: number,
  ): Promise<void> => {
    from.sendIke(server.address, port, server, {
      initiatorSpi: spi,
      exchangeType,
      messageId,
      length: AGREEMENT_BYTES,
    });
    await household.ledger.settle();
    to.answer(to.latest(spi), from.host, AGREEMENT_BYTES);
    await household.ledger.settle();
  };
  await ask(near, far, IKE_PORT, exchangeTypes.ikeSaInit, 0);
  await ask(peers.near, peers.far, authPort, exchangeTypes.ikeAuth, 1);
}

async function rawIpsec(household: Household, devices: readonly Host[]): Promise<EspSession[]> {
  const { server } = household;
  const [farIke, farEsp] = [new IkePeer(household, server), new EspPeer(household, server)];
  const sessions: EspSession[] = [];
  for (const [index, device] of devices.entries()) {
    await negotiate(
      household,
      new IkePeer(household, device),
      farIke,
      0xa100_0000_0000_0000n + BigInt(index),
      IKE_PORT,
    );
    const session = new EspSession(
      household,
      new EspPeer(household, device),
      farEsp,
      0x1001 + index,
      0x2001 + index,
    );
    await session.begin();
    sessions.push(session);
  }
  return sessions;
}

export const sessionScenarios: readonly Scenario[] = [
  scenario(
    'S1',
    'two PPTP calls are two sessions, with Call IDs and traffic; who hangs up is said',
    async (household) => {
      const { devices, daemon } = household;
      const { clients } = pptpClients(household, 2);
      const calls: PptpSession[] = [];
      for (const client of clients) calls.push(await client.dial(0x0101));
      await sessionsWhen(
        household,
        'both calls to be up',
        areAll(household, devices.slice(0, 2), 'pptp', 'up'),
      );
      await converse(household, calls, 20);
      const sessions = await sessionsWhen(household, 'the traffic to be counted', haveCarried(20));
      for (const { details, guessed, trouble, pairing } of sessions) {
        claimEqual([guessed, trouble, pairing], [false, null, null], 'guess, trouble and pairing');
        const names = details.map(({ name }) => name);
        claim(
          names.includes('Call ID of the device') && names.includes('Call ID of the server'),
          `details: ${names.join(', ')}`,
        );
      }
      const [first] = sessions;
      await calls[0]!.client.hangUp(calls[0]!.near);
      await sessionsWhen(household, 'the first call to be over', (now) => now.length === 1);
      const story = await daemon.session(first!.id);
      claimEqual(story.state, 'ended', 'state of the first call');
      claim(
        story.history.at(-1)!.what.includes('The device'),
        `who ended it: "${story.history.at(-1)!.what}"`,
      );
    },
  ),

  scenario(
    'S2',
    'two L2TP tunnels from port 1701 are two sessions, a third one is with a server that moves its port',
    async (household) => {
      const { devices } = household;
      const server = new L2tpServer(household, household.server);
      const moving = new L2tpServer(household, household.servers[1]!, 33_001);
      const tunnels = [];
      for (const device of devices.slice(0, 2))
        tunnels.push(await new L2tpClient(household, device).open(server, 0x0101));
      tunnels.push(await new L2tpClient(household, devices[2]!).open(moving, 0x0101));
      await sessionsWhen(household, 'both to be up', areAll(household, devices.slice(0, 2), 'l2tp', 'up'));
      await converse(household, tunnels, 20);
      const sessions = await sessionsWhen(household, 'the traffic to be counted', haveCarried(20));
      claimEqual(
        sessions.map((one) => one.server.port),
        [1701, 1701, 33_001],
        'the ports that the servers answer from',
      );
      await tunnels[0]!.stop();
      await sessionsWhen(household, 'the first tunnel to be over', (now) => now.length === 2);
    },
  ),

  scenario(
    'S3',
    'two raw IPsec tunnels to one server are two sessions, each with its SPIs and why',
    async (household) => {
      const { devices, daemon } = household;
      const tunnels = await rawIpsec(household, devices.slice(0, 2));
      const isUp = areAll(household, devices.slice(0, 2), 'ipsec', 'up');
      // What is held until a pair is sure is delivered and not counted; what follows is.
      const sessions = await until(
        'both to be up with their traffic',
        async () => {
          await converse(household, tunnels, 5);
          const now = await daemon.sessions();
          return isUp(now) && haveCarried(20)(now) ? now : null;
        },
        PATIENCE_MS,
      );
      for (const [index, { id, details, pairing, device }] of sessions.entries()) {
        claim(pairing !== null, 'it is said how sure the pairing is');
        const own = `0x0000${(0x2001 + devices.findIndex(({ address }) => address === device.address)).toString(16)}`;
        claim(
          details.some(({ value }) => value.includes(own)),
          `session ${index} has SPI ${own}: ${JSON.stringify(details)}`,
        );
        const { pairs } = await daemon.session(id);
        claim(
          pairs.some(({ spi, evidence }) => spi === own && evidence !== ''),
          `the evidence is told: ${JSON.stringify(pairs)}`,
        );
      }
    },
  ),

  scenario('S4', 'two NAT-T tunnels continue the sessions that began on port 500', async (household) => {
    const { devices, server, ledger, wan } = household;
    const two = devices.slice(0, 2);
    const [far, farNatT] = [new IkePeer(household, server), new IkePeer(household, server, NAT_T_PORT)];
    const peers = [];
    for (const [index, device] of two.entries()) {
      const [near, nearNatT] = [new IkePeer(household, device), new IkePeer(household, device, NAT_T_PORT)];
      await negotiate(household, near, far, 0xb100_0000_0000_0000n + BigInt(index), NAT_T_PORT, {
        near: nearNatT,
        far: farNatT,
      });
      peers.push({ nearNatT, port: farNatT.latest(0xb100_0000_0000_0000n + BigInt(index)).sourcePort });
    }
    await sessionsWhen(household, 'both to be up', areAll(household, two, 'ipsec-nat-t', 'up'));
    for (let round = 0; round < 20; round += 1) {
      for (const { nearNatT, port } of peers) {
        const esp = (from: Host, to: Host): Uint8Array =>
          emitPort4500({
            kind: 'esp',
            packet: {
              spi: 0x1001,
              sequence: round + 1,
              rest: ledger.tag(`ESP in UDP of ${from.name}`, to.name),
            },
          });
        nearNatT.sendBytes(server.address, NAT_T_PORT, esp(nearNatT.host, server));
        farNatT.sendBytes(wan, port, esp(server, nearNatT.host));
      }
    }
    await ledger.settle();
    const sessions = await sessionsWhen(household, 'the traffic to be counted', haveCarried(20));
    claimEqual(sessions.length, 2, 'sessions');
  }),

  scenario(
    'S5',
    'OpenVPN and WireGuard of two devices are recognised by their first packets',
    async (household) => {
      const { devices, server, ledger, wan } = household;
      const two = devices.slice(0, 2);
      const kinds = [
        {
          port: 1194,
          first: Buffer.concat([
            Buffer.of(openvpnOpcodes.hardResetClientV2 << 3),
            Buffer.alloc(8, 7),
            Buffer.alloc(5),
          ]),
        },
        // Type 1, three zero octets, sender index, ephemeral key, static key, timestamp, two MACs: 148 octets.
        { port: 51_820, first: Buffer.concat([Buffer.of(1, 0, 0, 0), Buffer.alloc(144, 5)]) },
      ];
      for (const { port, first } of kinds) {
        const far = new UdpPeer(household, server, port);
        for (const device of two) {
          const near = new UdpPeer(household, device, port);
          const before = far.received.length;
          near.sendBytes(server.address, port, first);
          const { sourcePort } = await until('the first packet at the server', () => far.received[before]);
          for (let round = 0; round < 20; round += 1) {
            near.send(server.address, port, server);
            far.send(wan, sourcePort, device);
          }
          await ledger.settle();
        }
      }
      const sessions = await sessionsWhen(
        household,
        'all four to be up with their traffic',
        (now) =>
          areAll(household, two, 'openvpn', 'up')(now) &&
          areAll(household, two, 'wireguard', 'up')(now) &&
          haveCarried(20)(now),
      );
      claimEqual(sessions.length, 4, 'sessions');
    },
  ),

  scenario(
    'S6',
    'switched off: the session is blocked and says why, so is the attempt of another device; switched on it goes on',
    async (household) => {
      const { devices, daemon } = household;
      const { clients } = pptpClients(household, 2);
      const call = await clients[0]!.dial(0x0101);
      const [before] = await sessionsWhen(
        household,
        'the call to be up',
        areAll(household, devices.slice(0, 1), 'pptp', 'up'),
      );
      await daemon.setPassthrough({ pptp: 'disabled' });
      const [blocked] = await sessionsWhen(
        household,
        'it to be blocked',
        (now) => now[0]?.state === 'blocked',
      );
      claimEqual([blocked!.id, blocked!.since], [before!.id, before!.since], 'the same session');
      claim(blocked!.trouble!.includes('PPTP Passthrough is disabled'), `why: "${blocked!.trouble}"`);
      await clients[1]!.connect().catch(() => undefined);
      await sessionsWhen(
        household,
        'the attempt of the second device to be shown as blocked',
        areAll(household, devices.slice(0, 2), 'pptp', 'blocked'),
      );
      const events = await daemon.events();
      claim(
        events.some(
          ({ kind, what }) => kind === 'switch' && what.startsWith('PPTP Passthrough was disabled.'),
        ),
        'the switch stands in the events',
      );
      await daemon.setPassthrough({ pptp: 'enabled' });
      call.near.control.destroy();
      await clients[1]!.dial(0x0102);
      await sessionsWhen(
        household,
        'the second device to be up',
        areAll(household, devices.slice(1, 2), 'pptp', 'up'),
      );
    },
  ),

  scenario(
    'S7',
    'what a server refuses is told in its words: PPTP without room, IKE without a common proposal; and a server that is not there',
    async (household) => {
      const { devices, server, servers } = household;
      const { clients, server: far } = pptpClients(household, 1);
      far.answersCalls = false;
      await clients[0]!.start();
      const called = clients[0]!.call(0x0101).catch(() => undefined);
      const { control } = await far.hearCall();
      control.send({ ...outgoingCallReply(0, 0x0101), resultCode: 7, errorCode: 4 } as ReturnType<
        typeof outgoingCallReply
      >);
      await called;
      await sessionsWhen(household, 'PPTP to fail with the reason', (now) =>
        now.some(
          ({ protocol, state, trouble }) =>
            protocol === 'pptp' &&
            state === 'failing' &&
            trouble?.includes('perhaps all its connections are taken') === true,
        ),
      );
      const [near, farIke] = [new IkePeer(household, devices[1]!), new IkePeer(household, server)];
      near.sendIke(server.address, IKE_PORT, server, {
        initiatorSpi: 0xc1c1_c1c1_c1c1_c1c1n,
        exchangeType: exchangeTypes.ikeSaInit,
      });
      const request = await until('the request at the server', () => farIke.receivedIke()[0]);
      const body = emitNotify({
        doi: null,
        protocolId: 0,
        type: notifyTypes.noProposalChosen,
        spi: new Uint8Array(),
        data: new Uint8Array(),
      });
      farIke.sendBytes(
        request.source,
        request.sourcePort,
        emitIsakmp({
          header: {
            initiatorSpi: 0xc1c1_c1c1_c1c1_c1c1n,
            responderSpi: 0n,
            majorVersion: 2,
            minorVersion: 0,
            exchangeType: exchangeTypes.ikeSaInit,
            flags: { response: true },
            messageId: 0,
          },
          payloads: [{ type: payloadTypesV2.notify, critical: false, body }],
          encrypted: null,
        }),
      );
      await sessionsWhen(household, 'IKE to fail with the reason', (now) =>
        now.some(
          ({ protocol, state, trouble }) =>
            protocol === 'ipsec' && state === 'failing' && trouble?.includes('NO_PROPOSAL_CHOSEN') === true,
        ),
      );
      const silent = new IkePeer(household, devices[2]!);
      silent.sendIke(servers[1]!.address, IKE_PORT, servers[1]!, {
        initiatorSpi: 0xd1d1_d1d1_d1d1_d1d1n,
        exchangeType: exchangeTypes.ikeSaInit,
      });
      await sessionsWhen(household, 'the silent server to be named', (now) =>
        now.some(
          ({ state, trouble }) =>
            state === 'failing' &&
            trouble?.startsWith(`${servers[1]!.address} port 500 does not answer.`) === true,
        ),
      );
    },
  ),

  scenario(
    'S8',
    'a session that is ended by its number is gone from the kernel, and the other one goes on',
    async (household) => {
      const { devices, daemon } = household;
      const { clients } = pptpClients(household, 2);
      const calls: PptpSession[] = [];
      for (const client of clients) calls.push(await client.dial(0x0101));
      await converse(household, calls);
      const sessions = await sessionsWhen(
        household,
        'both calls to be up',
        areAll(household, devices.slice(0, 2), 'pptp', 'up'),
      );
      const flows = async (device: Host): Promise<number> =>
        (await household.gateway.inside(() => listConntrack())).filter(
          ({ original }) => original.source === device.address,
        ).length;
      await until(
        'the flows of both',
        async () => (await flows(devices[0]!)) === 2 && (await flows(devices[1]!)) === 2,
      );
      const first = sessions.find(({ device }) => device.address === devices[0]!.address)!;
      const answer = await daemon.command('end', first.id);
      claimEqual(answer.status, 0, `"throughway end ${first.id}" succeeds: ${answer.stderr}`);
      claimEqual([await flows(devices[0]!), await flows(devices[1]!)], [0, 2], 'flows of the two devices');
      await converse(household, calls.slice(1));
      const again = await daemon.command('end', first.id);
      claimEqual(again.status, 1, 'to end it twice is a failure');
      const listed = await daemon.command('sessions', '--ended');
      claim(listed.stdout.includes('ended'), `the table names it: ${listed.stdout}`);
    },
  ),

  scenario(
    'S9',
    'a daemon that is killed and started again shows the same sessions with the same numbers and beginnings',
    async (household) => {
      const { devices, daemon, server, ledger, wan } = household;
      const { clients } = pptpClients(household, 2);
      const calls: PptpSession[] = [];
      for (const client of clients) calls.push(await client.dial(0x0101));
      const tunnels = await rawIpsec(household, devices.slice(0, 2));
      const [near, far] = [
        new UdpPeer(household, devices[2]!, 51_820),
        new UdpPeer(household, server, 51_820),
      ];
      near.sendBytes(server.address, 51_820, Buffer.concat([Buffer.of(1, 0, 0, 0), Buffer.alloc(144, 5)]));
      const { sourcePort } = await until('the first packet at the server', () => far.received[0]);
      const round = async (): Promise<void> => {
        near.send(server.address, 51_820, server);
        far.send(wan, sourcePort, devices[2]!);
        await converse(household, [...calls, ...tunnels], 10);
        await ledger.settle();
      };
      await round();
      const before = await sessionsWhen(
        household,
        'five sessions to be up',
        (now) => now.length === 5 && now.every(({ state }) => state === 'up'),
      );
      // Written within a moment of having begun.
      await until('the journal to have them', async () =>
        (await Promise.all(before.map(({ id }) => daemon.session(id)))).every(
          ({ history }) => history.length > 0,
        ),
      );
      await daemon.signal('SIGKILL');
      await round();
      await daemon.start();
      const key = ({ id, since, protocol, device, pairing }: Session): unknown => [
        id,
        since,
        protocol,
        device.address,
        pairing,
      ];
      const after = await sessionsWhen(
        household,
        'the five sessions to be there again',
        (now) => now.length === 5,
      );
      claimEqual(after.map(key), before.map(key), 'numbers, beginnings and devices');
      const packets = before.map(({ traffic }) => traffic.in.packets);
      await round();
      await sessionsWhen(
        household,
        'their traffic to go on being counted',
        (now) =>
          now.length === 5 &&
          now.every(({ traffic, state }, index) => state === 'up' && traffic.in.packets > packets[index]!),
      );
      const story: SessionStory = await daemon.session(before[0]!.id);
      claim(story.history[0]!.what.startsWith('It began'), 'the history reaches back to the beginning');
    },
  ),
];
