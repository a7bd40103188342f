// `npm start`: the gateway for real where there is a configuration, else the lab with a live table.
//   npm start                      the lab, or the gateway with /etc/throughway/config.yaml
//   npm start -- --once            the lab plays everything once and ends with a table and an exit status
//   npm start -- --config FILE     the gateway with this configuration (also --state-dir, --socket)
//   npm start -- --lab             the lab, also where there is a configuration
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { emitKeypressEvents } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { callDaemon } from '../src/cli/client.ts';
import { DEFAULTS } from '../src/cli/command.ts';
import { renderSessions } from '../src/cli/session-table.ts';
import { hasColours, paint } from '../src/cli/words.ts';
import { PROTOCOLS, type Protocol } from '../src/core/config/schema.ts';
import { demoSessions, type DemoSession } from './demo-sessions.ts';
import { renderTable, type DemoRow } from './demo-table.ts';
import { insideOwnNamespaces, isInside } from './enter.ts';
import { DOOR_PORT, openDoor, serveDoor } from './page-door.ts';
import { ADDRESSES, Household } from './topologies/household.ts';

const DRAWING = `
  device1 192.168.1.11 ─┐                                           ┌─ server1 203.0.113.1
  device2 192.168.1.12 ─┼──── gateway ──────────── provider ────────┤
  device3 192.168.1.13 ─┘     192.168.1.1          198.51.100.1     └─ server2 203.0.113.2
                              198.51.100.2
`;

const KEYS: Readonly<Record<string, Protocol>> = { p: 'pptp', l: 'l2tp', i: 'ipsec' };
const TICK_MS = 100;
const PAGE_PORT = 80;
/** Packets sent, and none arrived: the session does not stand any more. */
const SILENT_TICKS = 8;
const ROUNDS_ONCE = 20;

/** One session and what became of it. */
class Runner {
  readonly session: DemoSession;
  state = 'connecting';
  sent = 0;
  #silent = 0;
  #heard = 0;

  constructor(session: DemoSession) {
    this.session = session;
  }

  get row(): DemoRow {
    const { device, protocol } = this.session;
    return {
      device: device.name,
      protocol,
      state: this.state,
      sent: this.sent,
      ...this.session.arrived(),
    };
  }

  async connect(): Promise<void> {
    try {
      await this.session.connect();
      this.state = 'up';
      this.#silent = 0;
    } catch (error) {
      this.state = (error as Error).message;
    }
  }

  send(): void {
    this.session.send();
    this.sent += 1;
    const { up, down } = this.session.arrived();
    this.#silent = up + down > this.#heard ? 0 : this.#silent + 1;
    this.#heard = up + down;
  }

  get isSilent(): boolean {
    return this.#silent > SILENT_TICKS;
  }

