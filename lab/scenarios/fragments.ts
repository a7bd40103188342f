// Packets that come in pieces: ESP and IKE longer than the path's MTU, in order and out of order
// (cases E18 and I7). The gateway sees SPI, ports and cookies only in the first piece.
import { exchangeTypes } from '../../src/core/wire/isakmp.ts';
import { emitIpv4Packet, ipProtocols } from '../../src/core/wire/ipv4.ts';
import type { Ipv4Address } from '../../src/core/address.ts';
import { IKE_PORT, IkePeer } from '../peers/ike.ts';
import { type EspSession } from '../peers/esp-session.ts';
import { converse } from '../peers/converse.ts';
import { scenario, type Scenario } from '../scenario.ts';
import { PacketSender } from '../sockets.ts';
import type { Host, Household } from '../topologies/household.ts';
import { claimEqual } from '../wait.ts';
import { sessionsWithServer } from './esp.ts';

const LONG = 3000;
/** A multiple of eight, as fragments must be. */
const PIECE = 1000;

/** Sends an ESP packet of 3,000 bytes in pieces, in this order. */
function sendPieces(
  household: Household,
  from: Host,
  destination: Ipv4Address,
  identification: number,
  esp: Uint8Array,
  order: readonly number[],
): void {
  const sender = new PacketSender(from.namespace);
  for (const piece of order) {
    const offset = piece * PIECE;
    sender.send(
      destination,
      emitIpv4Packet({
        protocol: ipProtocols.esp,
        source: from.address,
        destination,
        identification,
        fragmentOffset: offset,
        moreFragments: offset + PIECE < esp.length,
        payload: esp.subarray(offset, offset + PIECE),
      }),
    );
  }
  sender.close();
}

/** The payload lengths of ESP that both ends have got. */
function lengths(session: EspSession): number[][] {
  return [session.server, session.device].map(({ received }) => received.map(({ rest }) => rest.length));
}

/** Long IKE_AUTH messages (certificates) of two devices, both ways. */
async function longIke(household: Household): Promise<IkePeer> {
  const { server, ledger } = household;
  const far = new IkePeer(household, server);
  const parties = household.devices.slice(0, 2).map((device, index) => ({
    ike: new IkePeer(household, device),
    cookie: 0xc0ff_ee00_0000_0001n + BigInt(index),
  }));
  for (const exchangeType of [exchangeTypes.ikeSaInit, exchangeTypes.ikeAuth]) {
    const length = exchangeType === exchangeTypes.ikeAuth ? LONG : 400;
    for (const { ike, cookie } of parties)
      ike.sendIke(server.address, IKE_PORT, server, { initiatorSpi: cookie, exchangeType, length });
    await ledger.settle();
    for (const { ike, cookie } of parties) far.answer(far.latest(cookie), ike.host, length);
    await ledger.settle();
  }
  for (const { ike } of parties)
    claimEqual(
      ike.received.map(({ payload }) => payload.length > LONG),
      [false, true],
      `long messages that ${ike.host.name} got whole`,
    );
  return far;
}

export const fragmentScenarios: readonly Scenario[] = [
  scenario('E18', 'ESP of 3,000 bytes in fragments, both ways', async (household) => {
    const sessions = sessionsWithServer(household, 2);
    // The first packets already: the kernel learns from fragments too.
    for (const session of sessions) {
      session.up({ length: LONG });
      await household.ledger.settle();
      session.down({ length: LONG });
      await household.ledger.settle();
    }
    for (const session of sessions) {
      session.up({ length: LONG });
      session.down({ length: LONG });
    }
    await converse(household, sessions, 1);
    const [atServer, atDevice] = lengths(sessions[0]!);
    claimEqual(atServer, [LONG, LONG, LONG, LONG, 64, 64], 'what the server got whole');
    claimEqual(atDevice, [LONG, LONG, 64], 'what the device got whole');
  }),

  scenario('E18b', 'ESP in fragments that come out of order, both ways', async (household) => {
    const { device, server, ledger, wan } = household;
    const sessions = sessionsWithServer(household, 2);
    const [session] = sessions;
    for (const one of sessions) await one.begin();
    const orders = [
      [2, 1, 0],
      [2, 0, 1],
      [1, 0, 2],
      [0, 2, 1],
    ];
    for (const [index, order] of orders.entries()) {
      const up = session!.device.packet(server.address, session!.spiOut, server, { length: LONG - 8 });
      sendPieces(household, device, server.address, 100 + index, up, order);
      const down = session!.server.packet(wan, session!.spiIn, device, { length: LONG - 8 });
      sendPieces(household, server, wan, 100 + index, down, order);
      await ledger.settle();
    }
    await converse(household, sessions, 1);
    const [atServer, atDevice] = lengths(session!);
    const long = orders.map(() => LONG - 8);
    claimEqual(
      atServer!.filter((length) => length > 64),
      long,
      'what the server got whole',
    );
    claimEqual(
      atDevice!.filter((length) => length > 64),
      long,
      'what the device got whole',
    );
  }),

  scenario('I7', 'IKE_AUTH of 3,000 bytes in fragments, both ways', async (household) => {
    await longIke(household);
  }),

  scenario(
    'I7b',
    'the same with the source port preserved',
    async (household) => {
      const far = await longIke(household);
      claimEqual(
        far.received.map(({ sourcePort }) => sourcePort),
        [IKE_PORT, IKE_PORT, IKE_PORT, IKE_PORT],
        'the ports that the server sees',
      );
    },
    { config: 'ike: { source_port: preserve }' },
  ),
];
