// libreswan told not to encapsulate (`encapsulation=no`, `nat-ikev1-method=none`): IKE stays on port 500 and
// the data is raw ESP, IP protocol 50, by the kernels of User-Mode Linux. This is what a NAT cannot carry
// without help: each device has a tunnel to the same server, and none of them has ports.
import { claim, claimEqual, until } from '../../lab/wait.ts';
import { ADDRESSES } from '../../lab/topologies/household.ts';
import type { Machine } from '../machine.ts';
import { LIBRESWAN, type Row, type Tunnel } from '../row.ts';
import { ping, untilAnswered } from '../transfer.ts';
import type { World } from '../world.ts';

const SERVER_INSIDE = '10.99.0.1';
/** A person who waits for a call to come in would wait as long. */
const SERVER_FIRST_MS = 10_000;

const insideOf = (index: number): string => `10.98.0.${index + 1}`;

const SETUP = 'config setup\n  protostack=xfrm\n  uniqueids=no\n  dnssec-enable=no\n  ikev1-policy=accept\n';

function connection(version: 1 | 2, name: string, lines: readonly string[]): string {
  const common = [
    'authby=secret',
    'type=tunnel',
    'encapsulation=no',
    ...(version === 1 ? ['nat-ikev1-method=none', 'ikev2=no'] : ['ikev2=yes']),
    'ike=aes128-sha2_256;modp2048',
    'esp=aes128-sha2_256',
    'dpddelay=30',
    'dpdtimeout=120',
    'rekey=yes',
    'auto=add',
  ];
  return `conn ${name}\n${[...common, ...lines].map((line) => `  ${line}\n`).join('')}`;
}

async function startPluto(machine: Machine, connections: string): Promise<void> {
  machine.put('/etc/ipsec.conf', `${SETUP}${connections}`);
  machine.put('/etc/ipsec.secrets', ': PSK "a secret of the household"\n', 0o600);
  await machine.run('mkdir -p /run/pluto; [ -e /var/lib/ipsec/nss/cert9.db ] || ipsec initnss', 60_000);
  await machine.start('pluto', '/usr/libexec/ipsec/pluto --config /etc/ipsec.conf --nofork --stderrlog');
  // It loads the connections by itself.
  await machine.run(
    `until ipsec whack --status 2> /dev/null | grep -q 'loaded ${connections.split('conn ').length - 1},'; do sleep 0.2; done`,
    60_000,
  );
}

function libreswan(version: 1 | 2, devices: number): Row {
  return {
    id: `esp-ikev${version}-${devices}`,
    title: `libreswan, IKEv${version} and raw ESP, ${devices} devices at once`,
    packages: ['libreswan', 'user-mode-linux'],
    server: LIBRESWAN,
    device: LIBRESWAN,
    devices,
    isFast: false,
    governedBy: 'ipsec',
    megabytes: 4,
    async prepare({ server, devices: all }) {
      await server.run(`ip address add ${SERVER_INSIDE}/32 dev lo
        ip route add 10.98.0.0/24 via ${ADDRESSES.ispNet} src ${SERVER_INSIDE}`);
      await startPluto(
        server,
        all
          .map((device, index) =>
            connection(version, device.name, [
              `left=${server.host.address}`,
              'leftid=@server',
              `leftsubnet=${SERVER_INSIDE}/32`,
              'right=%any',
              `rightid=@${device.name}`,
              `rightsubnet=${insideOf(index)}/32`,
            ]),
          )
          .join(''),
      );
      // Started beforehand, so that the devices' exchanges overlap.
      await Promise.all(
        all.map(async (device, index) => {
          await device.run(`ip address add ${insideOf(index)}/32 dev lo`);
          await device.run(
            `ip route add ${SERVER_INSIDE} via ${ADDRESSES.gatewayLan} src ${insideOf(index)}`,
          );
          await startPluto(
            device,
            connection(version, 'net', [
              `left=${device.host.address}`,
              `leftid=@${device.name}`,
              `leftsubnet=${insideOf(index)}/32`,
              `right=${server.host.address}`,
              'rightid=@server',
              `rightsubnet=${SERVER_INSIDE}/32`,
            ]),
          );
        }),
      );
    },
    async connect({ devices: all }, index): Promise<Tunnel> {
      await all[index]!.run('ipsec auto --up net', 60_000);
      return { serverInside: SERVER_INSIDE, deviceInside: insideOf(index) };
    },
    async disconnect({ devices: all }, index) {
      await all[index]!.attempt('ipsec auto --down net');
    },
    rekeys: [
      {
        title: 'every client renews the SA at once',
        play: (world) =>
          renewed(world, async () => {
            // IKEv1 has no command for it; asking for the connection again makes a new Quick Mode.
            const command = version === 2 ? 'ipsec whack --rekey-ipsec --name net' : 'ipsec auto --up net';
            await Promise.all(world.devices.map((device) => device.run(command, 60_000)));
          }),
      },
      // libreswan cannot be told to renew an IKEv1 SA as the responder that it was.
      ...(version === 2
        ? [{ title: 'the server renews every SA and speaks first', play: serverRenews }]
        : []),
    ],
    checks: [
      {
        title: 'the data is raw ESP',
        play({ household }) {
          const listed = household.gateway.run('nft', ['list', 'map', 'inet', 'throughway', 'esp_in']);
          claim(listed.includes('elements'), 'the gateway has paired ESP');
          return Promise.resolve();
        },
      },
    ],
  };
}

/**
 * Every device's SA anew within a moment, and then the server pings before any device sends. To whom a new SPI
 * belongs is then told by nothing but the order of events, so the gateway may need a few packets to find out.
 */
async function serverRenews(world: World): Promise<void> {
  const { server, devices, tunnels } = world;
  await renewed(world, async () => {
    for (const device of devices) await server.run(`ipsec whack --rekey-ipsec --name ${device.name}`);
  });
  await Promise.all(tunnels.map((tunnel) => untilAnswered(server, tunnel!.deviceInside, SERVER_FIRST_MS)));
  for (const tunnel of tunnels)
    claimEqual(
      await ping(server, tunnel!.deviceInside, 5),
      5,
      `answers of ${tunnel!.deviceInside} to the server`,
    );
}

/** Resolves when every device has an SPI that it did not have before. */
async function renewed({ devices }: World, renew: () => Promise<void>): Promise<void> {
  const spis = (): Promise<string[][]> => Promise.all(devices.map((device) => inboundSpis(device)));
  const before = await spis();
  await renew();
  await until(
    'a new SPI on every device',
    async () => (await spis()).every((one, index) => one.some((spi) => !before[index]!.includes(spi))),
    30_000,
  );
}

async function inboundSpis(device: Machine): Promise<string[]> {
  const listed = await device.run(`ip xfrm state list dst ${device.host.address}`);
  return [...listed.matchAll(/spi (0x[0-9a-f]+)/g)].map(([, spi]) => spi!);
}

export const LIBRESWAN_ROWS: readonly Row[] = [
  libreswan(2, 2),
  libreswan(1, 2),
  libreswan(2, 4),
  libreswan(1, 4),
];
