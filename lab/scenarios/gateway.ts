// The gateway as a machine among machines: reloads, deaths, other firewalls, a WAN that moves or
// vanishes (cases N3 to N8). Traffic flows throughout.
import { setTimeout as sleep } from 'node:timers/promises';
import { switchOf } from '../../src/core/policy/vpn-flows.ts';
import { listConntrack } from '../../src/linux/conntrack.ts';
import { untilDeathNoticed } from '../learned.ts';
import { EspPeer } from '../peers/esp.ts';
import { NAT_T_PORT } from '../peers/ike.ts';
import { UdpPeer } from '../peers/udp.ts';
import { scenario, type Scenario } from '../scenario.ts';
import { connectTcp, listenTcp, PacketSender } from '../sockets.ts';
import { address, ADDRESSES, type Household } from '../topologies/household.ts';
import { claim, claimEqual, until } from '../wait.ts';
import { emitIpv4Packet, ipProtocols } from '../../src/core/wire/ipv4.ts';
import { emitUdp } from '../../src/core/wire/udp.ts';

interface Traffic {
  /** One packet each way on each session. */
  round(): void;
  /** Each device speaks first on NAT-T, and the server takes the port it then sees (RFC 3948 4). */
  follow(): Promise<void>;
}

/** ESP and NAT-T of two devices with one server, up and running. */
async function liveTraffic(household: Household): Promise<Traffic> {
  const { devices, server, ledger, wan } = household;
  const farEsp = new EspPeer(household, server);
  const farUdp = new UdpPeer(household, server, NAT_T_PORT);
  const sessions = devices.slice(0, 2).map((device, index) => ({
    device,
    esp: new EspPeer(household, device),
    udp: new UdpPeer(household, device, NAT_T_PORT),
    spiOut: 0x1001 + index,
    spiIn: 0x2001 + index,
    port: 0,
  }));
  const traffic = {
    round: (): void => {
      for (const { device, esp, udp, spiOut, spiIn, port } of sessions) {
        esp.send(server.address, spiOut, server);
        farEsp.send(wan, spiIn, device);
        udp.send(server.address, NAT_T_PORT, server);
        farUdp.send(wan, port, device);
      }
    },
    follow: async (): Promise<void> => {
      for (const session of sessions) {
        session.udp.send(server.address, NAT_T_PORT, server);
        await ledger.settle();
        session.port = farUdp.received.at(-1)!.sourcePort;
      }
    },
  };
  for (const { device, esp, spiOut, spiIn } of sessions) {
    esp.send(server.address, spiOut, server);
    await ledger.settle();
    farEsp.send(wan, spiIn, device);
    await ledger.settle();
  }
  await traffic.follow();
  return traffic;
}

/** Sends a round every millisecond for as long as `work` takes, and ten rounds at the least. */
export async function during(traffic: { round(): void }, work: Promise<unknown>): Promise<void> {
  const state = { over: false };
  const finished = work.finally(() => {
    state.over = true;
  });
  for (let rounds = 0; !state.over || rounds < 10; rounds += 1) {
    traffic.round();
    await sleep(1);
  }
  await finished;
}

/** The inbound SPIs of the server that the kernel has paired. */
function learnedSpis({ gateway }: Household): number[] {
  // What is on trial with the daemon is learned, too.
  const listed = ['esp_in', 'esp_trial']
    .map((map) => gateway.run('nft', ['list', 'map', 'inet', 'throughway', map]))
    .join('');
  return [...listed.matchAll(/203\.0\.113\.1 \. (\d+)/g)]
    .map((match) => Number(match[1]))
    .toSorted((a, b) => a - b);
}

