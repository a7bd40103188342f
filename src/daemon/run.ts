// `throughway run`: takes the namespace's lock, brings the ruleset into force, then opens the API and
// says that it is ready. Signals: SIGHUP reads the configuration again; SIGTERM and SIGINT stop the
// daemon and leave the gateway working.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeDescriptor, openSocket } from '../linux/libc.ts';
import { takeLock } from '../linux/lock.ts';
import { openNft, type Nft } from '../linux/nft.ts';
import { keepWatchdogCalm, notifyServiceManager } from '../linux/service-manager.ts';
import { Admin } from './admin/admin.ts';
import { endProbationAtStart } from './admin/probation.ts';
import { createRoutes } from './api/routes.ts';
import { createApi, listenOnSocket } from './api/server.ts';
import { Doctor } from './doctor.ts';
import { watchDrops } from './drop-watch.ts';
import { Failure, reasonOf } from './failure.ts';
import { isNftRecent, LEAST_NFT, readNftVersion } from './features.ts';
import { StateDirectory } from './files.ts';
import { Gateway } from './gateway.ts';
import { createLog, type Log } from './log.ts';
import { Metrics } from './metrics.ts';
import { createProber } from './probe.ts';
import { openRecords } from './records.ts';
import { restAfterStart } from './rest.ts';
import { Trace } from './trace.ts';
import type { Observation } from './observation.ts';
import { startObservation } from './start-observation.ts';
import { keepBeforeUpgrade, takeBackAfterDowngrade } from './upgrade.ts';
import { VERSION } from './version.ts';

export interface RunOptions {
  readonly config: string;
  readonly stateDir: string;
  readonly socket: string;
  /** Where to write a transcript of what is observed, or null. */
  readonly trace: string | null;
  readonly traceMasked: boolean;
}

/** Resolves when the daemon has been told to stop. Throws Failure when it cannot start. */
export async function runDaemon(options: RunOptions): Promise<void> {
  const log = createLog(process.stderr.isTTY);
  requireNetAdmin();
  const release = await takeLock('throughway');
  if (release === null) {
    throw new Failure(
      'already-running',
      'Another Throughway runs in this network namespace. Stop it first ("throughway status" shows it), or start this one in a namespace of its own.',
    );
  }
  try {
    const nft = await openUsableNft();
    try {
      await serve(options, nft, log);
    } finally {
      nft.close();
    }
  } finally {
    release();
  }
}

/** So long "ready" waits for what the kernel knows to be taken over. */
const TAKE_OVER_MS = 300;

