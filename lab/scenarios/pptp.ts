// PPTP of one device and of many with one server: Call IDs, retransmissions, the end of a call
// (cases P1 to P3, P7, P9, P10 and P13 to P15). What the kernel's helper cannot do is in pptp-limits.ts,
// the switch and the daemon's deaths in pptp-switch.ts.
import { hasValidGreChecksum } from '../../src/core/wire/gre.ts';
import { ipProtocols } from '../../src/core/wire/ipv4.ts';
import { emitPptp } from '../../src/core/wire/pptp.ts';
import type { ConntrackEntry } from '../../src/core/wire/ctnetlink.ts';
import { deleteConntrack, listConntrack, listExpectations } from '../../src/linux/conntrack.ts';
import type { Namespace } from '../namespaces.ts';
import { GrePeer } from '../peers/gre.ts';
import { PPTP_PORT, PptpClient, PptpServer } from '../peers/pptp.ts';
import { converse } from '../peers/converse.ts';
import { outgoingCallReply, outgoingCallRequest, setLinkInfo } from '../peers/pptp-control.ts';
import { scenario, type Scenario } from '../scenario.ts';
import type { Household } from '../topologies/household.ts';
import { claim, claimEqual, until } from '../wait.ts';

/** A client on each of the first `count` devices, and the server that they all call. */
export function pptpClients(
  household: Household,
  count: number,
): { server: PptpServer; clients: PptpClient[] } {
  const server = new PptpServer(household, household.server);
  const clients = household.devices
    .slice(0, count)
    .map((device) => new PptpClient(household, new GrePeer(household, device), server));
  return { server, clients };
}

/** What the gateway's kernel remembers of PPTP: control connections, data, and data it waits for. */
export async function remembered({
  gateway,
}: Household): Promise<{ control: ConntrackEntry[]; data: ConntrackEntry[]; expected: number }> {
  const tcp = await gateway.inside(() =>
    listConntrack({ protocol: ipProtocols.tcp, destinationPort: PPTP_PORT }),
  );
  const data = await gateway.inside(() => listConntrack({ protocol: ipProtocols.gre }));
  const expected = await gateway.inside(() => listExpectations());
  return { control: tcp, data, expected: expected.length };
}

