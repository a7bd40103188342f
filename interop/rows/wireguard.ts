// WireGuard by wireguard-go, from port 51820 on both sides, with and without persistent keepalive; and a
// device that changes its port, which the server follows (roaming).
import { claimEqual } from '../../lab/wait.ts';
import type { Machine } from '../machine.ts';
import { CELL, type Row, type Tunnel } from '../row.ts';
import { ping, untilAnswered } from '../transfer.ts';
import type { World } from '../world.ts';

const PORT = 51_820;
const SERVER_INSIDE = '10.9.0.1';
/** REKEY_AFTER_TIME of the WireGuard paper, 6.1; it cannot be set. */
const REKEY_SECONDS = 120;

const insideOf = (index: number): string => `10.9.0.${index + 2}`;

async function bringUp(machine: Machine, inside: string, config: string): Promise<void> {
  machine.put('/etc/wireguard/wg0.conf', config, 0o600);
  await machine.start('wireguard', 'env WG_PROCESS_FOREGROUND=1 LOG_LEVEL=debug wireguard-go wg0');
  await machine.run(`until ip link show wg0 > /dev/null 2>&1 && wg show wg0 > /dev/null 2>&1; do sleep 0.05; done
    wg setconf wg0 /etc/wireguard/wg0.conf && ip address add ${inside}/24 dev wg0 && ip link set wg0 mtu 1420 up`);
}

async function newKey(machine: Machine): Promise<{ secret: string; open: string }> {
  const [secret, open] = (await machine.run('key=$(wg genkey); echo $key; echo $key | wg pubkey')).split(
    '\n',
  );
  return { secret: secret!, open: open! };
}

function wireguard(name: string, title: string, keepaliveSeconds: number | null, isFast: boolean): Row {
  const serverKey = { open: '' };
  const deviceKeys: string[] = [];
  return {
    id: name,
    title,
    packages: ['wireguard-go', 'wireguard-tools'],
    server: CELL,
    device: CELL,
    devices: 2,
    isFast,
    governedBy: null,
    async prepare({ server, devices }) {
      const own = await newKey(server);
      serverKey.open = own.open;
      const peers: string[] = [];
      for (const [index, device] of devices.entries()) {
        const { secret, open } = await newKey(device);
        deviceKeys[index] = secret;
        peers.push(`[Peer]\nPublicKey = ${open}\nAllowedIPs = ${insideOf(index)}/32\n`);
      }
      await bringUp(
        server,
        SERVER_INSIDE,
        `[Interface]\nPrivateKey = ${own.secret}\nListenPort = ${PORT}\n${peers.join('')}`,
      );
    },
    async connect({ server, devices }, index): Promise<Tunnel> {
      const keepalive = keepaliveSeconds === null ? '' : `PersistentKeepalive = ${keepaliveSeconds}\n`;
      const device = devices[index]!;
      await bringUp(
        device,
        insideOf(index),
        `[Interface]\nPrivateKey = ${deviceKeys[index]!}\nListenPort = ${PORT}\n[Peer]\nPublicKey = ${serverKey.open}\nEndpoint = ${server.host.address}:${PORT}\nAllowedIPs = ${SERVER_INSIDE}/32\n${keepalive}`,
      );
      await untilAnswered(device, SERVER_INSIDE, 10_000);
      return { serverInside: SERVER_INSIDE, deviceInside: insideOf(index) };
    },
    async disconnect({ devices }, index) {
      await devices[index]!.run('pkill -x wireguard-go; while pgrep -x wireguard-go; do sleep 0.1; done');
    },
    // Two minutes of waiting are too long for the fast part.
    rekeys: isFast ? [] : [{ title: 'after its two minutes', play: waitForRekey }],
    checks: [{ title: 'a device changes its port', play: roam }],
  };
}

/** Under traffic, since WireGuard renews nothing for nobody. */
async function waitForRekey({ server, devices, tunnels }: World): Promise<void> {
  const count = (REKEY_SECONDS + 5) * 2;
  const got = await Promise.all(
    devices.map((device, index) => ping(device, tunnels[index]!.serverInside, count, 0.5)),
  );
  claimEqual(got.join(), got.map(() => count).join(), 'answers across the renewal of the keys');
  const ages = (await server.run("wg show wg0 latest-handshakes | awk '{ print systime() - $2 }'"))
    .trim()
    .split('\n')
    .map(Number);
  claimEqual(ages.filter((age) => age > REKEY_SECONDS).length, 0, `handshakes older than ${REKEY_SECONDS} s`);
}

async function roam({ devices, server, tunnels }: World): Promise<void> {
  await devices[0]!.run(`wg set wg0 listen-port ${PORT + 7}`);
  await untilAnswered(devices[0]!, tunnels[0]!.serverInside, 10_000);
  for (const tunnel of tunnels)
    claimEqual(await ping(server, tunnel!.deviceInside, 3), 3, 'answers to the server');
}

export const WIREGUARD_ROWS: readonly Row[] = [
  wireguard('wireguard', 'WireGuard, keepalive 25 s', 25, true),
  wireguard('wireguard-silent', 'WireGuard without keepalive', null, false),
];