  /** Connects, sends, and connects again when nothing comes through, until told to stop. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.state !== 'up') {
        await this.connect();
        if (this.state !== 'up') await sleep(5 * TICK_MS);
        continue;
      }
      this.send();
      if (this.isSilent) this.state = 'nothing comes through any more';
      await sleep(TICK_MS);
    }
  }
}

/** Where the page is and what lets somebody in, as lines; none where there is no way in from outside. */
async function openPage(household: Household): Promise<string[]> {
  const door = serveDoor(household.gateway, ADDRESSES.gatewayLan, PAGE_PORT);
  if (!door) return [];
  household.onClose(() => door.close());
  const { code } = JSON.parse(await callDaemon(household.daemon.socket, 'GET', '/api/v1/first-run')) as {
    code: string | null;
  };
  return [
    `The page of the gateway is at ${door.address}`,
    ...(code === null ? [] : [`One-time code: ${code}`]),
  ];
}

/** Shows the table until `q` or Ctrl-C; `p`, `l` and `i` switch. */
async function playLive(household: Household, runners: readonly Runner[]): Promise<void> {
  const stop = new AbortController();
  let note = '';
  const page = await openPage(household);
  const toggle = async (protocol: Protocol): Promise<void> => {
    const now = (await household.daemon.status()).passthrough[protocol];
    const wanted = now === 'enabled' ? 'disabled' : 'enabled';
    const began = performance.now();
    const { ended } = await household.daemon.setPassthrough({ [protocol]: wanted });
    note = `${protocol} ${wanted} in ${(performance.now() - began).toFixed(0)} ms, ${ended[protocol] ?? 0} connections ended`;
  };
  emitKeypressEvents(process.stdin);
  process.stdin.setRawMode(true);
  process.stdin.on('keypress', (_text: string | undefined, key: { name?: string; ctrl?: boolean }) => {
    if (key.name === 'q' || (key.ctrl && key.name === 'c')) stop.abort();
    const protocol = KEYS[key.name ?? ''];
    if (protocol) toggle(protocol).catch((error: unknown) => (note = String(error)));
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
  const work = runners.map((runner) => runner.run(stop.signal));
  process.stdout.write('\u001b[?25l');
  while (!stop.signal.aborted) {
    const { passthrough, problems } = await household.daemon.status();
    const told = await tellSessions(household, process.stdout.columns);
    const lines = [
      DRAWING,
      ...renderTable(
        runners.map((runner) => runner.row),
        passthrough,
      ),
      '',
      ...told,
      '',
      'p, l, i switch PPTP, L2TP, IPsec   q ends',
      '',
      ...page,
      note,
      ...problems.map((problem) => `! ${problem}`),
    ];
    process.stdout.write(`\u001b[H\u001b[2J${lines.join('\n')}\n`);
    await sleep(2.5 * TICK_MS);
  }
  process.stdout.write('\u001b[?25h');
  process.stdin.setRawMode(false);
  await Promise.all(work);
}

/** What the gateway tells of the same connections: `throughway sessions`. */
async function tellSessions(household: Household, width: number): Promise<string[]> {
  const style = { width, colours: hasColours(process.stdout), now: Date.now() };
  const { title, rows } = renderSessions(await household.daemon.sessions(), style);
  return [paint('throughway sessions', 1, style.colours), title, ...rows.flat()];
}

/** Plays everything once; resolves to the sentences that did not hold. */
async function playOnce(household: Household, runners: readonly Runner[]): Promise<string[]> {
  const faults: string[] = [];
  const show = async (title: string): Promise<void> => {
    const { passthrough } = await household.daemon.status();
    process.stdout.write(
      `\n${title}\n\n${renderTable(
        runners.map((runner) => runner.row),
        passthrough,
      ).join('\n')}\n\n${(await tellSessions(household, Infinity)).join('\n')}\n`,
    );
  };
  const connectAll = (which: readonly Runner[]): Promise<unknown> =>
    Promise.all(which.map((runner) => runner.connect()));
  /** Rounds on each runner; what must hold of the packets that arrived meanwhile. */
  const rounds = async (which: readonly Runner[], passes: boolean, when: string): Promise<void> => {
    const before = which.map((runner) => runner.row);
    for (let round = 0; round < ROUNDS_ONCE; round += 1) {
      for (const runner of which) runner.send();
      await sleep(TICK_MS / 5);
    }
    await sleep(2 * TICK_MS);
    for (const [index, runner] of which.entries()) {
      const { device, protocol, up, down } = runner.row;
      const [gotUp, gotDown] = [up - before[index]!.up, down - before[index]!.down];
      const wanted = passes ? ROUNDS_ONCE : 0;
      if (gotUp !== wanted || gotDown !== wanted) {
        faults.push(
          `${when}: of ${ROUNDS_ONCE} packets each way of ${device}'s ${protocol}, ${gotUp} and ${gotDown} arrived and not ${wanted}`,
        );
      }
    }
  };
  await connectAll(runners);
  await rounds(runners, true, 'all enabled');
  await show('Two devices, each with every protocol to the same server at the same time:');
  for (const protocol of PROTOCOLS) {
    const [its, others] = [
      runners.filter(({ session }) => session.protocol === protocol),
      runners.filter(({ session }) => session.protocol !== protocol),
    ];
    await household.daemon.setPassthrough({ [protocol]: 'disabled' });
    await rounds(its, false, `${protocol} disabled`);
    await connectAll(its);
    for (const { row } of its)
      if (row.state === 'up') faults.push(`${protocol} disabled: ${row.device} could connect`);
    await rounds(others, true, `${protocol} disabled`);
    await show(
      `${protocol} is switched off: what runs has ended, new connections are refused, the others go on:`,
    );
    await household.daemon.setPassthrough({ [protocol]: 'enabled' });
    await connectAll(its);
    await rounds(its, true, `${protocol} enabled again`);
  }
  await show('Everything is switched on again:');
  try {
    household.ledger.claimNoFault();
  } catch (error) {
    faults.push((error as Error).message);
  }
  return faults;
}

function runGateway(args: readonly string[]): never {
  const program = fileURLToPath(new URL('../bin/throughway', import.meta.url));
  const result = spawnSync(program, ['run', ...args], { stdio: 'inherit' });
  process.exit(result.status ?? 1);
}

const typed = process.argv.slice(2);
const isLab = typed.includes('--lab') || typed.includes('--once');
if (!isLab && (typed.some((one) => one.startsWith('--config')) || existsSync(DEFAULTS.config)))
  runGateway(typed);
const unknown = typed.filter((one) => one !== '--lab' && one !== '--once');
if (unknown.length > 0) {
  process.stderr.write(
    `"${unknown.join(' ')}" is not known here; allowed: --once, --lab, --config FILE. Without any, the lab is shown.\n`,
  );
  process.exit(2);
}
const isLive = !typed.includes('--once') && process.stdin.isTTY && process.stdout.isTTY;
const door = isLive && !isInside() ? await openDoor() : null;
const handed = door && { fd: door.fd, environment: { [DOOR_PORT]: String(door.port) } };
insideOwnNamespaces(import.meta.filename, [], handed);

const household = await Household.build(
  isLive ? { config: `web: { listen: ["lan:${PAGE_PORT}"], tls_listen: [] }` } : {},
);
const runners = demoSessions(household).map((session) => new Runner(session));
let faults: string[] = [];
if (isLive) {
  await playLive(household, runners);
} else {
  process.stdout.write(DRAWING);
  faults = await playOnce(household, runners);
  process.stdout.write(
    faults.length === 0
      ? '\nEverything got through that should, and nothing that should not.\n'
      : `\n${faults.map((fault) => `FAULT: ${fault}`).join('\n')}\n`,
  );
}
await household.close();
process.exit(faults.length === 0 ? 0 : 1);
