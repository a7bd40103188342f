// What goes wrong on real machines: each ends in a sentence that names the cause and the way out,
// and nothing is half done. (Numbers of our own, since these are cases of operation, not of VPNs.)
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import {
  bindSocket,
  closeDescriptor,
  openSocket,
  receiveInto,
  SOCK_DGRAM,
  watchReadable,
} from '../../src/linux/libc.ts';
import { Daemon } from '../daemon.ts';
import { EspPeer } from '../peers/esp.ts';
import { runTool } from '../namespaces.ts';
import { scenario, type Scenario } from '../scenario.ts';
import type { Household } from '../topologies/household.ts';
import { claim, claimEqual, until } from '../wait.ts';

/** The table of the gateway as nft prints it, without what packets change; empty when there is none. */
function tableOf({ gateway }: Household): string {
  try {
    return gateway.run('nft', ['--stateless', '--terse', 'list', 'table', 'inet', 'throughway']);
  } catch {
    return '';
  }
}

/** Starts a daemon that must refuse, and returns what it said. */
async function refusal(household: Household, wrapper: readonly string[] = []): Promise<string> {
  const { daemon } = household;
  const from = daemon.log.length;
  daemon.launch({}, wrapper);
  const status = await daemon.waitForExit();
  const said = daemon.log.slice(from);
  claim(status !== 0, `the daemon refuses to start: ${said}`);
  claimEqual(tableOf(household), '', 'our table after a refusal');
  claimEqual(
    household.gateway.run('cat', ['/proc/sys/net/ipv4/ip_forward']).trim(),
    '0',
    'forwarding after a refusal',
  );
  return said;
}

function claimSays(said: string, ...parts: string[]): void {
  for (const part of parts) claim(said.includes(part), `"${said.trim()}" says "${part}"`);
}

const idle = { running: false } as const;

