// VPNs that no switch governs: OpenVPN, WireGuard, SSTP, SoftEther, AnyConnect (cases O2 to O4 and O6,
// which takes in the rest). To a NAT they are UDP and TCP; the first octets are those of the real ones.
import { ipProtocols } from '../../src/core/wire/ipv4.ts';
import { listConntrack } from '../../src/linux/conntrack.ts';
import { TcpServer } from '../peers/tcp.ts';
import { UdpPeer } from '../peers/udp.ts';
import { scenario, type Scenario } from '../scenario.ts';
import type { Host, Household } from '../topologies/household.ts';
import { claim, claimEqual, until } from '../wait.ts';

/** RFC 8446 5.1 and RFC 6347 4.1: handshake records of TLS and DTLS 1.2. */
const TLS = Uint8Array.of(0x16, 0x03, 0x01);
const DTLS = Uint8Array.of(0x16, 0xfe, 0xfd);
/** P_CONTROL_HARD_RESET_CLIENT_V2 with key 0; on TCP behind the length of the packet. */
const OPENVPN = Uint8Array.of(0x38);
const OPENVPN_TCP = Uint8Array.of(0x00, 0x41, 0x38);
/** The handshake initiation, and data. */
const WIREGUARD = Uint8Array.of(1, 0, 0, 0);
const WIREGUARD_DATA = Uint8Array.of(4, 0, 0, 0);

interface Vpn {
  readonly name: string;
  readonly udp?: number;
  readonly tcp?: number;
  /** What its first packet begins with. */
  readonly first: Uint8Array;
}

const VPNS: readonly Vpn[] = [
  { name: 'OpenVPN', udp: 1194, first: OPENVPN },
  { name: 'OpenVPN', tcp: 1194, first: OPENVPN_TCP },
  { name: 'WireGuard', udp: 51_820, first: WIREGUARD },
  { name: 'SSTP, SoftEther and AnyConnect', tcp: 443, first: TLS },
  { name: 'SoftEther', tcp: 992, first: TLS },
  { name: 'SoftEther', tcp: 5555, first: TLS },
  { name: 'AnyConnect', udp: 443, first: DTLS },
];

/** Several packets each way of each device with one server; all from the VPN's own port, as some clients do. */
async function overUdp(
  household: Household,
  devices: readonly Host[],
  port: number,
  { name, first }: Vpn,
): Promise<void> {
  const { server, ledger, wan } = household;
  const far = new UdpPeer(household, server, port);
  const nears = devices.map((device) => new UdpPeer(household, device, port));
  const mapped: number[] = [];
  for (const near of nears) {
    near.send(server.address, port, server, first);
    await ledger.settle();
    mapped.push((await until('the datagram at the server', () => far.received[mapped.length])).sourcePort);
  }
  claimEqual(new Set(mapped).size, devices.length, `ports that the ${name} server sees`);
  for (let count = 0; count < 5; count += 1) {
    for (const [index, near] of nears.entries()) {
      near.send(server.address, port, server);
      far.send(wan, mapped[index]!, near.host);
    }
  }
  await ledger.settle();
}

async function overTcp(
  household: Household,
  devices: readonly Host[],
  port: number,
  { name, first }: Vpn,
): Promise<void> {
  const { server, ledger } = household;
  const far = new TcpServer(household, server, port);
  const connections = [];
  for (const device of devices)
    connections.push({
      device,
      ...(await far.accept(device, 40_000)),
      up: [] as Uint8Array[],
      down: [] as Uint8Array[],
    });
  for (let count = 0; count < 5; count += 1) {
    for (const { device, near, far: end, up, down } of connections) {
      up.push(near.send(server, count === 0 ? first : undefined));
      down.push(end.send(device));
    }
  }
  await ledger.settle();
  claimEqual(far.ends.length, devices.length, `connections of ${name} at the server`);
  for (const { near, far: end, up, down } of connections) {
    await end.verify(up);
    await near.verify(down);
  }
}

