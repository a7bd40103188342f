// The manual's examples, typed into a shell on the gateway as they stand there (examples.ts). The shell has the
// places of an installed gateway: /etc/throughway, /var/lib/throughway and the socket below /run.
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { demoSessions } from '../demo-sessions.ts';
import { examplesOn, isSettingUp, readExamples, typedLine, whyNotHere, type Example } from '../examples.ts';
import { runTool } from '../namespaces.ts';
import { scenario, type Scenario } from '../scenario.ts';
import type { Household } from '../topologies/household.ts';
import { claim, claimEqual, until } from '../wait.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SHELL = '/run/manual';
const CONFIG = '/etc/throughway/config.yaml';
/** The first page of the second half: a play may take a minute. */
const HALF = 'docs/install.md';
/** Beyond it a command that was meant to end hangs. */
const PATIENCE_MS = 30_000;

/** What is typed and how it ends, where that is not with status 0. */
const ENDS: readonly {
  readonly lines: RegExp;
  readonly statuses: readonly number[];
  readonly why: string;
}[] = [
  { lines: /^(sudo )?throughway doctor/, statuses: [0, 1, 2], why: 'says by its status what it found' },
  { lines: /^(sudo )?throughway confirm$/, statuses: [0, 1], why: 'there may be nothing to keep' },
  { lines: /first-code$/, statuses: [0, 1], why: 'there is none once there is an account' },
  { lines: /^throughway revert$/, statuses: [0, 1], why: 'there may be nothing to take back' },
];

/** Those that go on until they are stopped, and what they show when they work. */
const GOES_ON: readonly { readonly lines: RegExp; readonly shows: RegExp }[] = [
  { lines: /^throughway reflector$/, shows: /Open until/ },
  { lines: /^throughway sessions --watch$/, shows: /DEVICE/ },
  { lines: /^(sudo )?throughway run/, shows: /info +ready / },
];

export const manualScenarios: readonly Scenario[] = [
  scenario(
    'M1',
    'every command of the first pages of the manual, typed as it stands there',
    (household) => typeAll(household, ({ page }) => page < HALF),
    { running: false },
  ),
  scenario(
    'M2',
    'every command of the other pages',
    (household) => typeAll(household, ({ page }) => page >= HALF),
    { running: false },
  ),

  scenario(
    'M3',
    'every setup with flags in the manual, and what must be typed before it',
    async (household) => {
      const places = new InstalledPlaces(household);
      household.gateway.ip('link set wan0 down name eth0', 'link set lan0 down name eth1');
      household.gateway.ip('link set eth0 up', 'link set eth1 up', 'route replace default via 198.51.100.1');
      for (const pair of ['eth2', 'ens5', 'ens6'])
        household.gateway.ip(`link add ${pair} type veth peer name ${pair}-far`);
      const examples = readExamples(ROOT).filter((one) => whyNotHere(one) === null && isSettingUp(one));
      const isVlanMade = ({ text }: Example): boolean => / type vlan /.test(text);
      const hasVlans = places.hasVlans();
      if (!hasVlans) {
        // The rest of that page is played on other interfaces of these names: a name with a dot is what can go wrong.
        for (const name of ['eth0.10', 'eth0.20'])
          household.gateway.ip(`link add ${name} type veth peer name ${name}-far`);
        const left = examples.filter(isVlanMade).map(({ text }) => `"${text}"`);
        process.stdout.write(
          `left out  of M3 ${left.join(' and ')}: this kernel has no VLANs (8021q); package:test types them\n`,
        );
      }
      for (const example of examples) {
        if (!hasVlans && isVlanMade(example)) continue;
        rmSync(CONFIG, { force: true });
        if (/ setup (?!.*--(yes|dry-run))/.test(example.text)) await places.agree(example);
        else await places.play(example);
        if (/ setup (?!.*--dry-run)/.test(example.text)) {
          const checked = await places.type(`throughway check-config ${CONFIG}`);
          claimEqual(checked.status, 0, `what "${example.text}" wrote is in order: ${checked.said}`);
        }
      }
      claim(places.played >= 3, `${places.played} examples were played`);
    },
    { running: false },
  ),

  scenario(
    'M4',
    "on interfaces named as VLANs are, set up as the manual says, every device's sessions pass",
    async (household) => {
      const places = new InstalledPlaces(household);
      household.gateway.ip('link set wan0 down name eth0.10', 'link set lan0 down name eth0.20');
      household.gateway.ip(
        'link set eth0.10 up',
        'link set eth0.20 up',
        'route replace default via 198.51.100.1',
      );
      const [setup] = examplesOn(ROOT, 'docs/single-port.md').filter(({ text }) => / setup /.test(text));
      claim(setup !== undefined, 'the manual has a setup on VLANs');
      await places.agree(setup);
      household.daemon.configPath = CONFIG;
      await household.daemon.start();
      for (const session of demoSessions(household)) {
        await session.connect();
        for (let round = 0; round < 5; round += 1) session.send();
        await until(`five packets each way of ${session.protocol}`, () => {
          const { up, down } = session.arrived();
          return up >= 5 && down >= 5;
        });
      }
      const settings = household.gateway.run('cat', ['/proc/sys/net/ipv4/conf/eth0.20/accept_local']);
      claimEqual(settings.trim(), '1', 'the setting of the LAN interface');
    },
    { running: false },
  ),
];

