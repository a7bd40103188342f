// The package under a real systemd: a Debian of its own boots in a container of systemd-nspawn with a network of
// its own, installs the package, is set up, and says how it went. Here the unit's whole sandbox is in force,
// which the household test (installed.ts) cannot have.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readExamples } from '../lab/examples.ts';
import { claim, claimEqual, Disproved } from '../lab/wait.ts';
import { ROOT } from './build.ts';
import { CannotPlay } from './cannot-play.ts';

/** What runs inside as soon as the system is up; each answer is a file below /result. */
const SCRIPT = `#!/bin/bash
set -x
exec 2>/result/trace
for side in wan lan; do
  ip link add \${side}0 type veth peer name \${side}1
  ip link set \${side}0 up
  ip link set \${side}1 up
done
ip address add 198.51.100.2/24 dev wan0
ip route add default via 198.51.100.1
ip address add 192.168.1.1/24 dev lan0
# Sooner than in earnest, so that the test need not wait for half a minute.
mkdir -p /etc/systemd/system/throughway.service.d
printf '[Service]\\nWatchdogSec=2\\n' > /etc/systemd/system/throughway.service.d/test.conf
# What the manual says, from a folder that has the package where the manual has it.
typed() { timeout 10 bash -c "$1" > /result/said 2>&1; echo "$? $1" >> /result/manual; cat /result/said >&2; }
export DEBIAN_FRONTEND=noninteractive
mkdir -p /root/dist && cp /result/throughway.deb /root/dist/throughway_VERSION_amd64.deb && cd /root
while read -r line; do typed "$line"; done < /result/lines-install
systemctl is-active throughway > /result/before
# On a terminal, with the proposals and without dnsmasq; then the terminal is gone before anybody confirms.
printf '\\n\\nn\\ny\\n' | script --quiet --return --command 'throughway setup' /dev/null > /result/questions
{ nft list tables; ls /etc/throughway; cat /proc/sys/net/ipv4/ip_forward; systemctl is-enabled throughway; } > /result/taken-back
throughway setup --lan lan0 --yes > /result/setup
systemctl is-active throughway > /result/after
throughway status --json > /result/status
throughway disable pptp > /result/switch
grep pptp: /etc/throughway/config.yaml > /result/config
cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/lan0/accept_local > /result/settings
cat /proc/$(systemctl show --property MainPID --value throughway)/status > /result/process
while read -r line; do typed "$line"; done < /result/lines-running
systemctl reload throughway
sleep 5
systemctl show --property NRestarts --property ActiveState --property Result throughway > /result/watchdog
systemctl stop throughway
while read -r line; do typed "$line"; done < /result/lines-start
systemctl is-active throughway > /result/started
systemctl restart throughway && systemctl is-active throughway > /result/restart
throughway logs --lines 100 > /result/logs
systemd-analyze security --no-pager throughway.service > /result/security
while read -r line; do typed "yes | $line"; done < /result/lines-remove
systemctl list-unit-files throughway.service --no-legend > /result/units
{ nft list tables; getent passwd throughway; ls -d /etc/throughway /var/lib/throughway /run/throughway; } > /result/left
cat /proc/sys/net/ipv4/ip_forward > /result/forward
touch /result/done
`;

/** As the manual names the package's file. */
const { version: VERSION } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  version: string;
};

/** At most this by \`systemd-analyze security\`. */
const MOST_EXPOSED = 3.0;

/** Lines of the manual that need an installed package, when they are typed. */
const LINES = {
  install: /^sudo apt-get install /,
  running: /^(sudo systemctl (?!start)|sudo throughway logs|apt-cache show )/,
  start: /^sudo systemctl start /,
  remove: /^sudo apt-get (remove|purge) /,
};

function typedLines(lines: RegExp): string[] {
  const typed = readExamples(ROOT).flatMap(({ text }) =>
    lines.test(text) ? [text.replace(/^sudo /, '')] : [],
  );
  claim(typed.length > 0, `the manual has lines of ${lines.source}`);
  return typed;
}

/** Why it cannot be played here, or null. */
export function bootForbidden(): string | null {
  if (spawnSync('systemd-nspawn', ['--version']).error)
    return 'systemd-nspawn is not installed (apt-get install systemd-container)';
  return null;
}