export const otherScenarios: readonly Scenario[] = [
  scenario(
    'O2',
    'WireGuard: a device that roams within the LAN, and how long a silent tunnel lives',
    async (household) => {
      const { device, server, ledger, wan, gateway } = household;
      const far = new UdpPeer(household, server, 51_820);
      const before = new UdpPeer(household, device, 51_820);
      before.send(server.address, 51_820, server, WIREGUARD);
      await ledger.settle();
      far.send(wan, far.received[0]!.sourcePort, device, WIREGUARD_DATA);
      await ledger.settle();
      // Another address, the same port and tunnel: the server follows the source of what is authentic.
      const place = household.addAddress(device, '192.168.1.111');
      const after = new UdpPeer(household, { ...device, ...place }, 51_820);
      after.send(server.address, 51_820, server, WIREGUARD_DATA);
      await ledger.settle();
      far.send(wan, far.received[1]!.sourcePort, device, WIREGUARD_DATA);
      await ledger.settle();
      await until('the answer at the new address', () => after.received.length === 1);
      claimEqual(before.received.length, 1, 'packets at the former address');
      // With the keepalive that its manual advises (25 s) it lives forever; without one, at least two minutes.
      const entries = await gateway.inside(() =>
        listConntrack({ protocol: ipProtocols.udp, destinationPort: 51_820 }),
      );
      const seconds = entries.map(({ timeoutSeconds }) => timeoutSeconds!);
      claim(seconds.length === 2 && Math.min(...seconds) > 115, `idle for ${seconds.join(', ')} s`);
    },
  ),

  scenario('O3', 'SSTP: idle for ten minutes is no matter', async (household) => {
    const far = new TcpServer(household, household.server, 443);
    const { near, far: end } = await far.accept(household.device);
    await end.verify([near.send(household.server, TLS)]);
    await near.verify([end.send(household.device, TLS)]);
    const longest = async (): Promise<number> => {
      const entries = await household.gateway.inside(() =>
        listConntrack({ protocol: ipProtocols.tcp, destinationPort: 443 }),
      );
      return Math.max(...entries.map(({ timeoutSeconds }) => timeoutSeconds!));
    };
    // Until the last octets are acknowledged the kernel reckons with less.
    await until('the connection to be kept for two hours', async () => (await longest()) > 7400);
  }),

  scenario(
    'O4',
    'SoftEther: 32 TCP connections of each of two devices with one server',
    async (household) => {
      const { devices, server } = household;
      const far = new TcpServer(household, server, 992);
      const all = [];
      for (const device of devices.slice(0, 2)) {
        for (let count = 0; count < 32; count += 1) all.push({ device, ...(await far.accept(device)) });
      }
      const sent = all.map(({ device, near, far: end }) => ({
        near,
        end,
        up: near.send(server, TLS),
        down: end.send(device),
      }));
      await household.ledger.settle();
      for (const { near, end, up, down } of sent) {
        await end.verify([up]);
        await near.verify([down]);
      }
    },
  ),

  scenario(
    'O6',
    'OpenVPN, WireGuard, SSTP, SoftEther and AnyConnect of two devices with one server while all three switches are off',
    async (household) => {
      const devices = household.devices.slice(0, 2);
      for (const vpn of VPNS) {
        if (vpn.udp !== undefined) await overUdp(household, devices, vpn.udp, vpn);
        if (vpn.tcp !== undefined) await overTcp(household, devices, vpn.tcp, vpn);
      }
      const { passthrough, drops } = await household.daemon.status();
      claimEqual(Object.values(passthrough), ['disabled', 'disabled', 'disabled'], 'the switches');
      claimEqual(
        drops.filter(({ packets }) => packets > 0).map(({ name }) => name),
        [],
        'what was dropped',
      );
    },
    { config: 'passthrough: { ipsec: disabled, pptp: disabled, l2tp: disabled }\n' },
  ),
];
