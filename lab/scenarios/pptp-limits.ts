// What the kernel's PPTP helper makes of calls and messages that it does not follow (cases P4 to P6,
// P8 and P12). It reads one whole message at the head of each segment, and keeps one pair of Call IDs
// for a control connection. These plays hold it to its limits: what fails fails for that call alone,
// other calls go on, and where another device gets something after all, the play says so.
import { emitPptp, type PptpMessage } from '../../src/core/wire/pptp.ts';
import { deleteConntrack } from '../../src/linux/conntrack.ts';
import { type PptpClient, type PptpServer } from '../peers/pptp.ts';
import { converse } from '../peers/converse.ts';
import {
  echoRequest,
  outgoingCallReply,
  outgoingCallRequest,
  type PptpControl,
  setLinkInfo,
  START_REQUEST,
} from '../peers/pptp-control.ts';
import { scenario, type Scenario } from '../scenario.ts';
import type { Host, Household } from '../topologies/household.ts';
import { claim, claimEqual, until } from '../wait.ts';
import { pptpClients, remembered } from './pptp.ts';

const LIMIT = "(the kernel helper's limit)";

/** Writes that are segments of their own, since nothing holds them back. */
function sendSplit(control: PptpControl, message: PptpMessage, at: number): void {
  const bytes = emitPptp(message);
  control.sendBytes(bytes.subarray(0, at));
  control.sendBytes(bytes.subarray(at));
}

/** The client's Call ID as the server has seen it, and as the client was told it back. */
function told(control: PptpControl, server: PptpServer): { seen: number; toldBack: number } {
  const reply = control.all('outgoing-call-reply').at(-1);
  return { seen: server.calls.at(-1)!.peerCallId, toldBack: reply!.peerCallId };
}

/** One packet each way of the latest call, by the Call IDs that the ends believe in; what the server sends is for `receiver`. */
function sendBothWays(
  { wan }: Household,
  client: PptpClient,
  receiver: Host | null,
  call = client.server.calls.at(-1)!,
): void {
  const { server, gre } = client;
  const header = { version: 1, sequence: 7000, acknowledgment: null } as const;
  gre.send(server.host.address, { ...header, callId: call.callId }, server.host);
  server.gre.send(wan, { ...header, callId: call.peerCallId }, receiver);
}

