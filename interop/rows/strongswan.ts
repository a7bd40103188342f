// strongSwan 5.9 with ESP in user space (kernel-libipsec), which is IKEv2 or IKEv1 with NAT-T: UDP 500,
// then 4500. Devices get addresses of the server's pool. The server renews keys too, and speaks first.
import { CELL, type Row, type Tunnel } from '../row.ts';
import { initiate, listChildren, proposal, renew, SERVER_INSIDE, startCharon } from './strongswan-config.ts';
import type { Machine } from '../machine.ts';
import type { World } from '../world.ts';

const POOL = '10.98.0.0/24';

function connection(version: 1 | 2, ends: string, child: string): string {
  const { ike, esp } = proposal(version);
  return `
connections {
  home {
    version = ${version}
    proposals = ${ike}
    encap = yes
    dpd_delay = 60s
    ${ends}
    local { auth = psk
    }
    children {
      net {
        esp_proposals = ${esp}
        ${child}
      }
    }
  }
}
`;
}

function strongswan(version: 1 | 2): Row {
  return {
    id: `ikev${version}-natt`,
    title: `strongSwan, IKEv${version} with NAT-T`,
    packages: ['strongswan-libcharon'],
    server: CELL,
    device: CELL,
    devices: 2,
    isFast: true,
    governedBy: 'ipsec',
    async prepare({ server }) {
      await server.run(`ip address add ${SERVER_INSIDE}/32 dev lo`);
      await startCharon(
        server,
        true,
        `${connection(
          version,
          `local_addrs = ${server.host.address}
    pools = pool
    remote { auth = psk
    }`,
          `local_ts = ${SERVER_INSIDE}/32`,
        )}
pools {
  pool {
    addrs = ${POOL}
  }
}
`,
      );
    },
    async connect({ server, devices }, index): Promise<Tunnel> {
      const device = devices[index]!;
      await startCharon(
        device,
        true,
        connection(
          version,
          `local_addrs = ${device.host.address}
    remote_addrs = ${server.host.address}
    vips = 0.0.0.0
    remote { auth = psk
      id = ${server.host.address}
    }`,
          `remote_ts = ${SERVER_INSIDE}/32`,
        ),
      );
      await initiate(device, 'net');
      return { serverInside: SERVER_INSIDE, deviceInside: await virtualAddress(device) };
    },
    async disconnect({ devices }, index) {
      await devices[index]!.run(
        'swanctl --terminate --ike home --timeout 2 || true; pkill -x charon-systemd; while pgrep -x charon-systemd; do sleep 0.1; done',
      );
    },
    rekeys: [
      {
        title: 'client renews the CHILD_SA',
        play: ({ devices }) =>
          renew(devices, async (device) => {
            await device.run('swanctl --rekey --child net');
          }),
      },
      { title: 'server renews the CHILD_SA', play: (world) => serverRenews(world, '--child net') },
      ...(version === 2 ? [{ title: 'server renews the IKE_SA', play: serverRenewsIke }] : []),
    ],
  };
}

async function virtualAddress(device: Machine): Promise<string> {
  const raw = await device.run('swanctl --list-sas --raw');
  return /local-vips=\[([\d.]+)\]/.exec(raw)![1]!;
}

async function serverRenews({ server, devices }: World, what: string): Promise<void> {
  await renew(devices, async (_, index) => {
    if (index === 0) await server.run(`swanctl --rekey ${what}`);
  });
}

async function serverRenewsIke({ server, devices }: World): Promise<void> {
  await server.run('swanctl --rekey --ike home');
  for (const device of devices)
    await device.run("until swanctl --list-sas --raw | grep -q 'established=[0-5] '; do sleep 0.2; done");
  for (const device of devices) if ((await listChildren(device)).length === 0) throw new Error('no CHILD_SA');
}

export const STRONGSWAN_ROWS: readonly Row[] = [strongswan(2), strongswan(1)];
