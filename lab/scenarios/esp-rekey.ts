// IKE on UDP 500 and the ESP that comes of it, without NAT-T: beginnings that overlap, rekeying from
// either side, and servers that speak first (cases E4 and E7 to E9). At least two devices share the
// server in each, so that "its only device" is never the answer.
import { exchangeTypes } from '../../src/core/wire/isakmp.ts';
import { EspPeer } from '../peers/esp.ts';
import { EspSession } from '../peers/esp-session.ts';
import { converse } from '../peers/converse.ts';
import { IKE_PORT, IkePeer } from '../peers/ike.ts';
import { scenario, type Scenario } from '../scenario.ts';
import type { Host, Household } from '../topologies/household.ts';

/** One device's IKE SA with the server. */
interface Party {
  readonly device: Host;
  readonly ike: IkePeer;
  readonly cookie: bigint;
  readonly session: (spiOut: number, spiIn: number) => EspSession;
}

interface Meeting {
  readonly far: IkePeer;
  readonly parties: Party[];
  /** The device asks, the server answers, both arrived. */
  readonly exchange: (party: Party, exchangeType: number) => Promise<void>;
  /** The server asks under the device's IKE SA, the device answers, both arrived. */
  readonly serverExchange: (party: Party, exchangeType: number) => Promise<void>;
}

function meeting(household: Household, count: number): Meeting {
  const { server, ledger } = household;
  const far = new IkePeer(household, server);
  const farEsp = new EspPeer(household, server);
  const parties = household.devices.slice(0, count).map((device, index): Party => {
    const near = new EspPeer(household, device);
    return {
      device,
      ike: new IkePeer(household, device),
      cookie: 0xc0ff_ee00_0000_0001n + BigInt(index),
      session: (spiOut, spiIn) => new EspSession(household, near, farEsp, spiOut, spiIn),
    };
  });
  let messageId = 0;
  return {
    far,
    parties,
    exchange: async (party, exchangeType) => {
      messageId += 1;
      party.ike.sendIke(server.address, IKE_PORT, server, {
        initiatorSpi: party.cookie,
        exchangeType,
        messageId,
      });
      await ledger.settle();
      far.answer(far.latest(party.cookie), party.device);
      await ledger.settle();
    },
    serverExchange: async (party, exchangeType) => {
      const { source, sourcePort, header } = far.latest(party.cookie);
      messageId += 1;
      far.sendIke(source, sourcePort, party.device, {
        initiatorSpi: party.cookie,
        responderSpi: header.responderSpi || 1n,
        exchangeType,
        messageId,
      });
      await ledger.settle();
      party.ike.answer(party.ike.latest(party.cookie), server);
      await ledger.settle();
    },
  };
}

const { mainMode, quickMode, ikeSaInit, ikeAuth, createChildSa } = exchangeTypes;

/** All devices' phase 2 at once, each one's messages between those of the others; the server answers in order. */
async function beginTogether(household: Household, count: number): Promise<void> {
  const { server, ledger } = household;
  const { far, parties, exchange } = meeting(household, count);
  for (const party of parties) await exchange(party, mainMode);
  // Quick Mode has three messages: request, answer and confirmation (RFC 2409 5.5).
  const quick = (party: Party): void =>
    party.ike.sendIke(server.address, IKE_PORT, server, {
      initiatorSpi: party.cookie,
      exchangeType: quickMode,
      messageId: 7,
    });
  for (const party of parties) quick(party);
  await ledger.settle();
  for (const party of parties) far.answer(far.latest(party.cookie), party.device);
  await ledger.settle();
  for (const party of parties) quick(party);
  const sessions = parties.map((party, index) => party.session(0x1001 + index, 0x2001 + index));
  for (const session of sessions) session.up();
  await ledger.settle();
  for (const session of sessions) session.down();
  await ledger.settle();
  await converse(household, sessions);
}

/** Sessions of the first devices, set up one after the other with IKEv2. */
async function established(household: Household, { parties, exchange }: Meeting): Promise<EspSession[]> {
  const sessions = parties.map((party, index) => party.session(0x1001 + index, 0x2001 + index));
  for (const [index, party] of parties.entries()) {
    await exchange(party, ikeSaInit);
    await exchange(party, ikeAuth);
    await sessions[index]!.begin();
  }
  await converse(household, sessions, 1);
  return sessions;
}

export const espRekeyScenarios: readonly Scenario[] = [
  scenario('E4', 'two devices begin at the same time at one server', (household) =>
    beginTogether(household, 2),
  ),

  scenario(
    'E4b',
    'four devices begin at the same time at one server',
    (household) => beginTogether(household, 4),
    { devices: 4 },
  ),

  scenario('E7', 'rekeyed by the device, twice, the old SPIs in use for a while', async (household) => {
    const met = meeting(household, 2);
    const old = await established(household, met);
    for (const generation of [1, 2]) {
      for (const [index, party] of met.parties.entries()) {
        await met.exchange(party, createChildSa);
        const next = party.session(0x1001 + index + 0x100 * generation, 0x2001 + index + 0x100 * generation);
        // Make before break: packets on the old SPIs are still under way, both ways.
        old[index]!.up();
        old[index]!.down();
        await next.begin();
        await converse(household, [...old, next]);
        old[index] = next;
      }
    }
    await converse(household, old);
  }),

  scenario('E8', 'rekeyed by the server, which sends first on the new SPI', async (household) => {
    const { ledger } = household;
    const met = meeting(household, 2);
    const old = await established(household, met);
    for (const generation of [1, 2]) {
      for (const [index, party] of met.parties.entries()) {
        await met.serverExchange(party, createChildSa);
        const next = party.session(0x1001 + index + 0x100 * generation, 0x2001 + index + 0x100 * generation);
        next.down();
        await ledger.settle();
        old[index]!.up();
        next.up();
        await converse(household, [...old, next]);
        old[index] = next;
      }
    }
    await converse(household, old);
  }),

  scenario('E9', 'the server sends first, to two devices one after the other', async (household) => {
    const { ledger } = household;
    const { parties, exchange } = meeting(household, 2);
    const sessions = parties.map((party, index) => party.session(0x1001 + index, 0x2001 + index));
    for (const [index, party] of parties.entries()) {
      await exchange(party, ikeSaInit);
      await exchange(party, ikeAuth);
      for (let count = 0; count < 3; count += 1) sessions[index]!.down();
      await ledger.settle();
      sessions[index]!.up();
      await converse(household, sessions.slice(0, index + 1));
    }
    await converse(household, sessions);
  }),

  scenario(
    'E9b',
    'the server sends first after Quick Mode, with a third device waiting',
    async (household) => {
      const { ledger } = household;
      const { parties, exchange } = meeting(household, 3);
      const sessions = parties.map((party, index) => party.session(0x1001 + index, 0x2001 + index));
      for (const [index, party] of parties.slice(0, 2).entries()) {
        await exchange(party, mainMode);
        await exchange(party, quickMode);
        sessions[index]!.down();
        await ledger.settle();
      }
      // The devices' first packets come later, and another device's in between.
      sessions[2]!.up();
      sessions[1]!.up();
      sessions[0]!.up();
      await ledger.settle();
      sessions[2]!.down();
      await converse(household, sessions);
    },
  ),
];