/** Those that a gateway that runs understands; what takes it down or starts another one comes last. */
async function typeAll(household: Household, isHere: (example: Example) => boolean): Promise<void> {
  const places = new InstalledPlaces(household);
  household.daemon.configPath = CONFIG;
  places.writeConfig();
  await household.daemon.start();
  for (const session of demoSessions(household)) await session.connect();
  const examples = readExamples(ROOT).filter(
    (one) => isHere(one) && whyNotHere(one) === null && !isSettingUp(one),
  );
  const isLast = ({ text }: Example): boolean => /throughway (down|run)\b/.test(text);
  for (const example of examples.filter((one) => !isLast(one))) await places.play(example);
  await household.daemon.signal('SIGTERM');
  for (const example of examples.filter(isLast)) await places.play(example);
  claim(places.played > 15, `${places.played} examples were played`);
}

/** A shell on the gateway, with /etc and /var/lib of its own. */
class InstalledPlaces {
  readonly #household: Household;
  played = 0;

  constructor(household: Household) {
    this.#household = household;
    for (const folder of [`${SHELL}/bin`, `${SHELL}/work`, `${SHELL}/etc`])
      mkdirSync(folder, { recursive: true });
    runTool('cp', ['--archive', '/etc/.', `${SHELL}/etc`]);
    runTool('mount', ['--bind', `${SHELL}/etc`, '/etc']);
    runTool('mount', ['-t', 'tmpfs', 'tmpfs', '/var/lib']);
    household.onClose(() => {
      runTool('umount', ['/etc']);
      runTool('umount', ['/var/lib']);
      rmSync(SHELL, { recursive: true, force: true });
    });
    mkdirSync('/etc/throughway', { recursive: true });
    symlinkSync(household.daemon.stateDir, '/var/lib/throughway');
    writeFileSync('/etc/hosts', '127.0.0.1 localhost\n203.0.113.1 vpn.example.org\n');
    symlinkSync(`${ROOT}/bin/throughway`, `${SHELL}/bin/throughway`);
    writeFileSync(`${SHELL}/bin/sudo`, '#!/bin/sh\nexec "$@"\n');
    chmodSync(`${SHELL}/bin/sudo`, 0o755);
    writeFileSync(`${SHELL}/work/password.txt`, 'several words of your own\n');
  }