export const troubleScenarios: readonly Scenario[] = [
  scenario(
    'T1',
    'without the capability to change firewall rules',
    async (household) => {
      claimSays(
        await refusal(household, ['setpriv', '--inh-caps=-all', '--bounding-set=-net_admin']),
        'CAP_NET_ADMIN',
        'as root',
      );
      claimEqual(household.daemon.exitStatus, 4, 'the exit status');
    },
    idle,
  ),

  scenario(
    'T2',
    'nftables is missing',
    async (household) => {
      const hide =
        'for f in /usr/sbin/nft /usr/bin/nft $(ls /usr/lib/*/libnftables.so.1 /lib/*/libnftables.so.1 2>/dev/null); do [ -e "$f" ] && mount --bind /dev/null "$f"; done; exec "$@"';
      claimSays(
        await refusal(household, ['unshare', '--mount', 'sh', '-c', hide, 'sh']),
        'nftables cannot be used',
        'apt-get install nftables',
      );
    },
    idle,
  ),

  scenario(
    'T3',
    'a configuration with several faults is refused whole, each is named with its line',
    async (household) => {
      household.daemon.writeConfig(
        'version: 1\ninterfaces: { wan: lan0, lan: [lan0] }\npassthru: { pptp: off }\ntimeouts: { esp_seconds: 1 }\n',
      );
      claimSays(
        await refusal(household),
        '3 problems',
        '"passthru" is not a setting',
        'Did you mean "passthrough"',
        'is the WAN interface',
        'the least is 60',
        'line 2',
        'line 3',
        'line 4',
      );
      household.daemon.writeConfig('version: 1\ninterfaces: [\n');
      claimSays(await refusal(household), 'not valid YAML');
      rmSync(household.daemon.configPath);
      claimSays(await refusal(household), 'does not exist', '--config FILE');
    },
    idle,
  ),

  scenario(
    'T4',
    'a file that breaks later: the last good configuration stays in force, loudly, also after a restart',
    async (household) => {
      const { daemon } = household;
      const before = tableOf(household);
      daemon.writeConfig('version: 1\ninterfaces: { wan: wan0, lan: [lan0] }\npassthrough: { ipsec: of }\n');
      await daemon.signal('SIGHUP');
      await until('the log to say so', () => daemon.log.includes('the configuration is broken'));
      claimEqual(tableOf(household), before, 'the table after a broken reload');
      claimSays(
        (await daemon.status()).problems.join(' '),
        'last good one is in force',
        '"of" is not allowed',
      );
      const answer = await daemon.command('disable', 'pptp');
      claimEqual(answer.status, 1, 'the exit status of disable with a broken file');
      claimSays(answer.stderr, 'broken', 'nothing was changed');
      await daemon.signal('SIGKILL');
      await daemon.start();
      claimEqual(tableOf(household), before, 'the table after a restart with a broken file');
      claimSays((await daemon.status()).problems.join(' '), 'last good one is in force');
    },
  ),

  scenario(
    'T5',
    'a second daemon in the same namespace is refused and disturbs nothing',
    async (household) => {
      const before = tableOf(household);
      const second = await household.daemon.command(
        'run',
        '--config',
        household.daemon.configPath,
        '--state-dir',
        '/run/second',
      );
      claimEqual(second.status, 1, 'the exit status');
      claimSays(second.stderr, 'Another Throughway runs');
      claimEqual(tableOf(household), before, 'the table');
      claimEqual((await household.daemon.status()).problems, [], 'problems of the first one');
    },
  ),

  scenario(
    'T6',
    'a full disk under the configuration: disable fails with a sentence and changes nothing',
    async (household) => {
      const { daemon } = household;
      const text = daemon.readConfig();
      mkdirSync('/run/small');
      runTool('mount', ['-t', 'tmpfs', '-o', 'size=4k', 'tmpfs', '/run/small']);
      daemon.configPath = '/run/small/config.yaml';
      daemon.writeConfig(text);
      await daemon.start();
      const before = tableOf(household);
      const answer = await daemon.command('disable', 'pptp');
      claimEqual(answer.status, 1, 'the exit status of disable on a full disk');
      claimSays(answer.stderr, 'cannot be written', 'nothing was changed', 'Make room');
      claimEqual(daemon.readConfig(), text, 'the configuration');
      claimEqual(tableOf(household), before, 'the table');
      claimEqual((await daemon.status()).passthrough.pptp, 'enabled', 'the switch');
    },
    idle,
  ),

  scenario(
    'T7',
    'a state directory that cannot be written: traffic passes, and it is said',
    async (household) => {
      const { daemon, device, server, ledger } = household;
      writeFileSync('/run/throughway/state', 'in the way');
      await daemon.start();
      claimSays(
        (await daemon.status()).problems.join(' '),
        'state directory "/run/throughway/state" cannot be written',
        '--state-dir DIR',
      );
      new EspPeer(household, server);
      new EspPeer(household, device).send(server.address, 0x1001, server);
      await ledger.settle();
    },
    idle,
  ),

  scenario(
    'T8',
    'our table is deleted or changed under the daemon: it is put back within a second',
    async (household) => {
      const { gateway, daemon, device, server, ledger } = household;
      const before = tableOf(household);
      for (const command of [
        'delete table inet throughway',
        'flush chain inet throughway prerouting',
        'flush ruleset',
      ]) {
        gateway.run('nft', [command]);
        const brokenAt = performance.now();
        await until(`the table to be back after "${command}"`, () => tableOf(household) === before);
        claim(performance.now() - brokenAt < 1000, `it took less than a second after "${command}"`);
      }
      await until('the log to say so', () => daemon.log.includes('somebody changed or deleted our table'));
      new EspPeer(household, server);
      new EspPeer(household, device).send(server.address, 0x1001, server);
      await ledger.settle();
    },
  ),

  scenario(
    'T9',
    'interfaces that are missing, down or without address are named; the gateway starts and takes them when they come',
    async (household) => {
      const { daemon, gateway } = household;
      gateway.ip('link delete wan0', 'address flush dev lan0');
      await daemon.start();
      const problems = (await daemon.status()).problems.join(' ');
      claimSays(problems, '"wan0" does not exist', '"lan0" has no IPv4 address');
      gateway.ip('address add 192.168.1.1/24 dev lan0');
      household.connectWan();
      await until('the problems to be gone', async () => (await daemon.status()).problems.length === 0);
      new EspPeer(household, household.server);
      new EspPeer(household, household.device).send(household.server.address, 0x1001, household.server);
      await household.ledger.settle();
    },
    idle,
  ),

  scenario(
    'T10',
    'down takes everything away and restores the system, with and without a daemon; stopping alone takes nothing',
    async (household) => {
      const { daemon, gateway } = household;
      const forwarding = (): string => gateway.run('cat', ['/proc/sys/net/ipv4/ip_forward']).trim();
      claimEqual(forwarding(), '1', 'forwarding while it runs');
      claimEqual((await daemon.command('down')).status, 0, 'down with a daemon');
      claimEqual(await daemon.waitForExit(), 0, 'the exit status of the daemon');
      claimEqual([tableOf(household), forwarding()], ['', '0'], 'table and forwarding after down');
      await daemon.start();
      await daemon.signal('SIGTERM');
      claim(tableOf(household) !== '', 'the table stays when the daemon stops');
      claimEqual(
        (await daemon.command('down', '--state-dir', daemon.stateDir)).status,
        0,
        'down without a daemon',
      );
      claimEqual([tableOf(household), forwarding()], ['', '0'], 'table and forwarding after down');
      claimEqual((await daemon.command('status')).status, 3, 'status without a daemon');
    },
  ),

  scenario(
    'T11',
    'enable and disable are in the file, with its comments, and in force before they return',
    async (household) => {
      const { daemon } = household;
      daemon.writeConfig(`# my house\n${daemon.readConfig()}# the end\n`);
      const off = await daemon.command('disable', 'l2tp');
      claimEqual([off.status, off.stdout.trim()], [0, 'L2TP Passthrough is disabled.'], 'what disable says');
      claim(tableOf(household).includes('L2TP Passthrough is disabled'), 'the ruleset refuses L2TP');
      const text = readFileSync(daemon.configPath, 'utf8');
      claimSays(text, '# my house', '# the end', 'l2tp: disabled');
      chmodSync(daemon.configPath, 0o640);
      claimEqual((await daemon.command('enable', 'l2tp', '--json')).status, 0, 'enable');
      claim(!tableOf(household).includes('L2TP Passthrough is disabled'), 'the ruleset passes L2TP');
      await daemon.signal('SIGTERM');
      await daemon.start();
      claimEqual(
        (await daemon.status()).passthrough,
        { ipsec: 'enabled', pptp: 'enabled', l2tp: 'enabled' },
        'the switches after a restart',
      );
    },
  ),

  scenario(
    'T12',
    'the service manager hears READY when the ruleset is in force, RELOADING and STOPPING; SIGHUP brings a changed file into force',
    async (household) => {
      const { daemon } = household;
      const heard = listenForNotifications(household, '/run/notify');
      await daemon.start({ NOTIFY_SOCKET: '/run/notify' });
      await until('READY=1', () => heard.some((one) => one.startsWith('READY=1')));
      claim(tableOf(household) !== '', 'the table is there');
      daemon.writeConfig(`${daemon.readConfig()}passthrough: { pptp: disabled }\n`);
      await daemon.signal('SIGHUP');
      await until('the reload to be over', () => heard.at(-1) === 'READY=1');
      claim(heard.includes('RELOADING=1'), 'the reload was told');
      claimEqual((await daemon.status()).passthrough.pptp, 'disabled', 'the switch after SIGHUP');
      await daemon.signal('SIGTERM');
      await until('STOPPING=1', () => heard.includes('STOPPING=1'));
    },
    idle,
  ),

  scenario('T13', 'two daemons in two namespaces do not meet', async (household) => {
    const { isp } = household;
    const other = new Daemon(isp, '/run/throughway-isp');
    other.writeConfig('version: 1\ninterfaces: { wan: br0, lan: [wan0] }\npassthrough: { l2tp: disabled }\n');
    await other.start();
    claimEqual((await other.status()).passthrough.l2tp, 'disabled', 'the switch of the one');
    claimEqual((await household.daemon.status()).passthrough.l2tp, 'enabled', 'the switch of the other');
    claimEqual((await other.command('down')).status, 0, 'down of the one');
    await other.waitForExit();
    claim(tableOf(household) !== '', 'the table of the other stays');
  }),
];

/** What a daemon tells its service manager, on a datagram socket at this path (sd_notify(3)). */
function listenForNotifications(household: Household, path: string): string[] {
  const AF_UNIX = 1;
  const fd = openSocket(AF_UNIX, SOCK_DGRAM, 0);
  const address = new Uint8Array(2 + path.length + 1);
  address[0] = AF_UNIX;
  address.set(Buffer.from(path), 2);
  bindSocket(fd, address, path);
  const heard: string[] = [];
  const buffer = new Uint8Array(4096);
  const unwatch = watchReadable(fd, () => {
    for (let length = receiveInto(fd, buffer); length !== null; length = receiveInto(fd, buffer)) {
      heard.push(Buffer.from(buffer.subarray(0, length)).toString());
    }
  });
  household.onClose(() => {
    unwatch();
    closeDescriptor(fd);
    rmSync(path, { force: true });
  });
  return heard;
}
