// `npm run package:test`: the package is built twice and compared, looked over by lintian, and installed in a
// clean Debian in the lab's household, where real devices keep sessions through it while it is set up,
// upgraded, restarted, removed and purged; once more under a real systemd; in a container; beside other firewalls; on
// VLANs; and for arm64 in an emulator. Needs root, mmdebstrap and Debian's packages, without which it says so and ends with 77;
// systemd-nspawn, lintian, podman and qemu where they are installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { demoSessions, type DemoSession } from '../lab/demo-sessions.ts';
import { readExamples } from '../lab/examples.ts';
import { insideOwnNamespaces } from '../lab/enter.ts';
import { runTool } from '../lab/namespaces.ts';
import { Household } from '../lab/topologies/household.ts';
import { claim, claimEqual } from '../lab/wait.ts';
import { neededSysctls } from '../src/core/policy/sysctls.ts';
import { arm64Forbidden, bringLibraries, playArm64 } from './arm64.ts';
import { bootForbidden, playUnderSystemd } from './booted.ts';
import { buildPackages, MOST_MEGABYTES, ROOT } from './build.ts';
import { CannotPlay } from './cannot-play.ts';
import { bringBase, buildImage, containerForbidden, playContainer } from './container.ts';
import { BESIDE, FIREWALLS, playBeside } from './firewalls.ts';
import { bringDebian, Installed } from './installed.ts';
import { bringShells, playShells } from './shells.ts';
import { during } from './traffic.ts';
import { bringKernel, playVlans } from './vlans.ts';

const MOST_RESIDENT_MB = 110;
const MOST_READY_MS = 1500;
/** What this system cannot play: the same as in scripts/steps.ts. */
const FORBIDDEN = 77;
const CONFIG = '/etc/throughway/config.yaml';

let passed = 0;
let failed = 0;

/** A step that fails ends the test: what follows builds on it. */
async function step(title: string, play: () => Promise<string | void> | string | void): Promise<void> {
  if (failed > 0) return;
  const began = performance.now();
  try {
    const found = await play();
    passed += 1;
    process.stdout.write(
      `ok      ${title}${found ? `: ${found}` : ''} (${((performance.now() - began) / 1000).toFixed(1)} s)\n`,
    );
  } catch (error) {
    if (error instanceof CannotPlay) {
      process.stdout.write(`left out ${title}: ${error.message}\n`);
      return;
    }
    failed += 1;
    process.stdout.write(
      `FAILED  ${title}\n        ${error instanceof Error ? error.message : String(error)}\n`,
    );
  }
}

/** What this system cannot play is said and not counted. */
async function stepUnless(
  forbidden: string | null,
  title: string,
  play: Parameters<typeof step>[1],
): Promise<void> {
  if (forbidden === null) return step(title, play);
  process.stdout.write(`left out ${title}: ${forbidden}\n`);
}

function leaveOut(why: string): never {
  process.stderr.write(`${why}\n`);
  process.exit(FORBIDDEN);
}

