// What the gateway is as a NAT and as a wall, asked by programs made for it: coturn's natdiscovery
// (RFC 5780) at a STUN server with two addresses, ike-scan from two devices at once, and nmap's scan of
// every IP protocol and of the VPN ports from the internet.
import { claim, claimEqual } from '../../lab/wait.ts';
import { ADDRESSES } from '../../lab/topologies/household.ts';
import { CELL, type Trial } from '../row.ts';
import type { World } from '../world.ts';
import { renderConnection, startCharon } from './strongswan-config.ts';

const SECOND_ADDRESS = '203.0.113.3';
/** Protocols and ports that somebody on the internet may try. */
const TCP_PORTS = '21,22,80,443,992,1194,1723,5555,8080';
const UDP_PORTS = '53,500,1194,1701,4500,51820';

/** natdiscovery sends each datagram once, and one may be lost: of two first packets with one port at the same moment, Linux drops one. */
const MOST_ASKED = 3;

async function serveStun({ server }: World): Promise<void> {
  await server.run(`ip address add ${SECOND_ADDRESS}/24 dev eth0`);
  await server.start(
    'turnserver',
    `turnserver -n -S -L ${server.host.address} -L ${SECOND_ADDRESS} --no-tls --no-dtls --no-cli --log-file stdout --pidfile /run/turnserver.pid`,
  );
  await server.run('until ss -lun | grep -q :3478; do sleep 0.1; done');
}

/** Both devices from the same source port; every one must see the same kind of NAT. */
async function discover({ server, devices }: World, flag: string, wanted: string): Promise<string> {
  const seen = await Promise.all(
    devices.map(async (device) => {
      let said = '';
      for (let attempt = 1; attempt <= MOST_ASKED; attempt += 1) {
        const output = await device.run(
          `turnutils_natdiscovery ${flag} -L ${device.host.address} -l 5060 ${server.host.address}`,
          60_000,
        );
        said = /NAT with (.*?)!/.exec(output)?.[1] ?? output.trim().slice(-200);
        if (!said.includes('STUN receive timeout')) break;
      }
      return said;
    }),
  );
  claimEqual(seen.join('; '), seen.map(() => wanted).join('; '), 'what natdiscovery says to each device');
  return seen[0]!;
}

async function ikeScan({ server, devices }: World): Promise<string> {
  await startCharon(
    server,
    true,
    renderConnection(1, { home: [`local_addrs = ${server.host.address}`], child: ['local_ts = 0.0.0.0/0'] }),
  );
  const outputs = await Promise.all(
    devices.map((device) =>
      device.run(`ike-scan --sport=500 --trans=7/128,2,1,2 --retry=5 ${server.host.address}`, 60_000),
    ),
  );
  for (const output of outputs)
    claim(/\b1 returned handshake/.test(output), `the server answers each device: "${output.trim()}"`);
  return `${outputs.length} devices from port 500 are answered`;
}

/** nmap's table: `PROTOCOL STATE SERVICE`, with what is not listed summed up before. */
async function scanProtocols({ server }: World): Promise<string> {
  const output = await server.run(
    `nmap -sO -Pn -n --max-retries 1 --min-rate 200 --reason ${ADDRESSES.wan}`,
    180_000,
  );
  const open = [...output.matchAll(/^(\d+)\s+open\s/gm)].map(([, protocol]) => protocol);
  const closed = [...output.matchAll(/^(\d+)\s+closed\s/gm)].map(([, protocol]) => protocol);
  claimEqual(open.join(), '1', 'IP protocols that answer (ping does)');
  claim(
    closed.length === 0 && !/Not shown:.*closed/.test(output),
    `no protocol is answered by "unreachable": ${output}`,
  );
  return 'of 256 IP protocols only ping answers; none says "unreachable"';
}

async function scanPorts({ server }: World): Promise<string> {
  const output = await server.run(
    `nmap -sS -sU -Pn -n --max-retries 1 --reason -p T:${TCP_PORTS},U:${UDP_PORTS} ${ADDRESSES.wan}`,
    180_000,
  );
  const answered = [...output.matchAll(/^(\d+\/\w+)\s+(open|closed)\s/gm)].map(([, port]) => port);
  claimEqual(answered.join(), '', 'ports of the gateway that answer the internet');
  return `TCP ${TCP_PORTS} and UDP ${UDP_PORTS} are silent`;
}

const NAT: Trial = {
  id: 'nat',
  title: 'the gateway as a NAT and as a wall',
  packages: ['coturn', 'ike-scan', 'nmap'],
  server: CELL,
  device: CELL,
  devices: 2,
  isFast: true,
  steps: [
    {
      title: 'mapping (natdiscovery)',
      async play(world) {
        await serveStun(world);
        return discover(world, '-m', 'Endpoint Independent Mapping');
      },
    },
    {
      title: 'filtering (natdiscovery)',
      play: (world) => discover(world, '-f', 'Address and Port Dependent Filtering'),
    },
    { title: 'IKE from port 500 of both devices (ike-scan)', play: ikeScan },
    { title: 'IP protocols from the internet (nmap)', play: scanProtocols },
    { title: 'ports from the internet (nmap)', play: scanPorts },
  ],
};

export const NAT_TRIALS: readonly Trial[] = [NAT];