/** Resolves when told to stop; whatever goes wrong before, nothing of ours stays open. */
async function serve(options: RunOptions, nft: Nft, log: Log): Promise<void> {
  let gateway: Gateway | null = null;
  // What goes wrong before there is a gateway to tell it to.
  const early: (readonly [key: string, sentence: string | null])[] = [];
  const tellTrouble = (key: string, sentence: string | null): void => {
    if (gateway) gateway.tellTrouble(key, sentence);
    else early.push([key, sentence]);
  };
  const state = new StateDirectory(options.stateDir, (sentence) => tellTrouble('state', sentence));
  const upgrade = keepBeforeUpgrade(state, options.config, VERSION);
  if (upgrade)
    log('info', `version ${VERSION} goes on where ${upgrade.from} was; copies of what it left are kept`, {
      copies: upgrade.copies,
    });
  for (const sentence of takeBackAfterDowngrade(state, VERSION))
    tellTrouble(`downgrade ${sentence}`, sentence);
  const trace = options.trace === null ? null : new Trace(options.trace, options.traceMasked, log);
  const records = openRecords({
    folder: options.stateDir,
    log,
    trace,
    onTrouble: (sentence) => tellTrouble('journal', sentence),
    lanLinks: () => gateway?.lanLinks() ?? [],
    release: (session) => running.release(session),
  });
  let observation: Observation | null = null;
  const reverted = endProbationAtStart(state, options.config);
  if (reverted !== null) log('warn', reverted);
  let admin: Admin | null = null;
  const running = new Gateway({
    configPath: options.config,
    state,
    nft,
    log,
    tell: (event) => records.events.tell(event),
    onTerritory: (territory) => observation?.setTerritory(territory),
    onConfig: (config) => {
      records.follow(config);
      void admin?.follow();
    },
    onLinks: () => void admin?.follow(),
    observation: () => observation?.status,
  });
  gateway = running;
  for (const [key, sentence] of early) running.tellTrouble(key, sentence);
  let stop = (): void => undefined;
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  let started = (): void => undefined;
  const ready = new Promise<void>((resolve) => {
    started = resolve;
  });
  const calmed = keepWatchdogCalm();
  let unwatchDrops = (): void => undefined;
  let unrested = (): void => undefined;
  let observing: Promise<Observation | null> = Promise.resolve(null);
  const doctor = new Doctor(running, records);
  const prober = createProber(() => running.passthrough);
  const people = new Admin({ gateway: running, records, state, configPath: options.config, log });
  const { accounts, keys, changes, certificates, backups, issuer } = people;
  const routes = createRoutes({
    gateway: running,
    doctor,
    prober,
    records,
    accounts,
    keys,
    changes,
    certificates,
    backups,
    metrics: new Metrics({
      gateway: running,
      records,
      accounts,
      isEnabled: () => running.config.web.metrics === 'enabled',
    }),
    issuer,
    pageAddresses: () => people.addresses,
    detect: () => people.detect(),
    onDown: () => stop(),
  });
  const api = createApi({ routes, log, ready });
  try {
    // The socket first: if it cannot be opened, no rule has been touched. Requests wait.
    await listenOnSocket(api, options.socket);
    await running.start();
    await records.devices.look();
    unwatchDrops = watchDrops(async () => (await running.status()).drops, records.events);
    observing = startObservation({ gateway: running, records, log, tellTrouble }).then((one) => {
      observation = one;
      return one;
    });
    // Packets pass already. With very many pairs in the kernel, their sessions are shown a little later.
    await Promise.race([observing, sleep(TAKE_OVER_MS, null, { ref: false })]);
    started();
    process.on('SIGHUP', () => {
      notifyServiceManager('RELOADING=1');
      changes
        .reload('SIGHUP')
        .catch((error: unknown) => log('error', reasonOf(error)))
        .finally(() => notifyServiceManager('READY=1'));
    });
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop());
    notifyServiceManager(`READY=1\nSTATUS=Passing ${describe(running)}`);
    log('info', 'ready', { version: VERSION, nft: nft.way, socket: options.socket, pid: process.pid });
    // Behind "ready": the gateway does not wait for its page.
    admin = people;
    await people.start(routes);
    unrested = restAfterStart();
    await Promise.race([stopped, observing.then(() => stopped)]);
    notifyServiceManager('STOPPING=1');
  } finally {
    calmed();
    unrested();
    // Those who still wait are answered with an error by the closing socket.
    started();
    await api.close();
    admin = null;
    await people.close();
    doctor.close();
    unwatchDrops();
    const observed = await observing.catch(() => null);
    await observed?.close();
    records.close();
    running.close();
  }
  log('info', 'stopped; the gateway goes on without its daemon');
}

function describe(gateway: Gateway): string {
  const on = Object.entries(gateway.passthrough).flatMap(([name, value]) =>
    value === 'enabled' ? [name] : [],
  );
  return on.length > 0 ? on.join(', ') : 'nothing: every protocol is disabled';
}

/** Changing firewall rules takes this capability; root of a user namespace has it for its own namespaces. */
export function requireNetAdmin(): void {
  const CAP_NET_ADMIN = 12n;
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  if (((BigInt(`0x${effective}`) >> CAP_NET_ADMIN) & 1n) === 0n) {
    throw new Failure(
      'no-permission',
      'The gateway must change firewall rules, which takes the capability CAP_NET_ADMIN. Run it as root, for example with sudo.',
    );
  }
}

/** Without it the library ends the whole process with a word for programmers. */
function requireNetfilter(): void {
  const [AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER] = [16, 3, 12];
  try {
    closeDescriptor(openSocket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER));
  } catch (error) {
    throw new Failure(
      'nft-missing',
      `This kernel cannot be asked about its firewall (${reasonOf(error)}). Load its part for that: modprobe -a nfnetlink nf_tables. In a container the host must load it.`,
    );
  }
}

/** Throws Failure when nft is missing or too old, or the kernel has nothing for it. */
export async function openUsableNft(): Promise<Nft> {
  const install = 'Install Debian\'s package "nftables" (apt-get install nftables).';
  requireNetfilter();
  const nft = openNft(process.env['THROUGHWAY_NFT'] === 'child' ? 'nft' : 'libnftables');
  let version: string;
  try {
    version = await readNftVersion(nft);
  } catch (error) {
    throw new Failure('nft-missing', `nftables cannot be used (${reasonOf(error)}). ${install}`);
  }
  if (!isNftRecent(version)) {
    throw new Failure(
      'nft-too-old',
      `nftables "${version}" is too old; ${LEAST_NFT.join('.')} or newer is needed. ${install}`,
    );
  }
  return nft;
}