export const pptpScenarios: readonly Scenario[] = [
  scenario('P1', 'one client: control messages both ways, data both ways', async (household) => {
    const { server, clients } = pptpClients(household, 1);
    const session = await clients[0]!.dial(0x0101);
    await converse(household, [session], 10);
    const { control } = session.near;
    control.send(setLinkInfo(session.near.peerCallId));
    control.send({ kind: 'echo-request', identifier: 77 });
    claimEqual((await control.hear('echo-reply')).identifier, 77, 'the identifier of the echo');
    claimEqual(
      server.controls[0]!.all('set-link-info').map(({ peerCallId }) => peerCallId),
      [session.far.callId],
      "the server's own Call ID in Set-Link-Info",
    );
    // The server speaks of the call by the client's Call ID, as it knows it.
    session.far.control.send(setLinkInfo(session.far.peerCallId));
    claimEqual(
      (await control.hear('set-link-info')).peerCallId,
      session.near.callId,
      "the client's own Call ID in Set-Link-Info",
    );
    session.far.control.send({ kind: 'echo-request', identifier: 78 });
    await until('the echo at the client', () => control.all('echo-request').length === 1);
    await clients[0]!.hangUp(session.near);
  }),

  scenario(
    'P2',
    'two clients, one server, the same Call ID and the same TCP source port',
    async (household) => {
      const { server, clients } = pptpClients(household, 2);
      const sessions = [];
      for (const client of clients) sessions.push(await client.dial(0x0101, 1100));
      await converse(household, sessions, 20);
      claim(
        server.calls[0]!.peerCallId !== server.calls[1]!.peerCallId,
        'the server sees a Call ID for each client',
      );
    },
  ),

  scenario(
    'P3',
    '64 clients, one server, the same Call ID and the same TCP source port',
    async (household) => {
      const server = new PptpServer(household, household.server);
      const sessions = [];
      for (let index = 0; index < 64; index += 1) {
        const host = household.devices[index % 4]!;
        const place = household.addAddress(host, `192.168.1.${100 + index}`);
        const client = new PptpClient(household, new GrePeer(household, host, place), server);
        sessions.push(await client.dial(0x0101, 1100));
      }
      const seen = new Set(server.calls.map(({ peerCallId }) => peerCallId));
      claimEqual(seen.size, 64, 'Call IDs that the server sees');
      await converse(household, sessions, 3);
      // Half of them go, and the others do not notice.
      for (const session of sessions.slice(0, 32)) await session.client.hangUp(session.near);
      await converse(household, sessions.slice(32), 2);
    },
    { devices: 4 },
  ),

  scenario(
    'P7',
    'Outgoing-Call-Request and reply lost and sent again, before and behind the gateway',
    async (household) => {
      const { server, clients } = pptpClients(household, 1);
      const [client] = clients;
      const sessions = [];
      const losses: readonly [Namespace, string][] = [
        [
          household.isp,
          `forward priority filter; policy accept; tcp dport 1723 meta length ${52 + REQUEST_BYTES}`,
        ],
        [
          household.isp,
          `forward priority filter; policy accept; tcp sport 1723 meta length ${52 + REPLY_BYTES}`,
        ],
        [
          household.device.namespace,
          `input priority filter; policy accept; tcp sport 1723 meta length ${52 + REPLY_BYTES}`,
        ],
      ];
      for (const [namespace, where] of losses) {
        namespace.run('nft', ['-f', '-'], lossOf(where));
        sessions.push(await client!.dial(0x0101 + sessions.length));
        claimEqual(countLost(namespace), 1, 'messages lost on the way');
        namespace.run('nft', ['delete', 'table', 'ip', 'loss']);
        await converse(household, sessions);
      }
      // A client that asks again by itself, and a server that says the same again.
      server.answersCalls = false;
      const control = await client!.start();
      control.send(outgoingCallRequest(0x0110));
      const { request, control: far } = await server.hearCall();
      const { reply } = server.accept(far, request);
      far.send(reply);
      await control.hear('outgoing-call-reply');
      control.send(outgoingCallRequest(0x0110));
      await far.hear('outgoing-call-request', 2);
      claimEqual(
        far.all('outgoing-call-request')[1]!.callId,
        request.callId,
        'the Call ID in the repetition',
      );
      far.send(reply);
      const again = await control.hear('outgoing-call-reply', 2);
      sessions.push(client!.session({ control, callId: again.peerCallId, peerCallId: again.callId }));
      await converse(household, sessions);
    },
  ),

  scenario('P9', 'the end of a call in words: what it held is free at once', async (household) => {
    const { clients } = pptpClients(household, 2);
    const [one, two] = clients;
    const first = await one!.dial(0x0101, 1100);
    await converse(household, [first]);
    claimEqual((await remembered(household)).data.length, 1, 'entries of data during the call');
    await one!.hangUp(first.near);
    const after = await remembered(household);
    claimEqual(
      [after.data.length, after.expected],
      [0, 0],
      'entries of data, and data expected, after the call',
    );
    const second = await two!.dial(0x0101, 1100);
    const third = await one!.dial(0x0101);
    await converse(household, [second, third]);
  }),

  scenario(
    'P9b',
    'the control connection ends with a FIN, without a word: another client is not hindered',
    async (household) => {
      const { clients } = pptpClients(household, 2);
      const [one, two] = clients;
      const first = await one!.dial(0x0101, 1100);
      await converse(household, [first]);
      one!.control.close();
      await until(
        'both ends to be closed',
        () => first.far.control.ended === 'FIN' && one!.control.ended === 'FIN',
      );
      const second = await two!.dial(0x0101, 1100);
      // Until the kernel has forgotten the closed connection, what the server still sends for the first
      // call reaches the device that it is for, and nobody else.
      await converse(household, [first, second]);
    },
  ),

  scenario(
    'P9c',
    'the control connection ends with a RST: the data entries go with it, another client is not hindered',
    async (household) => {
      const { server, clients } = pptpClients(household, 2);
      const [one, two] = clients;
      const first = await one!.dial(0x0101, 1100);
      await converse(household, [first]);
      one!.control.reset();
      await until('the reset at the server', () => first.far.control.ended === 'ECONNRESET');
      const second = await two!.dial(0x0101, 1100);
      await converse(household, [first, second]);
      // The kernel keeps a connection that was reset for ten seconds, which nobody waits for here.
      const { control } = await remembered(household);
      const closed = control.filter(({ original }) => original.source === one!.host.address);
      claim(closed.length === 1 && closed[0]!.timeoutSeconds! <= 10, 'ten seconds at the most');
      await household.gateway.inside(() => deleteConntrack(closed));
      const sources = (await remembered(household)).data.map(({ original }) => original.source);
      claimEqual(sources, [two!.host.address], 'whose data the kernel still knows');
      server.gre.send(
        household.wan,
        { version: 1, callId: first.far.peerCallId, sequence: 99, acknowledgment: null },
        null,
      );
      await converse(household, [second]);
      const third = await one!.dial(0x0101, 1100);
      await converse(household, [second, third]);
    },
  ),

  scenario(
    'P10',
    'a call without data is known for as long as an idle control connection is',
    async (household) => {
      const { clients } = pptpClients(household, 1);
      const session = await clients[0]!.dial(0x0101);
      await converse(household, [session]);
      const { data } = await remembered(household);
      const seconds = data.map(({ timeoutSeconds }) => timeoutSeconds);
      claim(seconds.length === 1 && seconds[0]! > 7400, `7440 s, as for TCP: ${seconds.join(', ')}`);
    },
  ),

  scenario('P13', 'the Call ID of the server is 0, and so is that of a client', async (household) => {
    const sessions = [];
    for (const [index, host] of household.servers.entries()) {
      const server = new PptpServer(household, host);
      server.nextCallId = 0;
      const gre = new GrePeer(household, household.devices[index]!);
      sessions.push(await new PptpClient(household, gre, server).dial(0));
    }
    claimEqual(
      sessions.map(({ near }) => near.peerCallId),
      [0, 0],
      'the Call IDs of the servers',
    );
    await converse(household, sessions, 10);
  }),

  scenario(
    'P14',
    'packets 1 to 200 of a call: sequence, acknowledgment and payload as sent, also of fragments',
    async (household) => {
      const { clients } = pptpClients(household, 2);
      const sessions = [await clients[0]!.dial(0x0101), await clients[1]!.dial(0x0101)];
      for (let count = 0; count < 200; count += 1) {
        for (const session of sessions) {
          session.up(12 + count * 7);
          session.down(12 + count * 7);
        }
        // RFC 2637 4.1: enhanced GRE has no checksum of its own; the ledger checks IP's.
        if (count % 50 === 49) await household.ledger.settle();
      }
      for (const session of sessions) {
        session.up(3000);
        session.down(3000);
      }
      await household.ledger.settle();
      for (const session of sessions) await session.verify();
    },
  ),

  scenario('P15', 'GRE version 0 is untouched, also while PPTP is disabled', async (household) => {
    const { device, server, wan, ledger } = household;
    const [near, far] = [new GrePeer(household, device), new GrePeer(household, server)];
    const sent: { up: Uint8Array[]; down: Uint8Array[] } = { up: [], down: [] };
    const exchange = async (): Promise<void> => {
      for (const [index, hasChecksum] of [true, false].entries()) {
        // RFC 2890: a key and a sequence number, which stand where version 1 has length and Call ID.
        const header = {
          version: 0,
          hasChecksum,
          protocol: 0x0800,
          key: 0x0001_0101,
          sequence: index,
        } as const;
        sent.up.push(near.send(server.address, header, server));
        await ledger.settle();
        sent.down.push(far.send(wan, header, device));
        await ledger.settle();
      }
    };
    await exchange();
    await household.daemon.setPassthrough({ pptp: 'disabled' });
    await exchange();
    await until('all packets to be read', () => near.received.length >= 4 && far.received.length >= 4);
    claimEqual(
      hexOf(far),
      sent.up.map((bytes) => Buffer.from(bytes).toString('hex')),
      'what the server got',
    );
    claimEqual(
      hexOf(near),
      sent.down.map((bytes) => Buffer.from(bytes).toString('hex')),
      'what the device got',
    );
    claim(
      [...near.received, ...far.received].every(({ bytes }) => hasValidGreChecksum(bytes)),
      'checksums of GRE',
    );
  }),
];

const REQUEST_BYTES = emitPptp(outgoingCallRequest(0)).length;
const REPLY_BYTES = emitPptp(outgoingCallReply(0, 0)).length;

/** Loses the first packet that passes there; a message has 52 octets of IP and TCP before it. */
function lossOf(where: string): string {
  return `table ip loss { chain first { type filter hook ${where} limit rate 1/day burst 1 packets counter drop; }; }\n`;
}

function countLost(namespace: Namespace): number {
  return Number(/packets (\d+)/.exec(namespace.run('nft', ['list', 'table', 'ip', 'loss']))?.[1]);
}

function hexOf({ received }: GrePeer): string[] {
  return received.map(({ bytes }) => Buffer.from(bytes).toString('hex'));
}
