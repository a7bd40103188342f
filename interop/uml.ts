// A machine with a kernel of its own: Debian's User-Mode Linux, for what the machine at hand may have no
// kernel modules for (PPP, PPTP, L2TP, ESP). Its root is the overlay through hostfs, its network a TAP
// device bridged to the cable of its host, and commands go in and come out by its console. It ends with
// the process that made it.
import type { ChildProcess } from 'node:child_process';
import { ADDRESSES, type Host } from '../lab/topologies/household.ts';
import { Disproved, until } from '../lab/wait.ts';
import { Machine, type Outcome } from './machine.ts';
import { treePath, type TreeName } from './trees.ts';

const MEMORY_MB = 128;
/** Several times what it takes on a busy machine. */
const BOOT_MS = 45_000;
const BOOT_ATTEMPTS = 3;

/** Loaded before anything asks for them: the first SA would wait for modprobe, seconds on a busy machine. */
const MODULES = [
  'af_key af_packet tun',
  'ppp_generic ppp_async ppp_synctty ppp_mppe ppp_deflate bsd_comp pppox pptp gre l2tp_core l2tp_ppp',
  'xfrm_user xfrm4_tunnel esp4 ah4 ansi_cprng cbc ctr gcm hmac authenc echainiv seqiv',
  'aes_generic des_generic sha1_generic sha256_generic sha512_generic md5 arc4',
].join(' ');

/** The kernel's better random generators gather entropy by timing, for seconds; ansi_cprng does instead. */
const SLOW_MODULES = 'install drbg /bin/false\ninstall jitterentropy_rng /bin/false\n';

/** The first process: reads one command a line from the console (`ID SECONDS BASE64`) and answers `ID STATUS BASE64`. */
const INIT = `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sys /sys
[ -e /dev/null ] || mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o mode=620,ptmxmode=666 pts /dev/pts
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mkdir -p /run/lock /lib/modules
ln -sfn /usr/lib/uml/modules/$(uname -r) /lib/modules/$(uname -r)
stty raw -echo
modprobe --all ${MODULES} 2>/dev/null
[ -e /dev/ppp ] || mknod /dev/ppp c 108 0
ip link set lo up
ip link set vec0 name eth0
ip address add $1/24 dev eth0
hostname $3
# Now and then its receiver does not wake up; once more helps.
for attempt in $(seq 30); do
  ip link set eth0 up
  ip route replace default via $2
  ping -n -q -c 1 -W 1 $2 > /dev/null && echo ready && break
  ip link set eth0 down
done
exec 3<&0
while read -r id patience command <&3; do
  (
    echo "$command" | base64 -d > /tmp/$id
    timeout -s KILL $patience sh /tmp/$id > /tmp/$id.out 2>&1 < /dev/null
    status=$?
    answer="$id $status $(base64 -w0 /tmp/$id.out)"
    rm -f /tmp/$id /tmp/$id.out
    echo "$answer"
  ) &
done &
# Reaps what others leave behind, for as long as the machine lives.
wait
`;

export class UserModeLinux extends Machine {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<string, (outcome: Outcome) => void>();
  #console = '';
  #rest = '';
  #serial = 0;

  private constructor(host: Host, tree: TreeName) {
    super(host, tree);
    this.put('/machine-init', INIT, 0o755);
    this.put('/etc/modprobe.d/machine.conf', SLOW_MODULES);
    const { namespace } = host;
    bridgeCable(host);
    this.#process = namespace.start(
      'setpriv',
      [
        // In a process namespace of its own, since it is many processes that must end together.
        ...['--pdeathsig', 'KILL', 'unshare', '--pid', '--fork', '--kill-child', '--mount-proc'],
        ...[`${treePath(tree)}/usr/bin/linux.uml`, `mem=${MEMORY_MB}M`],
        ...[
          `umid=${host.name}`,
          'uml_dir=/run/interop-uml/',
          'con=null',
          'con0=fd:0,fd:1',
          'ssl=null',
          'quiet',
        ],
        ...['root=/dev/root', 'rootfstype=hostfs', `rootflags=${this.root}`, 'rw', 'panic=1'],
        `vec0:transport=tap,ifname=tap0,mac=${macOf(host)}`,
        'init=/machine-init',
        ...['--', host.address, routerOf(host), host.name],
      ],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    this.#process.stdout!.on('data', (chunk: Buffer) => this.#take(chunk.toString()));
    this.#process.stderr!.on('data', (chunk: Buffer) => (this.#console += chunk.toString()));
  }

  /** One that shows no sign of life is ended and started anew, twice at the most; the output says so. */
  static async boot(host: Host, tree: TreeName): Promise<UserModeLinux> {
    for (let attempt = 1; ; attempt += 1) {
      const machine = new UserModeLinux(host, tree);
      try {
        await until(
          `${host.name} to boot`,
          () => /^ready\r?$/m.test(machine.#console),
          BOOT_MS,
          () => machine.#console.slice(-1500),
        );
        return machine;
      } catch (error) {
        machine.close();
        if (!(error instanceof Disproved) || attempt === BOOT_ATTEMPTS) throw error;
        process.stdout.write(
          `${host.name} is started anew (${attempt} of ${BOOT_ATTEMPTS - 1}): ${error.message}\n`,
        );
      }
    }
  }

  attempt(script: string, patienceMs = 30_000): Promise<Outcome> {
    this.#serial += 1;
    const id = `command${this.#serial}`;
    const seconds = Math.ceil(patienceMs / 1000);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        resolve({ status: 137, output: `no answer from the machine after ${seconds + 10} s` });
      }, patienceMs + 10_000);
      this.#waiting.set(id, (outcome) => {
        clearTimeout(timer);
        resolve(outcome);
      });
      this.#process.stdin!.write(`${id} ${seconds} ${Buffer.from(script).toString('base64')}\n`);
    });
  }

  override logs(): string {
    return `${super.logs()}\n--- console of ${this.name}\n${this.#console.split('\n').slice(-30).join('\n')}`;
  }

  protected end(): void {
    this.#process.kill('SIGKILL');
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) {
      const [, id, status, output] = /^(command\d+) (\d+) (\S*)\r?$/.exec(line) ?? [];
      const waiting = id === undefined ? undefined : this.#waiting.get(id);
      if (waiting === undefined) {
        this.#console += `${line}\n`;
        continue;
      }
      this.#waiting.delete(id!);
      waiting({ status: Number(status), output: Buffer.from(output ?? '', 'base64').toString() });
    }
  }
}

function routerOf(host: Host): string {
  return host.address.startsWith('192.168.') ? ADDRESSES.gatewayLan : ADDRESSES.ispNet;
}

/** The host's cable becomes the machine's: a bridge between it and a TAP device, new ones when it is started anew. */
function bridgeCable({ namespace }: Host): void {
  const links = namespace.run('ip', ['-brief', 'link']);
  namespace.ip(
    ...['tap0', 'br0'].flatMap((device) =>
      new RegExp(`^${device}\\b`, 'm').test(links) ? [`link delete ${device}`] : [],
    ),
    'address flush dev eth0',
    'link add br0 type bridge',
    'link set eth0 master br0',
    'tuntap add tap0 mode tap',
    'link set tap0 master br0',
    ...['eth0', 'tap0', 'br0'].map((device) => `link set ${device} up`),
  );
}

/** Never the cable's own, whose frames the bridge would keep for itself. */
function macOf({ address }: Host): string {
  const bytes = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  return ['02', '00', ...bytes].join(':');
}