export const pptpLimitScenarios: readonly Scenario[] = [
  scenario(
    'P4',
    `two calls in one control connection: the server sees one Call ID, its data for either comes as the first call's ${LIMIT}`,
    async (household) => {
      const { server, clients } = pptpClients(household, 2);
      const [client, other] = clients;
      const sessions = [await client!.dial(0x0101), await other!.dial(0x0101)];
      await converse(household, sessions);
      const second = await client!.call(0x0102);
      const far = server.calls.at(-1)!;
      claimEqual(told(client!.control, server).toldBack, 0x0102, 'the Call ID that the client is told');
      claimEqual(far.peerCallId, sessions[0]!.far.peerCallId, 'the Call ID of both calls at the server');
      const before = client!.gre.ofCall(0x0101).length;
      sendBothWays(household, client!, client!.host, far);
      await until('the packet at the client', () => client!.gre.ofCall(0x0101).length > before);
      await until('the packet at the server', () => server.gre.ofCall(second.peerCallId).length === 1);
      claimEqual(client!.gre.ofCall(0x0102).length, 0, "packets that came as the second call's");
      client!.control.send({ kind: 'call-clear-request', callId: 0x0102 });
      const clear = await sessions[0]!.far.control.hear('call-clear-request');
      claimEqual(clear.callId, sessions[0]!.far.peerCallId, 'the call that the server is asked to end');
      await converse(household, [sessions[1]!]);
    },
  ),

  scenario(
    'P5',
    `a message split at each byte is not translated: no data for that call, others go on ${LIMIT}`,
    async (household) => {
      const { server, clients } = pptpClients(household, 2);
      const [client, other] = clients;
      const whole = await other!.dial(0x0101, 1100);
      const splits: Record<string, number> = {};
      const follow = (kind: PptpMessage['kind']): void => {
        splits[kind] = (splits[kind] ?? 0) + 1;
        sendBothWays(household, client!, null);
        client!.control.close();
      };
      const each = (message: PptpMessage): number[] =>
        Array.from({ length: emitPptp(message).length - 1 }, (_, index) => index + 1);
      for (const at of each(outgoingCallRequest(0))) {
        const control = await client!.start();
        sendSplit(control, outgoingCallRequest(0x0102), at);
        await control.hear('outgoing-call-reply');
        claimEqual(told(control, server), { seen: 0x0102, toldBack: 0x0102 }, `request split at ${at}`);
        follow('outgoing-call-request');
      }
      for (const at of each(START_REQUEST)) {
        const control = await client!.connect();
        sendSplit(control, START_REQUEST, at);
        await control.hear('start-reply');
        await client!.call(0x0103);
        claimEqual(told(control, server), { seen: 0x0103, toldBack: 0x0103 }, `start split at ${at}`);
        follow('start-request');
      }
      server.answersCalls = false;
      for (const at of each(outgoingCallReply(0, 0))) {
        const control = await client!.start();
        control.send(outgoingCallRequest(0x0104));
        const { control: far, request } = await server.hearCall();
        sendSplit(far, server.accept(far, request).reply, at);
        await control.hear('outgoing-call-reply');
        // The request was translated, so the client is told a Call ID that is none of its own.
        const { seen, toldBack } = told(control, server);
        claim(seen === toldBack && seen !== 0x0104, `reply split at ${at}: ${seen} and ${toldBack}`);
        follow('outgoing-call-reply');
      }
      await converse(household, [whole], 10);
      claimEqual(Object.values(splits), [167, 155, 31], 'splits of request, start and reply');
      claimEqual(client!.gre.received.length, 0, 'packets at the client');
    },
  ),

  scenario(
    'P5b',
    `an untranslated Call ID that is by chance another device's translated one: the data goes to that device ${LIMIT}`,
    async (household) => {
      const { server, clients } = pptpClients(household, 2);
      const [client, other] = clients;
      const whole = await other!.dial(0x0101, 2000);
      await converse(household, [whole]);
      claimEqual(whole.far.peerCallId, 2000, "the other device's Call ID at the server");
      const control = await client!.start();
      sendSplit(control, outgoingCallRequest(2000), 100);
      await control.hear('outgoing-call-reply');
      sendBothWays(household, client!, other!.host);
      await household.ledger.settle();
      claimEqual(
        server.calls.map(({ peerCallId }) => peerCallId),
        [2000, 2000],
        'Call IDs at the server',
      );
    },
  ),

  scenario(
    'P6',
    `two messages in one segment: the first is translated, a call in the second has no data ${LIMIT}`,
    async (household) => {
      const { server, clients } = pptpClients(household, 2);
      const [client, other] = clients;
      const whole = await other!.dial(0x0101, 1100);
      // The request behind another message, and before one.
      let control = await client!.start();
      control.send(echoRequest(1), outgoingCallRequest(0x0102));
      await control.hear('outgoing-call-reply');
      claimEqual(told(control, server), { seen: 0x0102, toldBack: 0x0102 }, 'echo and request');
      sendBothWays(household, client!, null);
      control = await client!.connect();
      control.send(START_REQUEST, outgoingCallRequest(0x0103));
      await control.hear('outgoing-call-reply');
      claimEqual(told(control, server), { seen: 0x0103, toldBack: 0x0103 }, 'start and request');
      sendBothWays(household, client!, null);
      control = await client!.start(1104);
      control.send(outgoingCallRequest(0x0104), echoRequest(1));
      await control.hear('outgoing-call-reply');
      claimEqual(told(control, server), { seen: 1104, toldBack: 0x0104 }, 'request and echo');
      sendBothWays(household, client!, client!.host);
      // The reply behind another message, and before one.
      server.answersCalls = false;
      control = await client!.start(1105);
      control.send(outgoingCallRequest(0x0105));
      let { control: far, request } = await server.hearCall();
      far.send(echoRequest(2), server.accept(far, request).reply);
      await control.hear('outgoing-call-reply');
      claimEqual(told(control, server), { seen: 1105, toldBack: 1105 }, 'echo and reply');
      sendBothWays(household, client!, null);
      control = await client!.start(1106);
      control.send(outgoingCallRequest(0x0106));
      ({ control: far, request } = await server.hearCall());
      far.send(server.accept(far, request).reply, setLinkInfo(request.callId));
      claimEqual((await control.hear('set-link-info')).peerCallId, 1106, 'Set-Link-Info behind the reply');
      claimEqual(told(control, server), { seen: 1106, toldBack: 0x0106 }, 'reply and Set-Link-Info');
      sendBothWays(household, client!, client!.host);
      await converse(household, [whole], 10);
      await until('the packets at the client', () => client!.gre.received.length >= 2);
      const came = client!.gre.received.map(({ packet }) => packet.version === 1 && packet.callId);
      claimEqual(came, [0x0104, 0x0106], 'the calls whose data came to the client');
    },
  ),

  scenario(
    'P8',
    `GRE that is earlier than the Outgoing-Call-Reply: the server's reaches nobody, the call works afterwards ${LIMIT}`,
    async (household) => {
      const { server, clients } = pptpClients(household, 2);
      const [client, other] = clients;
      const whole = await other!.dial(0x0101);
      server.answersCalls = false;
      const control = await client!.start();
      control.send(outgoingCallRequest(0x0101));
      const { control: far, request } = await server.hearCall();
      const { call, reply } = server.accept(far, request);
      for (let count = 0; count < 5; count += 1) sendBothWays(household, client!, null, call);
      await converse(household, [whole]);
      claimEqual(client!.gre.received.length, 0, 'packets at the client before the reply');
      far.send(reply);
      const { callId, peerCallId } = await control.hear('outgoing-call-reply');
      const session = client!.session({ control, callId: peerCallId, peerCallId: callId });
      await converse(household, [session, whole], 10);
    },
  ),

  scenario(
    'P10b',
    `a call whose data entry the kernel has forgotten gets nothing more until it is dialled again ${LIMIT}`,
    async (household) => {
      const { clients } = pptpClients(household, 2);
      const [client, other] = clients;
      const [first, whole] = [await client!.dial(0x0101), await other!.dial(0x0101)];
      await converse(household, [first, whole]);
      const { data } = await remembered(household);
      const forgotten = data.filter(({ original }) => original.source === client!.host.address);
      claimEqual(await household.gateway.inside(() => deleteConntrack(forgotten)), 1, 'entries forgotten');
      sendBothWays(household, client!, null, first.far);
      await converse(household, [whole]);
      const again = await client!.dial(0x0101);
      await converse(household, [again, whole]);
    },
  ),

  scenario(
    'P12',
    'control messages of wrong length, cookie, type and order, from either side: other calls do not notice',
    async (household) => {
      const { server, clients } = pptpClients(household, 2);
      const [client, other] = clients;
      const whole = await other!.dial(0x0101);
      const request = emitPptp(outgoingCallRequest(0x0101));
      const changed = (at: number, value: number): Uint8Array => {
        const copy = Uint8Array.from(request);
        new DataView(copy.buffer).setUint16(at, value);
        return copy;
      };
      const malformed = [
        ...[0, 11, 8, 0xffff].map((length) => changed(0, length)),
        changed(2, 2),
        changed(4, 0x1a2c),
        ...[0, 16, 0xffff].map((type) => changed(8, type)),
        request.subarray(0, 40),
        // An answer and a notice that nobody has asked for, about the other device's calls.
        emitPptp(outgoingCallReply(whole.far.callId, whole.far.peerCallId)),
        emitPptp({
          kind: 'call-disconnect-notify',
          callId: whole.far.callId,
          resultCode: 4,
          errorCode: 0,
          causeCode: 0,
          callStatistics: '',
        }),
      ];
      for (const bytes of malformed) {
        for (const sender of ['client', 'server']) {
          const control = await client!.start();
          const far = server.controls.at(-1)!;
          (sender === 'client' ? control : far).sendBytes(bytes);
          (sender === 'client' ? control : far).close();
          await until('both ends to be closed', () => control.ended !== null && far.ended !== null);
        }
        await converse(household, [whole], 1);
      }
      claimEqual(client!.gre.received.length, 0, 'packets at the client');
      const session = await client!.dial(0x0101);
      await converse(household, [session, whole]);
      claimEqual((await household.daemon.status()).problems, [], 'problems of the daemon');
    },
  ),
];
