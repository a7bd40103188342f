// Calls while the gateway changes under them: reloads, deaths of the daemon, and the switch (cases
// P16 and P17). Data flows throughout.
import { setTimeout as sleep } from 'node:timers/promises';
import { emitGre } from '../../src/core/wire/gre.ts';
import { icmpTypes, unreachableCodes } from '../../src/core/wire/icmp.ts';
import { ipProtocols } from '../../src/core/wire/ipv4.ts';
import { LinuxError } from '../../src/linux/libc.ts';
import { IcmpPeer } from '../peers/icmp.ts';
import { PPTP_PORT, type PptpSession } from '../peers/pptp.ts';
import { converse } from '../peers/converse.ts';
import { echoRequest } from '../peers/pptp-control.ts';
import { scenario, type Scenario } from '../scenario.ts';
import { connectTcp } from '../sockets.ts';
import { ADDRESSES, type Household } from '../topologies/household.ts';
import { claim, claimEqual, until } from '../wait.ts';
import { during } from './gateway.ts';
import { pptpClients, remembered } from './pptp.ts';

/** What is switched off has stopped by then. */
const OFF_WITHIN_MS = 100;

/** Two calls of two devices with the same Call ID, both in use. */
async function liveCalls(household: Household): Promise<PptpSession[]> {
  const { clients } = pptpClients(household, 2);
  const sessions = [];
  for (const client of clients) sessions.push(await client.dial(0x0101));
  await converse(household, sessions);
  return sessions;
}

/** A packet each way on each call, and now and then an echo on the control connection. */
function traffic(sessions: readonly PptpSession[]): { round(): void } {
  let rounds = 0;
  return {
    round: () => {
      for (const session of sessions) {
        session.up();
        session.down();
        if (rounds % 100 === 0) session.near.control.send(echoRequest(rounds));
      }
      rounds += 1;
    },
  };
}

export const pptpSwitchScenarios: readonly Scenario[] = [
  scenario(
    'P16',
    'reloads of the ruleset and deaths of the daemon during a call: nothing is lost',
    async (household) => {
      const { daemon, ledger } = household;
      const sessions = await liveCalls(household);
      const changes = async (): Promise<void> => {
        for (let count = 0; count < 5; count += 1) await daemon.reload();
        for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
          await daemon.signal(signal);
          await daemon.start();
        }
        await daemon.reload();
      };
      await during(traffic(sessions), changes());
      await ledger.settle();
      for (const session of sessions) {
        await session.verify();
        const { control } = session.near;
        const asked = session.far.control.all('echo-request').length;
        claim(asked > 0, 'echoes were asked for');
        await control.hear('echo-reply', asked);
      }
      // And the kernel still translates for a call that begins now, also while the daemon is dead.
      await daemon.signal('SIGKILL');
      const late = await sessions[0]!.client.dial(0x0102);
      await converse(household, [late, ...sessions]);
    },
  ),

  scenario(
    'P17',
    'switched off during calls: nothing passes within 100 ms, new ones are refused at once; switched on, new calls work',
    async (household) => {
      const { daemon, device, server, wan, gateway } = household;
      const sessions = await liveCalls(household);
      const [session] = sessions;
      const errors = new IcmpPeer(household, device);
      const ends = [session!.client.server.gre, ...sessions.map(({ client }) => client.gre)];
      // Without tags: some of these still arrive and others do not.
      const data = (callId: number): Uint8Array =>
        emitGre({ version: 1, callId, sequence: 9000, acknowledgment: null, payload: new Uint8Array(32) });
      const round = (): void => {
        for (const { client, near, far } of sessions) {
          client.gre.sendBytes(server.address, data(near.peerCallId));
          client.server.gre.sendBytes(wan, data(far.peerCallId));
        }
      };
      const before = ends.map(({ received }) => received.length);
      const beganMs = performance.now();
      const change = daemon.setPassthrough({ pptp: 'disabled' });
      await during(
        { round },
        change.then(() => sleep(OFF_WITHIN_MS)),
      );
      for (const [index, { received, place }] of ends.entries()) {
        claim(received.length > before[index]!, `data flowed at ${place.address} until it was switched off`);
        const lastMs = received.at(-1)!.atMs - beganMs;
        claim(lastMs < OFF_WITHIN_MS, `the last data at ${place.address} after ${lastMs.toFixed(0)} ms`);
      }
      claimEqual((await change).ended, { pptp: 4 }, 'connections ended: two of control, two of data');

      // The devices are told at once, by ICMP for data and by a reset for control, old and new.
      const refusal = await until('the ICMP error about GRE', () =>
        errors.errors.find(({ about }) => about.protocol === ipProtocols.gre),
      );
      claimEqual(
        [refusal.type, refusal.code, refusal.source, refusal.about.destination],
        [
          icmpTypes.destinationUnreachable,
          unreachableCodes.administrativelyProhibited,
          ADDRESSES.gatewayLan,
          server.address,
        ],
        'the refusal',
      );
      session!.near.control.send(echoRequest(1));
      await until('the running control connection to be reset', () => session!.near.control.ended);
      claimEqual(session!.near.control.ended, 'ECONNRESET', 'how it ended');
      const askedMs = performance.now();
      const refused: unknown = await connectTcp(device, server.address, PPTP_PORT).catch(
        (error: unknown) => error,
      );
      claim(refused instanceof LinuxError && refused.errno === 'ECONNREFUSED', `refused: ${String(refused)}`);
      claim(performance.now() - askedMs < 100, 'at once');
      claim((await daemon.drops('pptp_disabled')) > 0, 'the drops are counted');
      const kept = await remembered(household);
      claimEqual(
        [kept.control.length, kept.data.length, kept.expected],
        [0, 0, 0],
        'what conntrack still holds',
      );
      claim(
        gateway.run('nft', ['list', 'ruleset']).includes('PPTP Passthrough is disabled'),
        'the rules say so',
      );

      await daemon.setPassthrough({ pptp: 'enabled' });
      const again = [];
      for (const { client, far } of sessions) {
        // The former call is over: what its server still sends reaches nobody.
        const header = { version: 1, callId: far.peerCallId, sequence: 9001, acknowledgment: null } as const;
        client.server.gre.send(wan, header, null);
        again.push(await client.dial(0x0101));
      }
      await converse(household, again, 10);
    },
  ),
];
