// IKE and NAT-T through the gateway: both ways of treating source port 500, the float to port 4500,
// keepalives, and a WAN address that changes (cases I1, I2, I5, I6 and I9). Fragments of IKE are in
// fragments.ts, what IKE tells about ESP in esp-rekey.ts.
import { switchOf } from '../../src/core/policy/vpn-flows.ts';
import { exchangeTypes } from '../../src/core/wire/isakmp.ts';
import { emitPort4500, parsePort4500 } from '../../src/core/wire/port4500.ts';
import { listConntrack } from '../../src/linux/conntrack.ts';
import { EspPeer } from '../peers/esp.ts';
import { IKE_PORT, IkePeer, NAT_T_PORT, type IkeMessage } from '../peers/ike.ts';
import { UdpPeer } from '../peers/udp.ts';
import { scenario, type Scenario } from '../scenario.ts';
import { address, ADDRESSES, type Household } from '../topologies/household.ts';
import { claim, claimEqual, until } from '../wait.ts';

const { ikeSaInit, ikeAuth, createChildSa, informational } = exchangeTypes;

interface Initiator {
  readonly ike: IkePeer;
  readonly cookie: bigint;
}

function initiators(household: Household, count: number, port = IKE_PORT): Initiator[] {
  return household.devices.slice(0, count).map((device, index) => ({
    ike: new IkePeer(household, device, port),
    cookie: 0xc0ff_ee00_0000_0001n + BigInt(index),
  }));
}

/** Each device asks, with those of the others in between, and the server answers where it was asked from. */
async function exchangeAll(
  household: Household,
  far: IkePeer,
  parties: readonly Initiator[],
  message: Omit<IkeMessage, 'initiatorSpi'>,
): Promise<void> {
  const { server, ledger } = household;
  const heard = far.receivedIke().length;
  for (const { ike, cookie } of parties)
    ike.sendIke(server.address, far.port, server, { initiatorSpi: cookie, ...message });
  await ledger.settle();
  // The ledger's tap may see a message before the server's socket has it.
  await until('the server to read them', () => far.receivedIke().length >= heard + parties.length);
  for (const { ike, cookie } of parties) far.answer(far.latest(cookie), ike.host);
  await ledger.settle();
}

/** The ports from which the server hears each device now. */
function seenPorts(far: IkePeer, parties: readonly Initiator[]): number[] {
  return parties.map(({ cookie }) => far.latest(cookie).sourcePort);
}

/** The server asks under each device's IKE SA, the last one first (dead peer detection, RFC 7296 2.4). */
async function askAll(household: Household, far: IkePeer, parties: readonly Initiator[]): Promise<void> {
  const { server, ledger } = household;
  for (const { ike, cookie } of parties.toReversed()) {
    const { source, sourcePort, header } = far.latest(cookie);
    far.sendIke(source, sourcePort, ike.host, {
      initiatorSpi: cookie,
      responderSpi: header.responderSpi || 1n,
      exchangeType: informational,
    });
  }
  await ledger.settle();
  for (const { ike, cookie } of parties) ike.answer(ike.latest(cookie), server);
  await ledger.settle();
}

