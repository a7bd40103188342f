// The gateway beside ufw, Docker and firewalld of Debian, in the lab's household: each first keeps the VPNs from
// connecting, and then lets them pass when what the manual says of it (docs/beside-a-firewall.md) is typed.
import { examplesOn, type Example } from '../lab/examples.ts';
import type { DemoSession } from '../lab/demo-sessions.ts';
import type { Household } from '../lab/topologies/household.ts';
import { claim, claimEqual, until } from '../lab/wait.ts';
import { ROOT } from './build.ts';
import { CannotPlay } from './cannot-play.ts';
import type { Installed } from './installed.ts';

/** What is installed beside Debian's own. */
export const FIREWALLS = ['dbus', 'firewalld', 'iproute2', 'iptables', 'nftables', 'ufw'];

interface Firewall {
  readonly name: string;
  /** Its lines in the manual. */
  readonly lines: RegExp;
  /** Resolves when it is in force; what it returns ends it. */
  readonly start: (debian: Installed) => Promise<() => void>;
}

export const BESIDE: readonly Firewall[] = [
  {
    name: 'ufw',
    lines: /^sudo ufw /,
    start: async (debian) => {
      must(debian, 'ufw --force enable');
      return () => must(debian, 'ufw --force disable');
    },
  },
  {
    name: "Docker's chains",
    lines: /^sudo iptables /,
    // As Docker makes them, whether or not a container runs.
    start: async (debian) => {
      must(
        debian,
        'iptables -P FORWARD DROP; iptables -N DOCKER-USER; iptables -A DOCKER-USER -j RETURN; iptables -I FORWARD -j DOCKER-USER',
      );
      return () => undefined;
    },
  },
  {
    name: 'firewalld',
    lines: /^sudo firewall-cmd /,
    start: async (debian) => {
      must(debian, 'mkdir --parents /run/dbus; rm --force /run/dbus/pid');
      const running = [debian.launch('dbus-daemon', '--system', '--nofork', '--nopidfile')];
      await until('the bus', () => debian.run('test', '-S', '/run/dbus/system_bus_socket').status === 0);
      running.push(debian.launch('firewalld', '--nofork', '--nopid'));
      await until('firewalld', () => debian.run('firewall-cmd', '--state').status === 0, 30_000);
      return () => {
        for (const child of running.toReversed()) child.kill('SIGKILL');
      };
    },
  },
];

/** Throws Disproved; returns how many lines were typed. */
export async function playBeside(
  { name, lines, start }: Firewall,
  debian: Installed,
  household: Household,
  sessions: readonly DemoSession[],
): Promise<string> {
  const examples: Example[] = examplesOn(ROOT, 'docs/beside-a-firewall.md').filter(({ text }) =>
    lines.test(text),
  );
  claim(examples.length > 0, `the manual has lines for ${name}`);
  const end = await start(debian).catch((error: unknown) => {
    throw new CannotPlay(error instanceof Error ? error.message : String(error));
  });
  try {
    const refused: string[] = [];
    for (const session of sessions)
      await session.connect().catch(() => {
        refused.push(session.protocol);
      });
    claim(refused.length > 0, `${name} is in the way before anything is typed`);
    for (const { text } of examples)
      must(
        debian,
        text
          .replace(/^sudo /, '')
          .replaceAll('eth0', 'wan0')
          .replaceAll('eth1', 'lan0'),
      );
    for (const session of sessions) {
      await session.connect();
      const before = session.arrived();
      for (let round = 0; round < 5; round += 1) session.send();
      await until(`five packets each way of ${session.protocol} beside ${name}`, () => {
        const { up, down } = session.arrived();
        return up - before.up === 5 && down - before.down === 5;
      });
    }
  } finally {
    end();
    for (const family of ['ip', 'ip6'])
      for (const table of ['filter', 'nat', 'mangle', 'raw'])
        debian.run('nft', 'delete', 'table', family, table);
    debian.run('nft', 'delete', 'table', 'inet', 'firewalld');
  }
  claimEqual(
    household.gateway.run('nft', ['list', 'tables']),
    'table inet throughway\n',
    `what ${name} leaves`,
  );
  return `${examples.length} lines typed`;
}

function must(debian: Installed, line: string): void {
  const ran = debian.run('sh', '-e', '-c', line);
  claim(ran.status === 0, `"${line}" succeeds: ${ran.stdout}${ran.stderr}`);
}
