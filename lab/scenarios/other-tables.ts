// Rules of other tables on the way of the same packets, and what must not get in by the short way that
// ESP takes while there are none (cases N9 to N12).
import { emitIpv4Packet, ipProtocols } from '../../src/core/wire/ipv4.ts';
import { SETTLED_MARK } from '../../src/core/policy/filter.ts';
import { emitUdp } from '../../src/core/wire/udp.ts';
import { listConntrack } from '../../src/linux/conntrack.ts';
import { converse } from '../peers/converse.ts';
import { UdpPeer } from '../peers/udp.ts';
import { scenario, type Scenario } from '../scenario.ts';
import { PacketSender } from '../sockets.ts';
import type { Household } from '../topologies/household.ts';
import { claim, claimEqual, until } from '../wait.ts';
import { sessionsWithServer } from './esp.ts';

/** A filter by the devices' own addresses, and a masquerade that would mix up ESP of two devices. */
const HOUSE = `table ip house {
  chain guard {
    type filter hook forward priority 0; policy drop;
    ip saddr 192.168.1.0/24 accept
    ip daddr 192.168.1.0/24 accept
  }
  chain share {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "wan0" masquerade
  }
}
`;

/** Marks all flows that it sees. */
const MARKS = `table ip marks {
  chain every {
    type filter hook prerouting priority 0;
    meta l4proto udp ct mark set 7
  }
}
`;

/** Resolves when ESP goes the long way, which leaves others their view of it, or the short one again. */
function untilWay({ gateway }: Household, way: 'long' | 'short'): Promise<unknown> {
  return until(`ESP to go the ${way} way`, () => {
    const listed = gateway.run('nft', ['list', 'chain', 'inet', 'throughway', 'esp_to_wan']);
    return listed.includes('esp_out_refresh') === (way === 'long');
  });
}

export const otherTableScenarios: readonly Scenario[] = [
  scenario(
    'N9',
    'another table filters by device and masquerades by itself: ESP of two devices with one server goes on, before, meanwhile and after',
    async (household) => {
      const { gateway, daemon } = household;
      const [first, second, third] = sessionsWithServer(household, 3);
      for (const session of [first!, second!]) await session.begin();
      for (let times = 0; times < 2; times += 1) {
        gateway.run('nft', ['-f', '-'], HOUSE);
        await untilWay(household, 'long');
        await converse(household, [first!, second!], 10);
        if (times === 0) await third!.begin();
        await converse(household, [first!, second!, third!], 10);
        claimEqual((await daemon.status()).problems, [], 'what is wrong');
        gateway.run('nft', ['delete', 'table', 'ip', 'house']);
        await untilWay(household, 'short');
        await converse(household, [first!, second!, third!], 10);
      }
    },
  ),

  scenario(
    'N9b',
    'conntrack has taken ESP for one flow before the gateway began: the pairs decide, and no other',
    async (household) => {
      const { gateway, daemon, ledger, wan, server, device } = household;
      // A plain router first, which gives all of the server's ESP to the first device.
      gateway.sysctl('net.ipv4.ip_forward', '1');
      gateway.run('nft', ['-f', '-'], HOUSE);
      const [first, second] = sessionsWithServer(household, 2);
      first!.up();
      await ledger.settle();
      first!.server.send(wan, 0x9999, device);
      await ledger.settle();
      gateway.run('nft', ['delete', 'table', 'ip', 'house']);
      await daemon.start();
      await second!.begin();
      await first!.begin();
      await converse(household, [first!, second!], 10);
      claimEqual(first!.server.received.at(-1)!.source, wan, `the source that ${server.name} sees`);
    },
    { running: false },
  ),

  scenario('N10', "a device that uses the gateway's own address reaches nobody", async (household) => {
    const { device, server, wan, daemon, ledger } = household;
    const sender = new PacketSender(device.namespace);
    household.onClose(() => sender.close());
    const before = await daemon.drops('invalid');
    const ends = { source: wan, destination: server.address };
    const payload = ledger.tag('UDP with the address of the gateway', null);
    sender.send(
      server.address,
      emitIpv4Packet({
        protocol: ipProtocols.udp,
        ...ends,
        payload: emitUdp(ends, { sourcePort: 4500, destinationPort: 4500, payload }),
      }),
    );
    await until('it to be dropped', async () => (await daemon.drops('invalid')) > before);
    new UdpPeer(household, server, 4500);
    new UdpPeer(household, device, 4500).send(server.address, 4500, server);
    await ledger.settle();
  }),

  scenario(
    'N12',
    'a flow of which all is seen gets the mark that spares it the rules; control messages and flows that another table may look at get none',
    async (household) => {
      const { device, server, wan, gateway, ledger } = household;
      const ports = [4500, 500, 5060];
      const near = ports.map((port) => new UdpPeer(household, device, port));
      const far = ports.map((port) => new UdpPeer(household, server, port));
      const marks = async (): Promise<number[]> => {
        for (const [at, port] of ports.entries()) {
          near[at]!.send(server.address, port, server);
          far[at]!.send(wan, port, device);
        }
        await ledger.settle();
        const entries = await gateway.inside(() => listConntrack({ protocol: ipProtocols.udp }));
        return ports.map(
          (port) => entries.find(({ original }) => original.destinationPort === port)?.mark ?? -1,
        );
      };
      await marks();
      await until('the flows to be marked', async () => {
        const [natT, ike, other] = await marks();
        claimEqual(ike, 0, 'the mark of IKE');
        return natT === SETTLED_MARK && other === SETTLED_MARK;
      });
      // Another table's marks are its own, also on flows that are left when it goes.
      gateway.run('nft', ['-f', '-'], MARKS);
      await untilWay(household, 'long');
      claimEqual(await marks(), [7, 7, 7], 'the marks beside another table');
      gateway.run('nft', ['delete', 'table', 'ip', 'marks']);
      await untilWay(household, 'short');
      claimEqual(await marks(), [7, 7, 7], 'the marks that it has left');
    },
  ),

  scenario(
    'N11',
    "ESP in a server's name that a neighbour on the WAN sends to a device's own address reaches nobody",
    async (household) => {
      const { isp, device, server, wan, daemon } = household;
      const [session] = sessionsWithServer(household, 1);
      await session!.begin();
      const before = await daemon.drops('wan_new');
      const sender = new PacketSender(isp);
      household.onClose(() => sender.close());
      isp.ip(`route add 192.168.1.0/24 via ${wan}`);
      for (const spi of [session!.spiIn + 1, session!.spiOut]) {
        sender.send(
          device.address,
          emitIpv4Packet({
            protocol: ipProtocols.esp,
            source: server.address,
            destination: device.address,
            payload: session!.server.packet(device.address, spi, null),
          }),
        );
      }
      isp.ip('route delete 192.168.1.0/24');
      await until('both to be dropped', async () => (await daemon.drops('wan_new')) === before + 2);
      await converse(household, [session!]);
      claim((await daemon.drops('esp_unknown')) === 0, 'no other drop');
    },
  ),
];
