// strongSwan 5.9 on both sides, IKEv2 and IKEv1 with NAT-T (UDP 500, then 4500): with ESP in user space
// (kernel-libipsec) in cells, and with the kernel's ESP in User-Mode Linux. Devices get addresses of the
// server's pool. The server renews keys too, and speaks first.
import { ADDRESSES } from '../../lab/topologies/household.ts';
import { claim } from '../../lab/wait.ts';
import type { Machine } from '../machine.ts';
import { CELL, UML, type Row, type Tunnel } from '../row.ts';
import type { World } from '../world.ts';
import {
  initiate,
  listChildren,
  renderConnection,
  renew,
  SERVER_INSIDE,
  startCharon,
} from './strongswan-config.ts';

const POOL = '10.98.0.0/24';

function strongswan(version: 1 | 2, esp: 'program' | 'kernel'): Row {
  const isUserSpace = esp === 'program';
  const machine = isUserSpace ? CELL : UML;
  return {
    id: `ikev${version}-${isUserSpace ? 'natt' : 'kernel'}`,
    title: `strongSwan, IKEv${version} with NAT-T, ${isUserSpace ? 'ESP by the program' : "the kernel's ESP"}`,
    packages: ['strongswan-libcharon', ...(isUserSpace ? [] : ['user-mode-linux'])],
    server: machine,
    device: machine,
    devices: 2,
    isFast: isUserSpace && version === 2,
    governedBy: 'ipsec',
    megabytes: isUserSpace ? 16 : 4,
    async prepare({ server }) {
      await server.run(`ip address add ${SERVER_INSIDE}/32 dev lo`);
      if (!isUserSpace) await server.run(`ip route add ${POOL} via ${ADDRESSES.ispNet} src ${SERVER_INSIDE}`);
      await startCharon(
        server,
        isUserSpace,
        `${renderConnection(version, {
          home: [`local_addrs = ${server.host.address}`, 'pools = pool'],
          child: [`local_ts = ${SERVER_INSIDE}/32`],
        })}pools {\n pool {\n  addrs = ${POOL}\n }\n}\n`,
      );
    },
    async connect({ server, devices }, index): Promise<Tunnel> {
      const device = devices[index]!;
      await startCharon(
        device,
        isUserSpace,
        renderConnection(version, {
          home: [
            `local_addrs = ${device.host.address}`,
            `remote_addrs = ${server.host.address}`,
            'vips = 0.0.0.0',
          ],
          remote: [`id = ${server.host.address}`],
          child: [`remote_ts = ${SERVER_INSIDE}/32`],
        }),
      );
      await initiate(device, 'net');
      const deviceInside = await virtualAddress(device);
      if (!isUserSpace)
        await device.run(`ip route replace ${SERVER_INSIDE} via ${ADDRESSES.gatewayLan} src ${deviceInside}`);
      return { serverInside: SERVER_INSIDE, deviceInside };
    },
    async disconnect({ devices }, index) {
      await stopCharon(devices[index]!);
    },
    rekeys: [
      {
        title: 'client renews the CHILD_SA',
        play: ({ devices }) =>
          renew(devices, async (device) => {
            await device.run('swanctl --rekey --child net');
          }),
      },
      {
        title: 'server renews the CHILD_SA',
        play: ({ server, devices }) =>
          renew(devices, async (_, index) => {
            if (index === 0) await server.run('swanctl --rekey --child net');
          }),
      },
      ...(version === 2 ? [{ title: 'server renews the IKE_SA', play: serverRenewsIke }] : []),
    ],
  };
}

export async function stopCharon(device: Machine): Promise<void> {
  await device.run(
    'swanctl --terminate --ike home --timeout 2 || true; pkill -x charon-systemd; while pgrep -x charon-systemd; do sleep 0.1; done',
  );
}

async function virtualAddress(device: Machine): Promise<string> {
  const raw = await device.run('swanctl --list-sas --raw');
  return /local-vips=\[([\d.]+)\]/.exec(raw)![1]!;
}

async function serverRenewsIke({ server, devices }: World): Promise<void> {
  await server.run('swanctl --rekey --ike home');
  for (const device of devices)
    await device.run("until swanctl --list-sas --raw | grep -q 'established=[0-5] '; do sleep 0.2; done");
  for (const device of devices)
    claim((await listChildren(device)).length > 0, `${device.name} has a CHILD_SA still`);
}

export const STRONGSWAN_ROWS: readonly Row[] = [
  strongswan(2, 'program'),
  strongswan(1, 'program'),
  strongswan(2, 'kernel'),
  strongswan(1, 'kernel'),
];