  writeConfig(): void {
    const text =
      'version: 1\ninterfaces: { wan: wan0, lan: [lan0] }\nweb: { listen: ["lan:80"], tls_listen: [] }\n';
    writeFileSync(CONFIG, text);
    writeFileSync(`${SHELL}/work/new.yaml`, `${text}timeouts: { esp_seconds: 1800 }\n`);
  }

  hasVlans(): boolean {
    try {
      this.#household.gateway.ip(
        'link add link eth0 name vlan-trial type vlan id 4000',
        'link delete vlan-trial',
      );
      return true;
    } catch {
      return false;
    }
  }

  async play(example: Example): Promise<void> {
    const line = typedLine(example);
    const what = `"${example.text}" of ${example.page}`;
    const goesOn = GOES_ON.find(({ lines }) => lines.test(example.text));
    if (goesOn) {
      await this.#watch(line, goesOn.shows, what);
    } else {
      const { status, said } = await this.type(line);
      const wanted = ENDS.find(({ lines }) => lines.test(example.text))?.statuses ?? [0];
      claim(
        wanted.includes(status),
        `${what} ends with ${wanted.join(' or ')}; it ended with ${status}: ${said}`,
      );
    }
    this.played += 1;
  }

  /** On a terminal, where it asks: without dnsmasq, and yes to the plan. */
  async agree(example: Example): Promise<void> {
    const child = this.#start(onTerminal(typedLine(example)));
    const asked = (question: RegExp): Promise<unknown> =>
      until(
        `${example.text} to ask ${question.source}`,
        () => question.test(child.said),
        PATIENCE_MS,
        () => child.said,
      );
    await asked(/dnsmasq\? \[y\/N\]|Do this\?/);
    if (!child.said.includes('Do this?')) child.answer('n\n');
    await asked(/Do this\?/);
    child.answer('y\n');
    await until(
      `"${example.text}" to end`,
      () => child.status !== null,
      PATIENCE_MS,
      () => child.said,
    );
    claimEqual(child.status, 0, `the end of "${example.text}": ${child.said}`);
    this.played += 1;
  }

  /** Types a line and waits for its end. */
  async type(line: string): Promise<{ status: number; said: string }> {
    const child = this.#start(['bash', '-e', '-o', 'pipefail', '-c', line]);
    await until(
      `"${line}" to end`,
      () => child.status !== null,
      PATIENCE_MS,
      () => child.said,
    );
    return { status: child.status ?? 1, said: child.said };
  }

  /** On a terminal, until it shows what it is to show. */
  async #watch(line: string, shows: RegExp, what: string): Promise<void> {
    const child = this.#start(onTerminal(line));
    await until(
      `${what} to show ${shows.source}`,
      () => shows.test(child.said),
      PATIENCE_MS,
      () => child.said,
    );
    // As a person ends it.
    child.answer('\u0003');
    await until(
      `${what} to end`,
      () => child.status !== null,
      PATIENCE_MS,
      () => child.said,
    );
  }

  #start(command: readonly string[]): {
    status: number | null;
    said: string;
    answer: (text: string) => void;
  } {
    const args = ['netns', 'exec', 'gateway', 'setpriv', '--pdeathsig', 'KILL', ...command];
    const child = spawn('ip', args, {
      cwd: `${SHELL}/work`,
      env: {
        ...process.env,
        PATH: `${SHELL}/bin:${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`,
        TOKEN: this.#token,
        TERM: 'xterm',
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const state = {
      status: null as number | null,
      said: '',
      answer: (text: string) => child.stdin.write(text),
    };
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        state.said += chunk.toString();
        // As whoever copies the token that is shown once.
        this.#token = /\btw_\S+/.exec(state.said)?.[0] ?? this.#token;
      });
    child.once('close', (status) => {
      state.status = status ?? 1;
    });
    return state;
  }

  #token = '';
}

function onTerminal(line: string): string[] {
  const sized = `stty rows 40 cols 120; ${line}`;
  return ['script', '--quiet', '--return', '--flush', '--command', sized, '/dev/null'];
}
