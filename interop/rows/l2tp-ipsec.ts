// L2TP over IPsec in transport mode: strongSwan IKEv1 and xl2tpd on User-Mode Linux. A server that keeps
// its policies in the kernel by address and port cannot tell two devices behind one NAT apart: its limit,
// shown with two devices at strongSwan. SoftEther keeps them by SA, and takes both (softether.ts).
import { setTimeout as sleep } from 'node:timers/promises';
import { askDoctor, describeFindings } from '../../lab/asking-doctor.ts';
import { claim, until } from '../../lab/wait.ts';
import type { Machine } from '../machine.ts';
import { UML, type Row, type Tunnel } from '../row.ts';
import { ping } from '../transfer.ts';
import type { World } from '../world.ts';
import { dialLac, hangUpLac, startLns } from './l2tp.ts';
import { initiate, renderConnection, renew, startCharon } from './strongswan-config.ts';
import { stopCharon } from './strongswan.ts';

const SERVER_INSIDE = '10.22.0.1';
/** Of the sentence about a device that the server has dropped for another one. */
const LIMIT = 'many servers keep only one device for each public address';
const PATIENCE_SECONDS = 60;

/** IKEv1 in transport mode for UDP 1701, then L2TP inside it. */
export async function dialL2tpIpsec(device: Machine, server: string): Promise<Tunnel> {
  await startCharon(
    device,
    false,
    renderConnection(1, {
      home: [`local_addrs = ${device.host.address}`, `remote_addrs = ${server}`],
      remote: ['id = %any'],
      child: ['mode = transport', 'local_ts = dynamic[udp/1701]', 'remote_ts = dynamic[udp/1701]'],
    }),
  );
  await initiate(device, 'net');
  return dialLac(device, server);
}

export async function hangUpL2tpIpsec(device: Machine): Promise<void> {
  await hangUpLac(device);
  await stopCharon(device);
}

/**
 * The second device at a server with kernel policies: which of the two it serves is the server's to say. Both go on
 * sending, as a person's device does, and of the one that hears nothing the gateway must say why.
 */
async function secondDevice({ devices, server, tunnels, household }: World): Promise<void> {
  const inside = tunnels[0]!.serverInside;
  await Promise.allSettled([dialL2tpIpsec(devices[1]!, server.host.address)]);
  const pings = Promise.all(devices.map((device) => ping(device, inside, PATIENCE_SECONDS, 1)));
  let explained: string[] = [];
  let said = '';
  await until(
    'a session that says the limit',
    async () => {
      await sleep(300);
      const sessions = await household.daemon.sessions();
      said = sessions.map(({ device, trouble }) => `${device.address} ${trouble}`).join('; ');
      explained = sessions.flatMap(({ trouble }) => (trouble?.includes(LIMIT) ? [trouble] : []));
      return explained.length > 0;
    },
    PATIENCE_SECONDS * 1000,
    () => said,
  );
  const { report } = await askDoctor(household);
  const got = await pings;
  claim(
    report.findings.some(({ cause }) => cause === 'transport-mode-limit'),
    `the doctor names the limit: ${describeFindings(report)}`,
  );
  claim(
    got.includes(0),
    `the server's limit shows: it cannot serve both devices at once, and answered ${got.join(' and ')} pings`,
  );
}

const L2TP_IPSEC: Row = {
  id: 'l2tp-ipsec',
  title: 'L2TP/IPsec, xl2tpd and strongSwan on both sides',
  packages: ['xl2tpd', 'strongswan-libcharon', 'user-mode-linux'],
  server: UML,
  device: UML,
  devices: 2,
  connected: 1,
  isFast: false,
  governedBy: 'ipsec',
  megabytes: 4,
  async prepare({ server, devices }) {
    await startCharon(
      server,
      false,
      renderConnection(1, {
        home: [`local_addrs = ${server.host.address}`, 'unique = never'],
        child: ['mode = transport', 'local_ts = dynamic[udp/1701]', 'remote_ts = dynamic[udp/1701]'],
      }),
    );
    await startLns(
      server,
      SERVER_INSIDE,
      devices.map(({ name }) => name),
    );
  },
  connect: ({ server, devices }, index) => dialL2tpIpsec(devices[index]!, server.host.address),
  disconnect: ({ devices }, index) => hangUpL2tpIpsec(devices[index]!),
  rekeys: [
    {
      title: 'client renews the SA',
      play: ({ devices }) =>
        renew(devices.slice(0, 1), async (device) => {
          await device.run('swanctl --rekey --child net');
        }),
    },
  ],
  checks: [
    { title: "a second device meets the server's limit, which the gateway explains", play: secondDevice },
  ],
};

export const L2TP_IPSEC_ROWS: readonly Row[] = [L2TP_IPSEC];