export const gatewayScenarios: readonly Scenario[] = [
  scenario(
    'N3',
    'a new WAN address: stale VPN state goes within a second, other state stays',
    async (household) => {
      const { device, server, ledger, gateway, isp } = household;
      const esp = new EspPeer(household, device);
      const [natT, far] = [
        new UdpPeer(household, device, NAT_T_PORT),
        new UdpPeer(household, server, NAT_T_PORT),
      ];
      const listener = listenTcp({ namespace: gateway, address: ADDRESSES.gatewayLan }, 2222, (socket) =>
        socket.resume(),
      );
      const shell = await connectTcp(device, ADDRESSES.gatewayLan, 2222);
      household.onClose(() => {
        shell.destroy();
        listener.close();
      });
      esp.send(server.address, 0x1001, server);
      natT.send(server.address, NAT_T_PORT, server);
      await ledger.settle();
      const moved = address('198.51.100.77');
      gateway.ip(
        `address delete ${ADDRESSES.wan}/24 dev wan0`,
        `address add ${moved}/24 dev wan0`,
        `route replace default via ${ADDRESSES.ispWan}`,
      );
      const changedAt = performance.now();
      await until('the daemon to follow', () => household.daemon.log.includes(`the WAN address is ${moved}`));
      await until('stale VPN flows to go', async () => {
        const entries = await gateway.inside(() => listConntrack());
        return !entries.some(
          (entry) => entry.reply.destination === ADDRESSES.wan && switchOf(entry.original) !== null,
        );
      });
      const took = performance.now() - changedAt;
      claim(took < 1000, `the gateway follows within a second (${took.toFixed(0)} ms)`);
      const entries = await gateway.inside(() => listConntrack({ protocol: ipProtocols.tcp }));
      claim(
        entries.some((entry) => entry.original.destinationPort === 2222),
        'the connection to the gateway itself is still known',
      );
      isp.ip('neighbor flush all');
      esp.send(server.address, 0x1001, server);
      natT.send(server.address, NAT_T_PORT, server);
      await ledger.settle();
      claimEqual(far.received.at(-1)!.source, moved, 'the source of new packets');
    },
  ),

  scenario('N4', '50 reloads of the ruleset under traffic lose nothing', async (household) => {
    const traffic = await liveTraffic(household);
    const reloads = async (): Promise<void> => {
      for (let count = 0; count < 50; count += 1) await household.daemon.reload();
    };
    await during(traffic, reloads());
    await household.ledger.settle();
  }),

  scenario(
    'N5',
    'kill -9 of the daemon under traffic loses nothing, new sessions still start, a restart keeps every pair',
    async (household) => {
      const { devices, server, ledger, wan } = household;
      const traffic = await liveTraffic(household);
      const deaths = async (): Promise<void> => {
        for (let count = 0; count < 3; count += 1) {
          await household.daemon.signal('SIGKILL');
          await household.daemon.start();
        }
        await household.daemon.signal('SIGKILL');
      };
      await during(traffic, deaths());
      await ledger.settle();
      // What begins anew in the three seconds before the kernel notices loses its first packets.
      await untilDeathNoticed(household);
      const late = new EspPeer(household, devices[2]!);
      late.send(server.address, 0x1009, server);
      await ledger.settle();
      const far = new EspPeer(household, server);
      far.send(wan, 0x2009, devices[2]!);
      await ledger.settle();
      const before = learnedSpis(household);
      await household.daemon.start();
      const after = learnedSpis(household);
      claimEqual(after, before, 'the learned SPIs after a restart');
      claimEqual(after, [0x2001, 0x2002, 0x2009], 'the learned SPIs');
      await during(traffic, Promise.resolve());
      await ledger.settle();
    },
  ),

  scenario('N6', "another table's drop is found and named, and gone when it is gone", async (household) => {
    const { gateway, daemon } = household;
    claimEqual((await daemon.status()).problems, [], 'problems before');
    gateway.run(
      'nft',
      ['-f', '-'],
      'table ip house { chain guard { type filter hook forward priority 0; policy accept; udp dport 4500 drop comment "no games"; }; }\n',
    );
    const named = await until('the drop to be named', async () => (await daemon.status()).problems[0]);
    for (const part of ['table "ip house"', 'chain "guard"', 'NAT-T (UDP 4500)', 'no games'])
      claim(named.includes(part), `the sentence names ${part}: ${named}`);
    claim(!named.includes('L2TP'), `only what is dropped is named: ${named}`);
    gateway.run('nft', ['delete', 'table', 'ip', 'house']);
    await until('the problem to be gone', async () => (await daemon.status()).problems.length === 0);
  }),

  scenario(
    'N7',
    'nothing of the gateway or the LAN is reachable from the WAN unless it is opened',
    async (household) => {
      const { gateway, daemon, device, server, wan, ledger } = household;
      const page = listenTcp({ namespace: gateway, address: address('0.0.0.0') }, 80, (socket) =>
        socket.end(),
      );
      household.onClose(() => page.close());
      (await connectTcp(device, ADDRESSES.gatewayLan, 80)).destroy();
      const dropped = async (): Promise<number> =>
        (await daemon.status()).drops.find((drop) => drop.name === 'wan_input')!.packets;
      const before = await dropped();
      let outcome = 'open';
      const attempt = connectTcp(server, wan, 80).then(
        (socket) => {
          outcome = 'connected';
          socket.destroy();
        },
        (refusal: Error) => {
          outcome = refusal.message;
        },
      );
      await until('the SYN to be dropped', async () => (await dropped()) > before);
      claimEqual(outcome, 'open', 'the outcome of the SYN');
      // A neighbour on the WAN that routes to the LAN by itself gets nothing through either.
      const sender = new PacketSender(household.isp);
      household.onClose(() => sender.close());
      household.isp.ip(`route add 192.168.1.0/24 via ${wan}`);
      const ends = { source: server.address, destination: device.address };
      sender.send(
        device.address,
        emitIpv4Packet({
          protocol: ipProtocols.udp,
          ...ends,
          payload: emitUdp(ends, {
            sourcePort: 9,
            destinationPort: 9,
            payload: ledger.tag('UDP from the WAN to a device', null),
          }),
        }),
      );
      household.isp.ip('route delete 192.168.1.0/24');
      await until(
        'it to be counted',
        async () => (await daemon.status()).drops.find((drop) => drop.name === 'wan_new')!.packets > 0,
      );
      daemon.writeConfig(`${daemon.readConfig()}firewall: { wan_services: ["tcp/80"] }\n`);
      await daemon.reload();
      // The SYN that was dropped is sent again by the server's kernel, and now it comes through.
      await attempt;
      claimEqual(outcome, 'connected', 'the outcome once the service is opened');
    },
  ),

  scenario('N8', 'the WAN interface goes away and comes back', async (household) => {
    const { daemon, gateway, ledger } = household;
    const traffic = await liveTraffic(household);
    gateway.ip('link delete wan0');
    const gone = await until('the status to say so', async () =>
      (await daemon.status()).problems.find((problem) => problem.includes('"wan0"')),
    );
    claim(gone.includes('does not exist'), `the sentence says what is wrong: ${gone}`);
    household.connectWan();
    const backAt = performance.now();
    await until('the status to be well', async () => (await daemon.status()).problems.length === 0);
    claim(performance.now() - backAt < 1000, 'the gateway follows within a second');
    // The kernel forgets masqueraded flows with their interface; the pairs of ESP are kept.
    await traffic.follow();
    traffic.round();
    await ledger.settle();
  }),
];