export const ikeScenarios: readonly Scenario[] = [
  scenario('I1', 'two devices from source port 500 to one server, translated', async (household) => {
    const far = new IkePeer(household, household.server);
    const parties = initiators(household, 2);
    for (const exchangeType of [ikeSaInit, ikeAuth, createChildSa])
      await exchangeAll(household, far, parties, { exchangeType });
    await askAll(household, far, parties);
    const [first, second] = seenPorts(far, parties);
    claimEqual(first, IKE_PORT, 'the port of the first device');
    claim(second !== IKE_PORT, 'the second device is on another port');
    claimEqual(
      parties.map(({ ike }) => new Set(ike.received.map(({ sourcePort }) => sourcePort)).size),
      [1, 1],
      'ports of the server that each device sees',
    );
  }),

  scenario(
    'I2',
    'three devices from source port 500 to one server, the port preserved',
    async (household) => {
      const { server, servers, ledger, wan } = household;
      const far = new IkePeer(household, server);
      const elsewhere = new IkePeer(household, servers[1]!);
      const parties = initiators(household, 3);
      for (const exchangeType of [ikeSaInit, ikeAuth, createChildSa])
        await exchangeAll(household, far, parties, { exchangeType });
      await askAll(household, far, parties);
      claimEqual(seenPorts(far, parties), [IKE_PORT, IKE_PORT, IKE_PORT], 'the ports that the server sees');
      claimEqual(far.received[0]!.source, wan, 'the address that it sees');
      // A cookie that no device has used, and one that was used with another server.
      far.sendIke(wan, IKE_PORT, null, { initiatorSpi: 0xdead_0000_0000_0001n, exchangeType: ikeSaInit });
      elsewhere.sendIke(wan, IKE_PORT, null, { initiatorSpi: parties[0]!.cookie, exchangeType: ikeSaInit });
      // A device that binds another port is translated as ever.
      const moved = new IkePeer(household, household.devices[0]!, 1500);
      moved.sendIke(server.address, IKE_PORT, server, {
        initiatorSpi: 0xbeef_0000_0000_0001n,
        exchangeType: ikeSaInit,
      });
      await ledger.settle();
      far.answer(far.latest(0xbeef_0000_0000_0001n), household.devices[0]!);
      await exchangeAll(household, far, parties, { exchangeType: informational });
      claimEqual(moved.received.length, 1, 'answers at the other port');
    },
    { config: 'ike: { source_port: preserve }' },
  ),

  scenario(
    'I5',
    'two devices float from port 500 to 4500, and their ESP in UDP goes both ways',
    async (household) => {
      const { server, ledger, wan } = household;
      const [far, farFloated] = [new IkePeer(household, server), new IkePeer(household, server, NAT_T_PORT)];
      const parties = initiators(household, 2);
      const floated = initiators(household, 2, NAT_T_PORT);
      await exchangeAll(household, far, parties, { exchangeType: ikeSaInit });
      await exchangeAll(household, farFloated, floated, { exchangeType: ikeAuth });
      const ports = seenPorts(farFloated, floated);
      claim(ports[0] !== ports[1], `each device has a port of its own: ${ports.join(', ')}`);
      for (let round = 1; round <= 10; round += 1) {
        for (const [index, { ike }] of floated.entries()) {
          const esp = (spi: number, what: string, to: string): Uint8Array =>
            emitPort4500({
              kind: 'esp',
              packet: { spi, sequence: round, rest: ledger.tag(`${what} #${round}`, to) },
            });
          const { name } = ike.host;
          ike.sendBytes(server.address, NAT_T_PORT, esp(0x1001, `ESP in UDP of ${name}`, server.name));
          // Equal SPIs: it is the port that tells the devices apart here.
          farFloated.sendBytes(wan, ports[index]!, esp(0x2001, `ESP in UDP for ${name}`, name));
        }
      }
      await ledger.settle();
      await askAll(household, farFloated, floated);
      claimEqual(
        floated.map(
          ({ ike }) => ike.received.filter(({ payload }) => parsePort4500(payload).kind === 'esp').length,
        ),
        [10, 10],
        'ESP packets that each device got',
      );
    },
  ),

  scenario('I6', 'a keepalive of one byte holds the mapping, which lasts 330 seconds', async (household) => {
    const { device, server, ledger, wan, gateway } = household;
    const [near, far] = [
      new UdpPeer(household, device, NAT_T_PORT),
      new UdpPeer(household, server, NAT_T_PORT),
    ];
    const remaining = async (): Promise<number> => {
      const entries = await gateway.inside(() => listConntrack());
      const flow = entries.find(({ original }) => original.destinationPort === NAT_T_PORT);
      return flow?.timeoutSeconds ?? 0;
    };
    near.send(server.address, NAT_T_PORT, server);
    await ledger.settle();
    far.send(wan, NAT_T_PORT, device);
    await ledger.settle();
    claim((await remaining()) >= 329, `a new mapping lasts 330 seconds (${await remaining()})`);
    await until('time to pass', async () => (await remaining()) <= 328);
    near.sendBytes(server.address, NAT_T_PORT, emitPort4500({ kind: 'keepalive' }));
    const heard = await until('the keepalive to arrive', () => far.received[1]);
    claimEqual([...heard.payload], [0xff], 'the keepalive');
    claimEqual(heard.sourcePort, NAT_T_PORT, 'its source port');
    claim((await remaining()) >= 329, `it lasts 330 seconds again (${await remaining()})`);
    // What the server sends refreshes it too.
    await until('time to pass', async () => (await remaining()) <= 328);
    far.send(wan, NAT_T_PORT, device);
    await ledger.settle();
    claim((await remaining()) >= 329, `and again (${await remaining()})`);
  }),

  ...(['translate', 'preserve'] as const).map((mode) =>
    scenario(
      mode === 'translate' ? 'I9' : 'I9b',
      `the WAN address changes in the middle of an exchange (${mode})`,
      (household) => moveMidway(household, mode),
      { config: `ike: { source_port: ${mode} }` },
    ),
  ),
];

