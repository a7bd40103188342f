// Where names come from when no DHCP server knows them (scenarios S10 and S11): devices that speak mDNS, the
// DNS server of the network; what hostile ones say; and that nobody is asked who shall not be.
import { mkdirSync, readlinkSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Device } from '../../src/daemon/api/session.ts';
import { callDaemon } from '../../src/cli/client.ts';
import type { DnsName } from '../../src/core/wire/dns.ts';
import { runTool } from '../namespaces.ts';
import { DnsServer, MdnsResponder } from '../peers/dns.ts';
import { UdpPeer } from '../peers/udp.ts';
import { scenario, type Scenario } from '../scenario.ts';
import { ADDRESSES, type Host, type Household } from '../topologies/household.ts';
import { claim, claimEqual, until } from '../wait.ts';

const RESOLVERS = '/etc/resolv.conf';
/** A question, its repetition, and a server that is slow. */
const PATIENCE_MS = 20_000;

const reverse = (address: string): string => `${address.split('.').toReversed().join('.')}.in-addr.arpa`;

const only =
  (names: Readonly<Record<string, DnsName>>) =>
  (asked: string): DnsName | null =>
    names[asked] ?? null;

/** Makes this the DNS server of every program in the lab; the daemon must be started after it. */
function useDnsServer(household: Household, address: string): void {
  const text = `nameserver ${address}\n`;
  try {
    const path = realpathSync(RESOLVERS);
    writeFileSync('/run/lab-resolv.conf', text);
    runTool('mount', ['--bind', '/run/lab-resolv.conf', path]);
    household.onClose(() => void runTool('umount', [path]));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    // It is a link into /run, of which the lab has one of its own.
    const path = resolve(dirname(RESOLVERS), readlinkSync(RESOLVERS));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

function mdns(household: Household, device: Host, names: Readonly<Record<string, DnsName>>): MdnsResponder {
  const responder = new MdnsResponder(device, only(names));
  household.onClose(() => responder.close());
  return responder;
}

function dnsServer(household: Household, names: Readonly<Record<string, DnsName>>): DnsServer {
  const place = { namespace: household.gateway, address: ADDRESSES.gatewayLan };
  const server = new DnsServer(place, only(names));
  household.onClose(() => server.close());
  useDnsServer(household, place.address);
  return server;
}

async function devicesOf({ daemon }: Household): Promise<Device[]> {
  return JSON.parse(await callDaemon(daemon.socket, 'GET', '/api/v1/devices')) as Device[];
}

/** Each device's name and where it is from. */
async function namesOf(household: Household): Promise<Record<string, string | null>> {
  const devices = await devicesOf(household);
  return Object.fromEntries(
    devices.map(({ address, name, name_source }) => [
      address,
      name === null ? null : `${name_source} ${name}`,
    ]),
  );
}

async function namesBecome(household: Household, wanted: Record<string, string | null>): Promise<void> {
  let seen: Record<string, string | null> = {};
  await until(
    `the names to be ${JSON.stringify(wanted)}`,
    async () => {
      seen = await namesOf(household);
      return Object.entries(wanted).every(([address, name]) => seen[address] === name);
    },
    PATIENCE_MS,
    () => JSON.stringify(seen),
  );
}

/** A connection from each device to the first server, so that each is a device that matters. */
function beTold(household: Household): void {
  for (const device of household.devices) {
    new UdpPeer(household, device, 4500).sendBytes(household.server.address, 4500, Uint8Array.of(0xff));
  }
}

export const nameScenarios: readonly Scenario[] = [
  scenario(
    'S10',
    'devices are called by what they and the DNS say of themselves; hostile names are harmless, and nobody names another',
    async (household) => {
      const { devices, daemon, server } = household;
      const [phone, evil, laptop] = devices as [Host, Host, Host];
      const impostor: DnsName = ['Impostor', 'local'];
      mdns(household, phone, { [reverse(phone.address)]: ["Ann's Phone", 'local'] });
      mdns(household, evil, {
        [reverse(evil.address)]: ['\u001b[2J\u202eevil\r\n<b>', 'local'],
        [reverse(laptop.address)]: impostor,
      });
      dnsServer(household, {
        [reverse(laptop.address)]: ['laptop', 'office', 'example'],
        [reverse(phone.address)]: ['host-192-168-1-11', 'example'],
        [reverse(server.address)]: ['vpn', 'company', 'example'],
      });
      await daemon.start();
      beTold(household);
      await namesBecome(household, {
        [phone.address]: "mdns Ann's Phone",
        [evil.address]: 'mdns 2Jevilb',
        [laptop.address]: 'dns laptop',
      });
      await until('the server to be named', async () =>
        (await daemon.sessions()).every((session) => session.server.name === 'vpn.company.example'),
      );
      for (const command of ['devices', 'sessions']) {
        const { stdout } = await daemon.command(command);
        claim(stdout.includes('2Jevilb'), `"${command}" shows the device: ${stdout}`);
        claim(!stdout.includes('\u001b') && !stdout.includes('\u202e'), `"${command}" shows letters only`);
      }
      // What was heard outlives the daemon.
      await daemon.signal('SIGKILL');
      await daemon.start();
      claimEqual((await namesOf(household))[phone.address], "mdns Ann's Phone", 'the name after a kill');
    },
    { running: false, config: 'names: { server_names: enabled }' },
  ),
  scenario(
    'S11',
    'nobody is asked for names where that is switched off, nor about servers unless that is switched on',
    async (household) => {
      const { devices, daemon, device, server } = household;
      const responder = mdns(household, device, { [reverse(device.address)]: ['Phone', 'local'] });
      const resolver = dnsServer(household, {
        [reverse(devices[1]!.address)]: ['laptop', 'example'],
        [reverse(server.address)]: ['vpn', 'example'],
      });
      await daemon.start();
      beTold(household);
      await until(
        'the devices to be known',
        async () => (await devicesOf(household)).length === devices.length,
      );
      claimEqual([...responder.asked, ...resolver.asked], [], 'what was asked');
      daemon.writeConfig(daemon.readConfig().replace(/^names:.*$/m, ''));
      await daemon.reload();
      const named = { [device.address]: 'mdns Phone', [devices[1]!.address]: 'dns laptop' };
      await namesBecome(household, named);
      claim(responder.asked.length > 0, 'the device was asked');
      claim(!resolver.asked.includes(reverse(server.address)), 'the server was not asked about');
      claimEqual((await daemon.sessions())[0]!.server.name, null, 'the name of the server');
      daemon.writeConfig(`${daemon.readConfig()}names: { mdns: disabled, reverse_dns: disabled }\n`);
      await daemon.reload();
      await namesBecome(household, { [device.address]: null, [devices[1]!.address]: null });
    },
    { running: false, config: 'names: { mdns: disabled, reverse_dns: disabled }' },
  ),
];
