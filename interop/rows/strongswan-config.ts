// What all strongSwan rows share: the charon daemon with a swanctl configuration, by user-space ESP
// (kernel-libipsec, cells) or by the kernel's (User-Mode Linux), and its commands.
import { claim, Disproved, until } from '../../lab/wait.ts';
import type { Machine } from '../machine.ts';

export const SERVER_INSIDE = '10.99.0.1';
export const PSK = 'a secret of the household';

/** Lines of each section of the one connection; what is not said is strongSwan's own. */
interface Sections {
  readonly home: readonly string[];
  readonly local?: readonly string[];
  readonly remote?: readonly string[];
  readonly child: readonly string[];
  /** More sections beside `local` and `remote`. */
  readonly more?: string;
}

/** `swanctl.conf` with the connection `home` and its child `net`. */
export function renderConnection(version: 1 | 2, sections: Sections): string {
  const render = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');
  return `connections {
home {
version = ${version}
proposals = aes128-sha256-modp2048, aes128-sha1-modp1024
dpd_delay = 60s
${render(sections.home)}
local {
auth = psk
${render(sections.local ?? [])}}
remote {
auth = psk
${render(sections.remote ?? [])}}
${sections.more ?? ''}
children {
net {
esp_proposals = aes128-sha256, aes128-sha1
${render(sections.child)}}
}
}
}
`;
}

/** `strongswan.conf` for charon-systemd; its log goes to stderr. */
function strongswanConf(isUserSpace: boolean): string {
  return `
charon-systemd {
  load_modular = yes
  install_routes = ${isUserSpace ? 'yes' : 'no'}
  retransmit_timeout = 2
  retransmit_base = 1.3
  i_dont_care_about_security_and_use_aggressive_mode_psk = yes
  filelog {
    stderr {
      default = 1
      flush_line = yes
    }
  }
  plugins {
    include strongswan.d/charon/*.conf
    kernel-libipsec { load = ${isUserSpace ? 'yes' : 'no'}; allow_peer_ts = yes }
    bypass-lan { load = no }
    dhcp { load = no }
    farp { load = no }
  }
}
include strongswan.d/*.conf
`.replaceAll(/\{ (load = \w+)(?:; (\w+ = \w+))? \}/g, (_, first: string, second?: string) =>
    second === undefined ? `{\n ${first}\n}` : `{\n ${first}\n ${second}\n}`,
  );
}

/** Starts charon with the given connections; they are loaded and ready when it resolves. */
export async function startCharon(
  machine: Machine,
  isUserSpace: boolean,
  swanctl: string,
  moreSecrets = '',
): Promise<void> {
  machine.put('/etc/strongswan.conf', strongswanConf(isUserSpace));
  machine.put(
    '/etc/swanctl/swanctl.conf',
    `${swanctl}\nsecrets {\n ike-all {\n  secret = "${PSK}"\n }\n${moreSecrets}}\n`,
  );
  await machine.start('charon', 'charon-systemd');
  await machine.run(
    'until swanctl --stats > /dev/null 2>&1; do sleep 0.1; done; swanctl --load-all --noprompt',
    60_000,
  );
}

export interface ChildSa {
  readonly inbound: string;
  readonly outbound: string;
  readonly state: string;
}

/** The CHILD_SAs that are installed, oldest first. */
export async function listChildren(machine: Machine): Promise<ChildSa[]> {
  const raw = await machine.run('swanctl --list-sas --raw');
  return [...raw.matchAll(/state=(\w+) mode=\w+ .*?spi-in=(\w+) spi-out=(\w+)/g)].map(
    ([, state, inbound, outbound]) => ({ state: state!, inbound: inbound!, outbound: outbound! }),
  );
}

/** Runs a command for every device, and resolves when every one has a new SPI (IKEv1 keeps the old one for a while). */
export async function renew(
  devices: readonly Machine[],
  command: (device: Machine, index: number) => Promise<void>,
): Promise<void> {
  const spis = async (): Promise<string[][]> =>
    Promise.all(devices.map(async (device) => (await listChildren(device)).map(({ inbound }) => inbound)));
  const before = await spis();
  claim(
    before.every((one) => one.length > 0),
    'every device has a CHILD_SA',
  );
  await Promise.all(devices.map((device, index) => command(device, index)));
  await until(
    'a new SPI on every device',
    async () => (await spis()).every((one, index) => one.some((spi) => !before[index]!.includes(spi))),
    30_000,
  );
}

/** Initiates; throws with charon's words. */
export async function initiate(device: Machine, child: string): Promise<void> {
  const { status, output } = await device.attempt(`swanctl --initiate --child ${child} --timeout 25`, 40_000);
  if (status !== 0) throw new Disproved(`${device.name} could not initiate: ${output.trim().slice(-600)}`);
}
