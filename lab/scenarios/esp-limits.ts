// ESP at the edges of what the gateway remembers: pairs that have run out, floods of spoofed SPIs, a
// restart that forgets everything, and the switch (cases E13, E14, E21 and E22).
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { emitEsp } from '../../src/core/wire/esp.ts';
import { icmpTypes, unreachableCodes } from '../../src/core/wire/icmp.ts';
import { emitIpv4Packet, ipProtocols } from '../../src/core/wire/ipv4.ts';
import { ESP_LEARNED } from '../../src/core/policy/esp.ts';
import { switchOf } from '../../src/core/policy/vpn-flows.ts';
import { deleteConntrack, listConntrack } from '../../src/linux/conntrack.ts';
import { expireEspPairs, listElements, listHolding } from '../learned.ts';
import { EspSession } from '../peers/esp-session.ts';
import { converse } from '../peers/converse.ts';
import { EspPeer } from '../peers/esp.ts';
import { IcmpPeer } from '../peers/icmp.ts';
import { IKE_PORT, NAT_T_PORT } from '../peers/ike.ts';
import { UdpPeer } from '../peers/udp.ts';
import { scenario, type Scenario } from '../scenario.ts';
import { PacketSender } from '../sockets.ts';
import type { Household } from '../topologies/household.ts';
import { claim, claimEqual, until } from '../wait.ts';
import { sessionsWithServer } from './esp.ts';

const SPOOFED = 100_000;
/** As many as the gateway holds (core/policy/esp.ts). */
const MOST_PAIRS = 131_072;

/** ESP from the internet on SPIs that no device has chosen, from each of the sources in turn. */
export async function spoof(household: Household, sources: readonly string[], count: number): Promise<void> {
  const sender = new PacketSender(household.isp);
  for (let serial = 0; serial < count; serial += 1) {
    const source = sources[serial % sources.length]!;
    sender.send(
      household.wan,
      emitIpv4Packet({
        protocol: ipProtocols.esp,
        source: source as typeof household.wan,
        destination: household.wan,
        payload: emitEsp({ spi: 0x0100_0000 + serial, sequence: serial + 1, rest: new Uint8Array(16) }),
      }),
    );
    if (serial % 500 === 0) await nextTurn();
  }
  sender.close();
}

/**
 * Fills the map of pairs with `count` more of the first server and the second device, 2,000 at a time:
 * the kernel takes no larger message from a lab that is not root of the machine.
 */
function holdPairs({ gateway, server, devices }: Household, count: number): void {
  const pairs = Array.from(
    { length: count },
    (_, index) => `${server.address} . ${0x0100_0000 + index} : ${devices[1]!.address}`,
  );
  const commands: string[] = [];
  for (let from = 0; from < count; from += 2000)
    commands.push(`add element inet throughway esp_in { ${pairs.slice(from, from + 2000).join(', ')} }`);
  gateway.run('xargs', ['--delimiter', '\\n', '--max-args', '1', 'nft'], commands.join('\n'));
}

function countLearned(household: Household): number[] {
  return [
    listElements(household, 'map', 'esp_in').length,
    listElements(household, 'set', 'esp_out').length,
    listElements(household, 'map', 'esp_errors').length,
    listElements(household, 'set', 'esp_peer').length,
  ];
}