async function moveMidway(household: Household, mode: 'translate' | 'preserve'): Promise<void> {
  const { server, devices, ledger, gateway, daemon } = household;
  const far = new IkePeer(household, server);
  const parties = initiators(household, 2);
  const farEsp = new EspPeer(household, server);
  const nearEsp = devices.slice(0, 2).map((device) => new EspPeer(household, device));
  await exchangeAll(household, far, parties, { exchangeType: ikeSaInit });
  for (const [index, near] of nearEsp.entries()) {
    near.send(server.address, 0x1001 + index, server);
    await ledger.settle();
    farEsp.send(household.wan, 0x2001 + index, near.host);
    await ledger.settle();
  }
  // The request comes from the old address; the answer to it is lost with that address.
  parties[0]!.ike.sendIke(server.address, IKE_PORT, server, {
    initiatorSpi: parties[0]!.cookie,
    exchangeType: ikeAuth,
  });
  await ledger.settle();
  const moved = address('198.51.100.77');
  const changedAt = performance.now();
  gateway.ip(
    `address delete ${ADDRESSES.wan}/24 dev wan0`,
    `address add ${moved}/24 dev wan0`,
    `route replace default via ${ADDRESSES.ispWan}`,
  );
  await until('the daemon to follow', () => daemon.log.includes(`the WAN address is ${moved}`));
  const stale = async (): Promise<number> => {
    const entries = await gateway.inside(() => listConntrack());
    return entries.filter((one) => one.reply.destination === ADDRESSES.wan && switchOf(one.original) !== null)
      .length;
  };
  await until('stale flows to go', async () => (await stale()) === 0);
  const took = performance.now() - changedAt;
  claim(took < 1000, `the gateway follows within a second (${took.toFixed(0)} ms)`);
  far.answer(far.latest(parties[0]!.cookie), null);
  // Nothing is known at the new address until a device sends: no guess from what was.
  farEsp.send(moved, 0x2001, null);
  far.sendIke(moved, IKE_PORT, null, { initiatorSpi: parties[1]!.cookie, exchangeType: informational });
  await until('the ESP to be dropped', async () => (await daemon.drops('esp_unknown')) === 1);
  // The exchange is retransmitted, and goes on from the new address.
  await exchangeAll(household, far, parties, { exchangeType: ikeAuth });
  for (const { cookie } of parties)
    claimEqual(far.latest(cookie).source, moved, 'the address that the server sees');
  if (mode === 'preserve')
    claimEqual(seenPorts(far, parties), [IKE_PORT, IKE_PORT], 'the ports that it sees');
  for (const [index, near] of nearEsp.entries()) {
    near.send(server.address, 0x1001 + index, server);
    await ledger.settle();
    claimEqual(farEsp.received.at(-1)!.source, moved, 'the source of ESP');
    farEsp.send(moved, 0x2001 + index, near.host);
    await ledger.settle();
  }
  for (let round = 0; round < 5; round += 1)
    for (const [index, near] of nearEsp.entries()) {
      near.send(server.address, 0x1001 + index, server);
      farEsp.send(moved, 0x2001 + index, near.host);
    }
  await ledger.settle();
}