/** The Debian of the test and one with other firewalls, or the reason why there is none. All that is fetched is fetched at once. */
async function debiansOrReason(): Promise<[string, string]> {
  if (process.getuid?.() !== 0) leaveOut('A package is installed in a Debian of its own, which needs root.');
  if (process.arch !== 'x64')
    leaveOut(`The package for amd64 is installed, which "${process.arch}" cannot run.`);
  if (spawnSync('mmdebstrap', ['--version']).error)
    leaveOut(
      'A Debian of its own is made by mmdebstrap, which is not installed (apt-get install mmdebstrap).',
    );
  try {
    const [archive, withFirewalls] = await Promise.all([
      bringDebian(),
      bringDebian({ packages: FIREWALLS }),
      containerForbidden() ?? bringBase(),
      arm64Forbidden() ?? bringLibraries(),
      bringKernel(),
      bringShells(),
    ]);
    return [archive, withFirewalls];
  } catch (error) {
    return leaveOut(
      `Debian's packages cannot be had here: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** What needs the network, and so comes before the lab's own namespaces. */
async function prepare(archive: string, withFirewalls: string): Promise<void> {
  const out = mkdtempSync(join(tmpdir(), 'throughway-deb-'));
  process.once('exit', () => rmSync(out, { recursive: true, force: true }));
  let deb = '';
  await step('two builds of the package are the same, byte for byte', () => {
    const hashes = ['a', 'b'].map((name) => {
      // Packing well takes most of the time and proves no more: one thread of xz always writes the same.
      [deb = ''] = buildPackages(['amd64'], join(out, name), { compression: 'quick' });
      return createHash('sha256').update(readFileSync(deb)).digest('hex');
    });
    claimEqual(hashes[1], hashes[0], 'the checksum of the second build');
    const megabytes = readFileSync(deb).length / 1e6;
    claim(megabytes < MOST_MEGABYTES, `${megabytes} MB, even packed quickly, is below ${MOST_MEGABYTES} MB`);
  });
  const lintian = spawnSync('lintian', ['--version']).error
    ? 'lintian is not installed (apt-get install lintian)'
    : null;
  await stepUnless(lintian, 'lintian has nothing to say', () => {
    const options = ['--no-cfg', '--allow-root', '--fail-on=error,warning'];
    const ran = spawnSync('lintian', [...options, deb], { encoding: 'utf8' });
    claimEqual([ran.status, ran.stdout], [0, ''], 'what lintian says');
  });
  await stepUnless(arm64Forbidden(), 'the package for arm64 starts in an emulator', () => {
    const [foreign = ''] = buildPackages(['arm64'], join(out, 'arm64'), { compression: 'quick' });
    return playArm64(foreign, join(out, 'emulated'));
  });
  const [next = ''] = buildPackages(['amd64'], join(out, 'next'), {
    version: '999.0.0',
    compression: 'quick',
  });
  await stepUnless(
    bootForbidden(),
    'under a real systemd it is set up, watched, restarted and purged, in all of its sandbox',
    () => playUnderSystemd(archive, deb, join(out, 'booted')),
  );
  await step('bash, zsh and fish complete, and mandoc has nothing to say of the manual pages', () =>
    playShells(deb, join(out, 'shells')),
  );
  await step("the manual's VLANs, in a machine with a kernel that has them", () =>
    playVlans(archive, deb, join(out, 'vlans')),
  );
  let image = '';
  await stepUnless(
    containerForbidden(),
    'two builds of the container image are the same',
    async () => void (image = await buildImage(deb, join(out, 'container'))),
  );
  process.argv.push(deb, next, archive, withFirewalls, image, String(passed), String(failed));
}

if (process.argv.length === 2) await prepare(...(await debiansOrReason()));
insideOwnNamespaces(import.meta.filename);
const [deb = '', next = '', archive = '', withFirewalls = '', image = '', ...counts] = process.argv.slice(2);
[passed = 0, failed = 0] = counts.map(Number);

const household = await Household.build({ running: false });
const debian = new Installed(household.gateway, archive);

const needed = neededSysctls(['lan0'], readSetting);

/** What must be as before when the package is purged. */
function traces(): Record<string, unknown> {
  const isNoted = (path: string): boolean =>
    !/^(proc|dev|run|sys|tmp|var\/(log|cache|tmp)|var\/lib\/dpkg)(\/|$)|^etc\/(passwd|group|shadow|gshadow|subuid|subgid)-$|^var\/lib\/systemd\/deb-systemd/.test(
      path,
    );
  return {
    files: runTool('find', [debian.folder, '-xdev', '-printf', '%P\\n']).split('\n').filter(isNoted).sort(),
    users: ['passwd', 'group'].map((name) => readFileSync(debian.path(`/etc/${name}`), 'utf8')),
    tables: household.gateway.run('nft', ['list', 'tables']),
    settings: sysctls(),
  };
}

function readSetting(name: string): string {
  const file = name.includes('/') ? name : name.replaceAll('.', '/');
  return household.gateway.run('cat', [`/proc/sys/${file}`]).trim();
}

function sysctls(): string[] {
  return needed.map(([name]) => readSetting(name));
}

function must(...args: string[]): string {
  const ran = debian.run(...args);
  claim(ran.status === 0, `"${args.join(' ')}" succeeds: ${ran.stdout}${ran.stderr}`);
  return ran.stdout;
}

/** Copies a package into the Debian and returns its place there. */
function bringInside(path: string): string {
  copyFileSync(path, debian.path('/tmp/throughway.deb'));
  return '/tmp/throughway.deb';
}

const before = traces();
const sessions: DemoSession[] = [];
/** Milliseconds until it was ready, each time it was started. */
const starts: number[] = [];

await step('it installs, and changes nothing before it is set up', () => {
  must('dpkg', '--install', bringInside(deb));
  claimEqual(sysctls(), before['settings'], 'the kernel settings');
  claimEqual(household.gateway.run('nft', ['list', 'tables']), '', 'the tables');
  claim(must('throughway', '--version').startsWith('throughway '), 'the program runs');
  must('dpkg', '--verify', 'throughway');
});
await step('setup shows its plan, and changes nothing when it is only asked for it', () => {
  const shown = must('throughway', 'setup', '--dry-run', '--wan', 'wan0', '--lan', 'lan0');
  claim(shown.includes('+  wan: wan0'), `the plan shows the WAN: ${shown}`);
  claim(
    shown.includes('+net.ipv4.ip_forward = 1') && shown.includes('lan0/accept_local'),
    `the plan shows the settings: ${shown}`,
  );
  claim(debian.run('test', '-e', CONFIG).status !== 0, 'there is no configuration yet');
});
await step("the manual's setup with dnsmasq", () => {
  for (const [name, address] of [
    ['eth0', '203.0.113.77/24'],
    ['eth1', '192.168.7.1/24'],
  ])
    household.gateway.ip(
      `link add ${name} type veth peer name ${name}-far`,
      `address add ${address} dev ${name}`,
    );
  const lines = readExamples(ROOT).filter(({ text }) => /^sudo throughway setup .*--dnsmasq/.test(text));
  claim(lines.length > 0, 'the manual has one');
  for (const { text } of lines) {
    must('sh', '-e', '-c', text.replace(/^sudo /, ''));
    must('dnsmasq', '--test', '--conf-file=/etc/dnsmasq.d/throughway.conf');
    must('rm', CONFIG, '/etc/dnsmasq.d/throughway.conf');
  }
  for (const name of ['eth0', 'eth1']) household.gateway.ip(`link delete ${name}`);
});
await step('setup with flags writes the configuration, and keeps the remote shell', () => {
  const shell = { SSH_CONNECTION: '203.0.113.9 50000 198.51.100.2 22' };
  const ran = debian.runWith(shell, 'throughway', 'setup', '--lan', 'lan0', '--dnsmasq', '--yes');
  claimEqual([ran.status, ran.stderr], [0, ''], 'the end of setup');
  const config = readFileSync(debian.path(CONFIG), 'utf8');
  for (const part of ['wan: wan0', 'lan: [lan0]', 'wan_services: ["tcp/22"]'])
    claim(config.includes(part), `the configuration has ${part}: ${config}`);
  claimEqual(must('stat', '--format=%U:%G %a', CONFIG).trim(), 'throughway:throughway 640', 'its owner');
  must('dnsmasq', '--test', '--conf-file=/etc/dnsmasq.d/throughway.conf');
  const again = debian.run('throughway', 'setup', '--wan', 'wan0', '--lan', 'lan0', '--yes');
  claim(again.status === 1 && again.stderr.includes('never writes over it'), `again: ${again.stderr}`);
  claimEqual(readFileSync(debian.path(CONFIG), 'utf8'), config, 'the configuration after a second setup');
});
await step("the service starts as its unit's user with its unit's capabilities", async () => {
  const readyMs = await debian.startService();
  claimEqual(
    sysctls(),
    needed.map(([, value]) => value),
    'the kernel settings',
  );
  const status = JSON.parse(must('throughway', 'status', '--json')) as { problems: string[] };
  claimEqual(status.problems, [], 'its problems');
  const owner = readFileSync(`/proc/${debian.pid}/status`, 'utf8');
  claim(!/^Uid:\s+0\b/m.test(owner), 'it is not root');
  starts.push(readyMs);
  return `ready after ${readyMs} ms`;
});
await step('two devices have PPTP, L2TP and IPsec to one server through it', async () => {
  sessions.push(...demoSessions(household));
  for (const session of sessions) await session.connect();
  return during(sessions, Promise.resolve());
});
await step('idle, it takes little memory', async () => {
  await sleep(3_000);
  const text = readFileSync(`/proc/${debian.pid}/status`, 'utf8');
  const megabytes = Number(/^VmRSS:\s+(\d+)/m.exec(text)![1]) / 1000;
  claim(megabytes < MOST_RESIDENT_MB, `${megabytes} MB is below ${MOST_RESIDENT_MB} MB`);
  return `${megabytes.toFixed(0)} MB resident`;
});
await step('a switch writes the configuration as that user', () => {
  must('throughway', 'disable', 'l2tp');
  claim(readFileSync(debian.path(CONFIG), 'utf8').includes('l2tp: disabled'), 'the file has the switch');
  must('throughway', 'enable', 'l2tp');
});
await step('an upgrade and a restart under traffic', async () => {
  const ipsec = sessions.filter((session) => session.protocol !== 'l2tp');
  return during(
    ipsec,
    (async () => {
      await debian.start('dpkg', '--install', bringInside(next));
      await debian.stopService();
      starts.push(await debian.startService());
    })(),
  );
});
await step('the new version runs, with the same configuration', () => {
  const status = JSON.parse(must('throughway', 'status', '--json')) as {
    version: string;
    problems: string[];
  };
  claimEqual([status.version, status.problems], ['999.0.0', []], 'version and problems');
});
await step('what the former version left is kept beside it', () => {
  must('test', '-s', '/var/lib/throughway/config-of-0.1.0.yaml');
  must('test', '-s', '/var/lib/throughway/journal-of-0.1.0.sqlite');
  must('test', '-s', '/var/lib/throughway/admin-of-0.1.0.sqlite');
});
await step('its self-test plays, beside the gateway that runs', () => {
  const ran = debian.run('throughway', 'selftest', '--json');
  const { requirements, again } = JSON.parse(ran.stdout) as {
    requirements: { outcome: string; what: string }[];
    again: string[];
  };
  claimEqual(
    requirements.filter(({ outcome }) => outcome !== 'holds'),
    [],
    `the requirements that do not hold (${ran.stderr})`,
  );
  claim(requirements.length >= 17, `${requirements.length} requirements are tried`);
  return `all of ${requirements.length} requirements hold${again.length > 0 ? `; played again alone: ${again.join(', ')}` : ''}`;
});
await step('removing it takes the rules and settings away, and keeps configuration and state', async () => {
  await debian.start('dpkg', '--remove', 'throughway');
  await debian.waitForEnd();
  claimEqual(household.gateway.run('nft', ['list', 'tables']), '', 'the tables');
  claimEqual(sysctls(), before['settings'], 'the kernel settings');
  must('test', '-e', CONFIG);
  must('test', '-e', '/var/lib/throughway/last-good.yaml');
  claim(debian.run('test', '-e', '/usr/bin/throughway').status !== 0, 'the program is gone');
});
await step(
  'the older version installed again goes on, and says what it cannot read of the newer one',
  async () => {
    for (const name of ['journal', 'admin']) {
      const db = new DatabaseSync(debian.path(`/var/lib/throughway/${name}.sqlite`));
      db.exec('PRAGMA user_version = 999');
      db.close();
    }
    must('dpkg', '--install', bringInside(deb));
    starts.push(await debian.startService());
    // What else runs on the machine can only make it later.
    claim(Math.min(...starts) < MOST_READY_MS, `of ${starts.join(', ')} ms one is below ${MOST_READY_MS} ms`);
    const { problems } = JSON.parse(must('throughway', 'status', '--json')) as { problems: string[] };
    claimEqual(
      problems.map((one) => /^The .* is of a newer Throughway .* left is in use again\.$/.test(one)),
      [true, true],
      `what it says of both databases: ${problems.join(' ')}`,
    );
    must('test', '-s', '/var/lib/throughway/admin.newer.sqlite');
    const fresh = sessions.filter((session) => session.protocol === 'ipsec');
    for (const session of fresh) await session.connect();
    return during(fresh, Promise.resolve());
  },
);
await step('purging it leaves no file, table, user or setting', async () => {
  await debian.start('dpkg', '--purge', 'throughway');
  await debian.waitForEnd();
  const after = traces();
  for (const [what, found] of Object.entries(before)) {
    if (Array.isArray(found) && what === 'files')
      claimEqual(
        (after[what] as string[]).filter((one) => !found.includes(one)),
        [],
        'files left over',
      );
    claimEqual(after[what], found, what);
  }
});

if (image !== '')
  await step("a container has two devices' sessions through it, and is exchanged under traffic", () =>
    playContainer(household, sessions, image),
  );

// The daemon of the sources, which is the same: what is tried is what the others do to it.
if (failed === 0) await household.daemon.start();
const fortified = new Installed(household.gateway, withFirewalls, '/run/fortified');
for (const firewall of BESIDE)
  await step(`beside ${firewall.name}: it is in the way, and what the manual says lets VPNs pass`, () =>
    playBeside(
      firewall,
      fortified,
      household,
      sessions.filter(({ device }) => device === household.device),
    ),
  );

if (failed > 0) process.stdout.write(`--- log of the installed daemon\n${debian.log}\n`);
await household.close();
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);
