// Raw ESP of several devices and servers, paired by the kernel alone (cases E1 to E3, E5, E6, E10 to
// E12 and E15). Where IKE is part of the case, see esp-rekey.ts.
import { EspPeer } from '../peers/esp.ts';
import { EspSession } from '../peers/esp-session.ts';
import { converse } from '../peers/converse.ts';
import { NAT_T_PORT } from '../peers/ike.ts';
import { UdpPeer } from '../peers/udp.ts';
import { scenario, type Scenario } from '../scenario.ts';
import type { Household } from '../topologies/household.ts';
import { claim, claimEqual } from '../wait.ts';

/** A session of each of the first `count` devices with the first server; none has sent yet. */
export function sessionsWithServer(household: Household, count: number): EspSession[] {
  const far = new EspPeer(household, household.server);
  return household.devices
    .slice(0, count)
    .map(
      (device, index) =>
        new EspSession(household, new EspPeer(household, device), far, 0x1001 + index, 0x2001 + index),
    );
}

export const espScenarios: readonly Scenario[] = [
  scenario('E1', 'bare ESP without IKE', async (household) => {
    const [session] = sessionsWithServer(household, 1);
    await session!.begin();
    claimEqual(session!.server.received[0]!.source, household.wan, 'the source that the server sees');
    claimEqual(session!.device.received[0]!.source, household.server.address, 'that the device sees');
  }),

  scenario('E2', 'two devices, two servers', async (household) => {
    const { devices, servers } = household;
    const sessions = devices.slice(0, 2).map((device, index) => {
      const [near, far] = [new EspPeer(household, device), new EspPeer(household, servers[index]!)];
      return new EspSession(household, near, far, 0x1001, 0x2001 + index);
    });
    for (const session of sessions) await session.begin();
    await converse(household, sessions, 10);
  }),

  scenario('E3', 'two devices, one server, one after the other', async (household) => {
    const sessions = sessionsWithServer(household, 2);
    for (const session of sessions) await session.begin();
    await converse(household, sessions, 20);
  }),

  scenario(
    'E5',
    'ten devices begin at once with one server, which answers in order',
    async (household) => {
      const sessions = sessionsWithServer(household, 10);
      for (const session of sessions) session.up();
      await household.ledger.settle();
      for (const session of sessions) session.down();
      await household.ledger.settle();
      await converse(household, sessions);
    },
    { devices: 10 },
  ),

  scenario(
    'E5b',
    'twelve devices begin at once: those beyond the tenth are paired by their next packet',
    async (household) => {
      const sessions = sessionsWithServer(household, 12);
      for (const session of sessions) session.up();
      await household.ledger.settle();
      for (const session of sessions.slice(0, 10)) session.down();
      await household.ledger.settle();
      for (const session of sessions.slice(10)) session.up();
      await household.ledger.settle();
      for (const session of sessions.slice(10)) session.down();
      await household.ledger.settle();
      await converse(household, sessions);
    },
    { devices: 12 },
  ),

  scenario('E6', 'four sessions of one device with one server, beside another device', async (household) => {
    const [near, far] = [new EspPeer(household, household.device), new EspPeer(household, household.server)];
    const other = new EspSession(
      household,
      new EspPeer(household, household.devices[1]!),
      far,
      0x1009,
      0x2009,
    );
    await other.begin();
    const sessions = [1, 2, 3, 4].map(
      (number) => new EspSession(household, near, far, 0x1100 + number, 0x2100 + number),
    );
    for (const session of sessions) session.up();
    await household.ledger.settle();
    // In whatever order the server answers, all of these are the one device's.
    for (const session of sessions.toReversed()) session.down();
    await converse(household, [...sessions, other]);
  }),

  scenario('E10', 'security associations that are used one way only', async (household) => {
    const { devices, server, ledger, daemon, wan } = household;
    const [both, silent] = sessionsWithServer(household, 2);
    await both!.begin();
    for (let count = 0; count < 20; count += 1) silent!.up();
    await converse(household, [both!]);
    // A server that nobody has sent to, and one that sends on what nobody has asked for.
    const stranger = new EspPeer(household, household.servers[1]!);
    for (let count = 0; count < 20; count += 1) stranger.send(wan, 0x3001, null);
    await converse(household, [both!]);
    claimEqual(await daemon.drops('esp_unknown'), 20, 'ESP dropped for want of a device');
    // The server only sends, to the only device it has: on any SPI.
    const sole = new EspPeer(household, devices[2]!);
    sole.send(household.servers[1]!.address, 0x1003, household.servers[1]!);
    await ledger.settle();
    for (let count = 0; count < 20; count += 1) stranger.send(wan, 0x3002 + (count % 2), devices[2]!);
    await converse(household, [both!]);
    claim(!both!.device.received.some(({ source }) => source !== server.address), 'only its own server');
  }),

  scenario('E11', 'equal SPIs for different servers', async (household) => {
    const { devices, servers } = household;
    const fars = servers.map((server) => new EspPeer(household, server));
    const nears = devices.slice(0, 2).map((device) => new EspPeer(household, device));
    // Both devices at both servers, crosswise on the same two inbound SPIs.
    const sessions = nears.flatMap((near, index) =>
      fars.map(
        (far, at) => new EspSession(household, near, far, 0x1001 + index, 0x2001 + ((index + at) % 2)),
      ),
    );
    for (const session of sessions) await session.begin();
    await converse(household, sessions, 10);
  }),

  scenario(
    'E12',
    'the same inbound SPI chosen by two devices at one server: reported, others undisturbed',
    async (household) => {
      const { device, ledger, daemon, wan } = household;
      const sessions = sessionsWithServer(household, 3);
      const [first, second, third] = sessions;
      for (const session of [first!, third!]) await session.begin();
      claimEqual(await daemon.drops('esp_same_spi'), 0, 'collisions before');
      second!.up();
      await ledger.settle();
      // No NAT can tell these two apart: the SPI was the first device's, and stays so.
      second!.server.send(wan, first!.spiIn, device, { sequence: 1 });
      await converse(household, [first!, third!]);
      claimEqual(await daemon.drops('esp_same_spi'), 1, 'collisions seen');
      second!.server.send(wan, first!.spiIn, device);
      // The second device connects anew with another SPI.
      const again = new EspSession(household, second!.device, second!.server, 0x1012, 0x2012);
      again.up();
      await ledger.settle();
      again.down();
      await converse(household, [first!, third!, again]);
      claimEqual(await daemon.drops('esp_same_spi'), 1, 'collisions seen at the end');
      claimEqual(
        [first!.device, second!.device, third!.device].map(({ received }) => received.length),
        [2 + 11, 1 + 5, 1 + 10],
        'packets that each device got',
      );
    },
  ),

  scenario(
    'E15',
    'NAT-T of two devices and raw ESP of two others at one server',
    async (household) => {
      const { devices, server, ledger, wan } = household;
      const far = new UdpPeer(household, server, NAT_T_PORT);
      const [, , ...raw] = sessionsWithServer(household, 4);
      const natT: { device: UdpPeer; port: number }[] = [];
      for (const one of devices.slice(0, 2)) {
        const device = new UdpPeer(household, one, NAT_T_PORT);
        device.send(server.address, NAT_T_PORT, server);
        await ledger.settle();
        natT.push({ device, port: far.received.at(-1)!.sourcePort });
      }
      claim(natT[0]!.port !== natT[1]!.port, 'the two devices are on two ports');
      for (const session of raw) await session.begin();
      for (let round = 0; round < 5; round += 1) {
        for (const { device, port } of natT) {
          // The SPI that the raw sessions use too: it stands behind the UDP header here.
          const spi = Uint8Array.of(0, 0, 0x20, 0x03);
          device.send(server.address, NAT_T_PORT, server, spi);
          far.send(wan, port, device.host, spi);
        }
        await converse(household, raw, 1);
      }
    },
    { devices: 4 },
  ),
];
