// The manual's single port with VLANs, typed in a machine with a kernel of its own: Debian's User-Mode Linux, since the
// kernel at hand may have no VLANs. That kernel has VLANs and no tables of the family "inet", so setup is typed there
// as well: it must see the VLANs, and say what is missing. The lab (M3) plays it on interfaces of the same names.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { examplesOn } from '../lab/examples.ts';
import { claim, claimEqual, Disproved } from '../lab/wait.ts';
import { ROOT } from './build.ts';
import { CannotPlay } from './cannot-play.ts';
import { bringDebian } from './installed.ts';

const PAGE = 'docs/single-port.md';
const FOLDER = '/vlans';

/** The first process of the machine; each answer is a file below /vlans. */
const INIT = `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t tmpfs run /run && mount -t tmpfs tmp /tmp
[ -e /dev/null ] || mount -t devtmpfs dev /dev
exec >> ${FOLDER}/trace 2>&1
typed() { sh -e -c "$1" > ${FOLDER}/said 2>&1; echo "$? $1" >> ${FOLDER}/typed; cat ${FOLDER}/said; }
# As on a machine whose modules were not installed with its kernel.
echo /bin/false > /proc/sys/kernel/modprobe
throughway setup --dry-run --wan lo --lan lo > ${FOLDER}/bare 2>&1
echo "ended with $?" >> ${FOLDER}/bare
echo /sbin/modprobe > /proc/sys/kernel/modprobe
modprobe --all veth nfnetlink nf_tables nft_ct nf_conntrack || exit
# What Debian's User-Mode Linux has no module of must be said by modprobe, and the others be there.
while read -r line; do sh -c "$line" > ${FOLDER}/modprobe 2>&1; done < ${FOLDER}/modules
cat /proc/modules > ${FOLDER}/loaded
ip link set lo up
ip link add eth0 type veth peer name switch
ip link set switch up
ip link set eth0 up
echo booted
while read -r line; do typed "$line"; done < ${FOLDER}/lines
cat /proc/net/vlan/config > ${FOLDER}/vlans
ip route add default dev eth0.10
throughway setup --dry-run --wan eth0.10 --lan eth0.20 > ${FOLDER}/plan 2> ${FOLDER}/plan-errors
while read -r line; do typed "$line --yes"; done < ${FOLDER}/setup
ls /etc/throughway > ${FOLDER}/left
touch ${FOLDER}/done
poweroff -f
`;

/** Debian's User-Mode Linux as an archive, fetched once. */
export function bringKernel(): Promise<string> {
  return bringDebian({ packages: ['user-mode-linux'], variant: 'extract' });
}

/** Throws Disproved or CannotPlay; resolves to a word on what was found. */
export async function playVlans(archive: string, deb: string, folder: string): Promise<string> {
  const kernel = await bringKernel();
  const answers = join(folder, 'answers');
  for (const one of [answers, join(folder, 'root'), join(folder, 'state')])
    mkdirSync(one, { recursive: true });
  const lines = examplesOn(ROOT, PAGE).map(({ text }) => text.replace(/^sudo /, ''));
  const setup = lines.filter((line) => line.startsWith('throughway setup '));
  const typed = lines.filter((line) => line.startsWith('ip '));
  claim(typed.length >= 5 && setup.length === 1, `${PAGE} has lines to type`);
  const write = (name: string, wanted: readonly string[]): void =>
    writeFileSync(join(answers, name), wanted.map((line) => `${line}\n`).join(''));
  write('lines', typed);
  write('setup', setup);
  const [loading = ''] = examplesOn(ROOT, 'docs/virtual-machines.md').flatMap(({ text }) =>
    text.startsWith('sudo modprobe ') ? [text.replace(/^sudo /, '')] : [],
  );
  write('modules', [loading]);
  writeFileSync(join(answers, 'init'), INIT, { mode: 0o755 });
  // Its root vanishes with the mount namespace, but for the folder of the answers.
  const script = `cd "${folder}" && mount -t tmpfs tmpfs root &&
tar --extract --file "${archive}" --directory root --exclude='./dev/*' &&
tar --extract --file "${kernel}" --directory root ./usr/bin/linux.uml ./usr/lib/uml &&
dpkg-deb --fsys-tarfile "${deb}" | tar --extract --keep-directory-symlink --directory root &&
mkdir root${FOLDER} && mount --bind answers root${FOLDER} && ln -s /usr/lib/uml/modules root/usr/lib/modules &&
exec root/usr/bin/linux.uml mem=512M umid=vlans uml_dir="${folder}/state/" con=null con0=fd:0,fd:1 ssl=null quiet \\
  root=/dev/root rootfstype=hostfs rootflags="${folder}/root" rw panic=1 init=${FOLDER}/init`;
  const ran = spawnSync(
    'unshare',
    ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', script],
    { encoding: 'utf8', timeout: 120_000 },
  );
  const read = (name: string): string => {
    const path = join(answers, name);
    if (!existsSync(path)) throw new Disproved(`there is no "${name}"; the machine said: ${read('trace')}`);
    return readFileSync(path, 'utf8').trim();
  };
  if (!existsSync(join(answers, 'trace')) || !/^booted$/m.test(read('trace')))
    throw new CannotPlay(
      `User-Mode Linux boots no machine here (${`${ran.stdout}${ran.stderr}`.trim().slice(-300)})`,
    );
  read('done');
  claim(
    /^throughway: This kernel cannot be asked about its firewall .*\nended with 1$/.test(read('bare')),
    `setup on a kernel without netfilter's modules says: ${read('bare')}`,
  );
  const ends = read('typed').split('\n');
  claimEqual(
    ends.slice(0, typed.length),
    typed.map((line) => `0 ${line}`),
    'how the lines ended',
  );
  for (const name of ['eth0.10', 'eth0.20'])
    claim(new RegExp(`^${name} .*\\| eth0$`, 'm').test(read('vlans')), `${name} is a VLAN: ${read('vlans')}`);
  for (const part of ['+  wan: eth0.10 ', '+  lan: [eth0.20] ', '+net/ipv4/conf/eth0.20/accept_local = 1'])
    claim(read('plan').includes(part), `the plan has "${part}": ${read('plan')}`);
  claimEqual(ends.at(-1), `1 ${setup[0]} --yes`, 'the end of setup on a kernel without inet tables');
  claim(
    read('trace').includes('nf_tables with the "inet" family is missing'),
    `setup says what is missing: ${read('trace')}`,
  );
  claimEqual(read('left'), '', 'what is left of it');
  // Each module that the manual names is loaded, or is one that this kernel has not (inet tables, and what goes with them).
  const names = loading.split(' ').slice(2);
  const loaded = names.filter((name) => new RegExp(`^${name} `, 'm').test(read('loaded')));
  const absent = names.filter((name) => new RegExp(`Module ${name} not found`).test(read('modprobe')));
  claimEqual(
    [...loaded, ...absent].toSorted(),
    names.toSorted(),
    `what "${loading}" loads, and what it misses`,
  );
  claim(loaded.length > absent.length, `most are there: ${loaded.join(' ')}`);
  return `${typed.length} lines typed, and setup says what that kernel lacks`;
}