/** Boots, looks and throws Disproved; returns a word on what was found. */
export function playUnderSystemd(archive: string, deb: string, folder: string): string {
  const result = join(folder, 'result');
  mkdirSync(result, { recursive: true });
  copyFileSync(deb, join(result, 'throughway.deb'));
  writeFileSync(join(result, 'play'), SCRIPT.replace('VERSION', VERSION), { mode: 0o755 });
  writeFileSync(
    join(result, 'play.service'),
    '[Unit]\nAfter=network.target\n[Service]\nType=oneshot\nExecStart=/result/play\nExecStopPost=/bin/systemctl poweroff --force\n',
  );
  for (const [name, lines] of Object.entries(LINES))
    writeFileSync(
      join(result, `lines-${name}`),
      typedLines(lines)
        .map((line) => `${line}\n`)
        .join(''),
    );
  const root = join(folder, 'root');
  mkdirSync(root);
  // All of it on a file system of its own, which vanishes with the container.
  const boot = `mount -t tmpfs tmpfs "${root}" && tar --extract --file "${archive}" --directory "${root}" --exclude='./dev/*' &&
mkdir -p "${root}/etc/systemd/system/multi-user.target.wants" &&
ln -s /result/play.service "${root}/etc/systemd/system/play.service" &&
ln -s /result/play.service "${root}/etc/systemd/system/multi-user.target.wants/play.service" &&
ln -sf /lib/systemd/system/multi-user.target "${root}/etc/systemd/system/default.target" &&
systemd-nspawn --directory="${root}" --bind="${result}:/result" --register=no --keep-unit --private-network --boot --console=pipe`;
  const ran = spawnSync('unshare', ['--mount', '--kill-child', '--fork', 'sh', '-c', boot], {
    encoding: 'utf8',
    timeout: 180_000,
  });
  const read = (name: string): string => {
    try {
      return readFileSync(join(result, name), 'utf8').trim();
    } catch {
      throw new Disproved(
        `there is no "${name}"; the system said: ${ran.stdout.slice(-2000)}${ran.stderr.slice(-500)}`,
      );
    }
  };
  // The package is not even touched before the script begins.
  if (!existsSync(join(result, 'trace')))
    throw new CannotPlay(`systemd-nspawn boots no system here (${ran.stderr.trim().slice(-300)})`);
  read('done');
  for (const line of read('manual').split('\n')) {
    // What follows the log is ended by the clock.
    const wanted = line.includes('--follow') ? '124' : '0';
    claim(line.startsWith(`${wanted} `), `what the manual has ends as it should: ${line}`);
  }
  claimEqual(read('before'), 'inactive', 'the service before it is set up');
  for (const part of [
    'wan0',
    'default route',
    '+  lan: [lan0]',
    'Type yes within 90 seconds',
    'Nobody confirmed',
  ])
    claim(read('questions').includes(part), `the questions have "${part}": ${read('questions')}`);
  claimEqual(
    read('taken-back').split('\n'),
    ['0', 'disabled'],
    'what is left of a setup that nobody confirmed',
  );
  claimEqual(read('after'), 'active', 'the service after it');
  claim(read('setup').includes('The gateway runs.'), `setup says: ${read('setup')}`);
  const { problems } = JSON.parse(read('status')) as { problems: string[] };
  claimEqual(problems, [], 'problems');
  claim(read('config').startsWith('pptp: disabled'), `the switch is in the file: ${read('config')}`);
  claimEqual(read('settings').split('\n'), ['1', '1'], 'the kernel settings');
  const process = read('process');
  claim(!/^Uid:\s+0\b/m.test(process), 'the daemon is not root');
  // CAP_NET_BIND_SERVICE, CAP_NET_ADMIN and CAP_NET_RAW are 10, 12 and 13.
  for (const set of ['CapPrm', 'CapEff', 'CapBnd'])
    claim(new RegExp(`^${set}:\\s+0*3400$`, 'm').test(process), `${set} has three capabilities: ${process}`);
  claim(/^Seccomp:\s+2$/m.test(process), 'system calls are filtered');
  claimEqual(
    read('watchdog').split('\n').sort(),
    ['ActiveState=active', 'NRestarts=0', 'Result=success'],
    'what the watchdog of two seconds says after five',
  );
  claimEqual(read('started'), 'active', 'the service that is started as the manual says');
  claimEqual(read('restart'), 'active', 'the service after a restart');
  claim(/ info +ready /.test(read('logs')), `the log is shown: ${read('logs')}`);
  const exposure = Number(/level for \S+: ([\d.]+)/.exec(read('security'))?.[1]);
  claim(exposure <= MOST_EXPOSED, `the exposure is ${exposure}`);
  claimEqual([read('units'), read('left'), read('forward')], ['', '', '0'], 'what a purge leaves');
  const resident = Number(/^VmRSS:\s+(\d+)/m.exec(process)?.[1]) / 1000;
  return `exposure ${exposure}, ${resident.toFixed(0)} MB resident`;
}