export const espLimitScenarios: readonly Scenario[] = [
  scenario('E13', 'idle beyond the timeout, then the server sends first', async (household) => {
    const { ledger, daemon } = household;
    const [session, second] = sessionsWithServer(household, 2);
    await session!.begin();
    expireEspPairs(household);
    // The server's only device: nobody else can be meant.
    session!.down();
    await ledger.settle();
    await converse(household, [session!]);
    await second!.begin();
    expireEspPairs(household);
    // One of two: dropped, not guessed, until the device sends.
    for (const one of [session!, second!]) one.server.send(household.wan, one.spiIn, null);
    await until('the drops to be counted', async () => (await daemon.drops('esp_unknown')) === 2);
    for (const one of [second!, session!]) await one.begin();
    await converse(household, [session!, second!]);
  }),

  scenario('E14', '100,000 spoofed SPIs evict no live session and allocate nothing', async (household) => {
    const { servers, devices, daemon } = household;
    const shared = sessionsWithServer(household, 2);
    const sole = new EspSession(
      household,
      new EspPeer(household, devices[2]!),
      new EspPeer(household, servers[1]!),
      0x1001,
      0x2001,
    );
    const live = [...shared, sole];
    for (const session of live) await session.begin();
    const before = countLearned(household);
    claimEqual(before, [3, 3, 3, 3], 'what is learned before');
    const fromShared = SPOOFED * 0.6;
    await spoof(household, [servers[0]!.address], fromShared / 2);
    await converse(household, live, 1);
    await spoof(household, [servers[0]!.address, servers[1]!.address], fromShared);
    await converse(household, live, 1);
    await spoof(household, ['203.0.113.77', '100.64.0.9', '8.8.8.8', '192.168.1.11'], SPOOFED * 0.1);
    await converse(household, live);
    claimEqual(countLearned(household), before, 'what is learned after');
    claimEqual(
      await daemon.drops('esp_unknown'),
      fromShared + SPOOFED * 0.1,
      'dropped: all but those in the name of the server that has one device only',
    );
  }),

  scenario('E14b', 'with 100,000 pairs held, old ones work and new ones are learned', async (household) => {
    const [first, second, third] = sessionsWithServer(household, 3);
    for (const session of [first!, second!]) await session.begin();
    holdPairs(household, SPOOFED);
    await converse(household, [first!, second!]);
    await third!.begin();
    await converse(household, [first!, second!, third!]);
  }),

  scenario(
    'E14c',
    'no room for another pair: held ones work, and no packet goes astray',
    async (household) => {
      const { ledger, gateway } = household;
      const [first, second, third] = sessionsWithServer(household, 3);
      for (const session of [first!, second!]) await session.begin();
      holdPairs(household, MOST_PAIRS - 2);
      third!.up();
      await ledger.settle();
      third!.server.send(household.wan, third!.spiIn, null);
      await converse(household, [first!, second!]);
      gateway.run('nft', ['delete element inet throughway esp_in { 203.0.113.1 . 0x01000000 }']);
      third!.down();
      await converse(household, [first!, second!, third!]);
    },
  ),

  scenario('E21', 'a gateway that has forgotten everything while servers keep sending', async (household) => {
    const { devices, servers, gateway, daemon } = household;
    const sessions = devices.slice(0, 2).map((device, index) => {
      const [near, far] = [new EspPeer(household, device), new EspPeer(household, servers[index]!)];
      return new EspSession(household, near, far, 0x1001 + index, 0x2001);
    });
    const errors = servers.map((server) => new IcmpPeer(household, server));
    for (const session of sessions) await session.begin();
    await daemon.signal('SIGKILL');
    gateway.run('nft', ['delete table inet throughway']);
    const entries = await gateway.inside(() => listConntrack());
    await gateway.inside(() => deleteConntrack(entries));
    await daemon.start();
    for (let round = 0; round < 10; round += 1)
      for (const { server, spiIn } of sessions) server.send(household.wan, spiIn, null);
    await until('all of it to be dropped', async () => (await daemon.drops('esp_unknown')) === 20);
    for (const session of sessions) {
      await session.begin();
      await converse(household, [session]);
    }
    await converse(household, sessions);
    claimEqual(
      errors.map((one) => one.errors.length),
      [0, 0],
      'ICMP errors that the servers got',
    );
  }),

  scenario('E22', 'IPSec Passthrough off and on again in the middle of sessions', async (household) => {
    const { device, server, ledger, daemon, wan } = household;
    const sessions = sessionsWithServer(household, 2);
    const errors = new IcmpPeer(household, device);
    const serverErrors = new IcmpPeer(household, server);
    const udp = [IKE_PORT, NAT_T_PORT].map((port) => ({
      port,
      near: new UdpPeer(household, device, port),
      far: new UdpPeer(household, server, port),
    }));
    const plain = { near: new UdpPeer(household, device, 7000), far: new UdpPeer(household, server, 7000) };
    /** One packet each way on every protocol of the switch. */
    const round = async (passes: boolean): Promise<void> => {
      const [toServer, toDevice] = passes ? [server, device] : [null, null];
      for (const { port, near, far } of udp) {
        near.send(server.address, port, toServer);
        if (passes) await ledger.settle();
        far.send(wan, port, toDevice);
      }
      const { device: near, server: far, spiOut, spiIn } = sessions[0]!;
      near.send(server.address, spiOut, toServer);
      if (passes) await ledger.settle();
      far.send(wan, spiIn, toDevice);
      // What is not governed by the switch flows all the time, and tells when the path is quiet.
      plain.near.send(server.address, 7000, server);
      await ledger.settle();
      plain.far.send(wan, 7000, device);
      await ledger.settle();
    };
    for (const session of sessions) await session.begin();
    await round(true);
    for (let play = 1; play <= 2; play += 1) {
      claim(listHolding(household).includes('esp_in'), 'pairs are learned');
      claim((await ipsecFlows(household)) >= 2, 'conntrack holds the flows of ports 500 and 4500');
      const took = await lastArrivalDuring(household, sessions[0]!, () =>
        daemon.setPassthrough({ ipsec: 'disabled' }),
      );
      claim(took < 100, `the last packet passed within 100 ms (${took.toFixed(0)} ms)`);
      claimEqual(await ipsecFlows(household), 0, 'flows of ports 500 and 4500 in conntrack');
      claimEqual(
        listHolding(household).filter((name) => ESP_LEARNED.includes(name)),
        [],
        'sets and maps of ESP that hold something',
      );
      const before = errors.errors.length;
      await round(false);
      await until('the refusals', () => errors.errors.length >= before + 3);
      claimEqual(
        errors.errors.slice(before).map(({ type, code, about }) => [type, code, about.protocol]),
        [ipProtocols.udp, ipProtocols.udp, ipProtocols.esp].map((protocol) => [
          icmpTypes.destinationUnreachable,
          unreachableCodes.administrativelyProhibited,
          protocol,
        ]),
        'the refusals of IKE, NAT-T and ESP',
      );
      await daemon.setPassthrough({ ipsec: 'enabled' });
      await round(true);
      for (const session of sessions) await session.begin();
      await converse(household, sessions);
    }
    claimEqual(serverErrors.errors.length, 0, 'ICMP errors that the server got');
  }),
];

/** Packets flow to the device all the while; resolves to when the last one came, in ms since the beginning. */
async function lastArrivalDuring(
  { wan }: Household,
  { server, device, spiIn }: EspSession,
  changing: () => Promise<unknown>,
): Promise<number> {
  const untagged = emitEsp({ spi: spiIn, sequence: 99, rest: new Uint8Array(16) });
  const began = performance.now();
  const change = { over: false };
  const changed = changing().finally(() => {
    change.over = true;
  });
  let [seen, last] = [device.received.length, began];
  while (!change.over) {
    server.sendBytes(wan, untagged);
    await sleep(1);
    if (device.received.length > seen) {
      seen = device.received.length;
      last = performance.now();
    }
  }
  await changed;
  return last - began;
}

async function ipsecFlows({ gateway }: Household): Promise<number> {
  const entries = await gateway.inside(() => listConntrack());
  return entries.filter(({ original }) => switchOf(original) === 'ipsec').length;
}
