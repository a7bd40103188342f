// `throughway doctor` on what goes wrong while everything is set up well: full tables, lost pieces, packets on
// other ways, mappings that a NAT has forgotten, networks that are there twice. The first thing it says must
// be the cause.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Port } from '../../src/core/address.ts';
import { exchangeTypes } from '../../src/core/wire/isakmp.ts';
import { ipProtocols } from '../../src/core/wire/ipv4.ts';
import { emitTcp } from '../../src/core/wire/tcp.ts';
import { askDoctor, connectionFault, keepSaying, wall } from '../asking-doctor.ts';
import { fillConntrack } from '../full-table.ts';
import { EspPeer } from '../peers/esp.ts';
import { IkePeer, NAT_T_PORT } from '../peers/ike.ts';
import { UdpPeer } from '../peers/udp.ts';
import type { Scenario } from '../scenario.ts';
import { RawSocket, UdpSocket } from '../sockets.ts';
import { address } from '../topologies/household.ts';
import { claim, until } from '../wait.ts';

/** More than what every network has of it. */
const MANY = 30;
/** Home routers forget UDP after 30 seconds to five minutes. */
const IDLE_MS = 33_000;

export const doctorStrainScenarios: readonly Scenario[] = [
  connectionFault(48, 'the table of connections is full', 'conntrack-full', 'entries', async (household) => {
    const filled = await fillConntrack(household.gateway);
    claim(filled > 10_000, `the table takes ${filled} entries`);
  }),

  connectionFault(
    49,
    'two devices have chosen the same SPI',
    'same-spi',
    'began anew on an SPI',
    async (household) => {
      const { devices, server, ledger, wan, daemon } = household;
      const [first, second, far] = [devices[0]!, devices[1]!, server].map(
        (host) => new EspPeer(household, host),
      ) as [EspPeer, EspPeer, EspPeer];
      first.send(server.address, 0x9101, server);
      await ledger.settle();
      far.send(wan, 0x5511, first.host);
      await ledger.settle();
      // The second device happens to choose 0x5511 too: what is meant for it goes to the first.
      second.send(server.address, 0x9102, server);
      await ledger.settle();
      far.send(wan, 0x5511, first.host, { sequence: 1 });
      await until('the SPI to be counted', async () => (await daemon.drops('esp_same_spi')) > 0);
    },
  ),

  connectionFault(
    50,
    'a device uses the gateway for one direction only',
    'asymmetric',
    'such packets were dropped',
    async (household) => {
      const { device, server, daemon } = household;
      const socket = new RawSocket(device, ipProtocols.tcp, () => undefined);
      household.onClose(() => socket.close());
      // The SYN of the other end has come by another router; its answer goes by this one.
      for (let number = 0; number < MANY; number += 1)
        socket.send(
          server.address,
          emitTcp(
            { source: device.address, destination: server.address },
            {
              sourcePort: (5_000 + number) as Port,
              destinationPort: 40_000 as Port,
              sequence: 1,
              acknowledgment: 1,
              flags: { syn: true, ack: true },
              window: 1_000,
            },
          ),
        );
      await until('the drops', async () => (await daemon.drops('invalid')) >= MANY);
    },
  ),

  connectionFault(
    51,
    'fragments are lost on the way',
    'fragments-lost',
    'could not be put together',
    async (household) => {
      const { device, server, wan, ledger, gateway } = household;
      // What is incomplete is given up after 30 seconds otherwise.
      gateway.sysctl('net.ipv4.ipfrag_time', '1');
      const far = new UdpPeer(household, server, 4_600);
      const near = new UdpPeer(household, device, 4_600);
      near.send(server.address, 4_600, server);
      await ledger.settle();
      const { sourcePort } = far.received.at(-1)!;
      // The counter is compared with what it was when the doctor was last asked.
      await askDoctor(household);
      wall(household, 'ip frag-off & 0x1fff != 0');
      const socket = new UdpSocket(server, 4_601, () => undefined);
      household.onClose(() => socket.close());
      for (let number = 0; number < MANY; number += 1) socket.send(wan, sourcePort, new Uint8Array(2_000));
    },
  ),

  connectionFault(
    52,
    'a NAT of the provider forgets an idle tunnel',
    'idle-expired',
    'Nothing passed for 3',
    async (household) => {
      const { server, device, ledger, wan } = household;
      const near = new IkePeer(household, device, NAT_T_PORT);
      const far = new IkePeer(household, server, NAT_T_PORT);
      const initiatorSpi = 0xd0c1_0000_0000_0052n;
      for (const exchangeType of [exchangeTypes.ikeSaInit, exchangeTypes.ikeAuth]) {
        const messageId = exchangeType === exchangeTypes.ikeAuth ? 1 : 0;
        near.sendIke(server.address, NAT_T_PORT, server, {
          initiatorSpi,
          exchangeType,
          messageId,
          length: 300,
        });
        await ledger.settle();
        far.answer(far.latest(initiatorSpi), device, 300);
        await ledger.settle();
      }
      near.send(server.address, NAT_T_PORT, server);
      await ledger.settle();
      far.send(wan, far.latest(initiatorSpi).sourcePort, device);
      await ledger.settle();
      await sleep(IDLE_MS);
      // Its mapping is gone: what the device sends leaves it by another port, which the server does not know.
      wall(household, 'udp dport 4500');
      keepSaying(household, () => near.send(server.address, NAT_T_PORT, null, new Uint8Array(100)));
    },
    { limitMs: 110_000 },
  ),

  connectionFault(
    53,
    'the server has an address inside a VPN',
    'server-private',
    '10.8.0.1 is private',
    (household) => {
      const peer = new IkePeer(household, household.device);
      keepSaying(household, () =>
        peer.sendIke(address('10.8.0.1'), 500, null, {
          initiatorSpi: 0xd0c1_0000_0000_0053n,
          exchangeType: exchangeTypes.ikeSaInit,
        }),
      );
    },
  ),

  connectionFault(
    54,
    'a VPN of the gateway itself has the network of the LAN',
    'networks-overlap',
    '192.168.1.128/25',
    ({ gateway }) => {
      gateway.ip(
        'link add vpn0 type veth peer name vpn0-end',
        'link set vpn0-end up',
        'link set vpn0 up',
        'address add 10.9.0.2/30 dev vpn0',
        'route add 192.168.1.128/25 dev vpn0',
      );
    },
  ),
];
