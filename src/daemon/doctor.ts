// Gathers what the doctor looks at (core/doctor) and asks it. Looks only: nothing is changed, and what is
// sent are a few ARP questions on the LAN, and a few probes to the servers of failing connections.
// Counters are sampled each minute, so that a drop of last week is no finding of today.
import { statSync } from 'node:fs';
import { CARRIER_NETWORK, isInPrefix, parseIpv4, PRIVATE_NETWORKS } from '../core/address.ts';
import type { SessionRecord } from '../core/alg/session-record.ts';
import { connectionFindings, type Connections } from '../core/doctor/connection-causes.ts';
import { rank, type Finding } from '../core/doctor/finding.ts';
import { gatewayFindings } from '../core/doctor/gateway-causes.ts';
import { manualPlace } from '../core/doctor/symptoms.ts';
import type { InterfaceState, Snapshot } from '../core/doctor/snapshot.ts';
import { DROP_REASONS, type DropName } from '../core/policy/counters.ts';
import {
  findForeignDrops,
  findForeignExemptions,
  findForeignTranslations,
  type Sides,
} from '../core/policy/foreign.ts';
import { ipProtocols } from '../core/wire/ipv4.ts';
import { askArp } from '../linux/arp.ts';
import { listConntrack, readConntrackStats } from '../linux/conntrack.ts';
import type { DefaultRoute, SystemLink } from '../linux/links.ts';
import { boundUdpPorts, readArpTable, readIpStatistic, readRoutes } from '../linux/proc-net.ts';
import { readInterfaceSysctl, readSysctl } from '../linux/sysctl.ts';
import type { DoctorReport } from './api/doctor.ts';
import { Failure } from './failure.ts';
import type { Examination, Gateway } from './gateway.ts';
import { describeInterface, globalIpv4 } from './interfaces.ts';
import { reachOf } from './reach.ts';
import type { Records } from './records.ts';

const SAMPLE_MS = 60_000;
/** How far back a drop counts as of now. */
const RECENT_SAMPLES = 10;
/** A second machine with the same address answers as fast as the first. */
const ARP_WAIT_MS = 400;
/** A LAN has at most so many neighbours that are asked; the rest is left out. */
const MOST_ARP = 128;
const IKE_PORTS = [500, 4500];
/** A day: clocks may be set while files are written. */
const CLOCK_GRACE_MS = 86_400_000;
const TCP_ESTABLISHED = 3;
/** Servers that are asked, those of failing connections first: politeness, and time. */
const MOST_SERVERS = 3;
const DEFAULT_MTU = 1500;

type Drops = Readonly<Record<DropName, number>>;

interface Sample {
  readonly atMs: number;
  readonly drops: Drops;
  readonly reassemblyFailures: number;
}

/** What is to be examined; all, where nothing is named. */
export interface DoctorSubject {
  readonly session?: string | undefined;
  /** Id, address or name. */
  readonly device?: string | undefined;
}

export class Doctor {
  readonly #gateway: Gateway;
  readonly #records: Pick<Records, 'sessions' | 'devices'>;
  readonly #samples: Sample[] = [];
  readonly #timer: NodeJS.Timeout;

  /** Samples from now on, until closed. */
  constructor(gateway: Gateway, records: Pick<Records, 'sessions' | 'devices'>) {
    this.#gateway = gateway;
    this.#records = records;
    this.#timer = setInterval(() => void this.#sample().catch(() => undefined), SAMPLE_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Everything, or what one session or one device suffers from. Throws Failure where there is no such one. */
  async examine(about: DoctorSubject = {}): Promise<DoctorReport> {
    const began = performance.now();
    const chosen = this.#sessionsAbout(about);
    const examined = await this.#gateway.examine();
    const [gateway, connections] = await Promise.all([
      this.#snapshot(examined).then(gatewayFindings),
      this.#connections(chosen, examined).then(connectionFindings),
    ]);
    const isAbout = new Set(chosen.map(({ id }) => String(id)));
    const findings = rank([
      ...gateway,
      ...connections.filter(({ session }) => session !== null && isAbout.has(session)),
    ]);
    return {
      state: worst(findings),
      findings: findings.map((one) => ({ ...one, manual: manualPlace(one.cause) })),
      took_ms: Math.round(performance.now() - began),
    };
  }

  #sessionsAbout({ session, device }: DoctorSubject): readonly Readonly<SessionRecord>[] {
    const all = [...this.#records.sessions.live()];
    const chosen = all.filter((one) => {
      const { id, name } = this.#records.devices.identify(one.client);
      return (
        (session === undefined || String(one.id) === session) &&
        (device === undefined || [one.client, id, name].includes(device))
      );
    });
    if (session !== undefined && chosen.length === 0) {
      throw new Failure(
        'not-found',
        `There is no running session "${session}". "throughway sessions" lists them with their ids.`,
      );
    }
    if (device !== undefined && chosen.length === 0) {
      throw new Failure(
        'not-found',
        `The device "${device}" has no session now. Let it try to connect and ask again; "throughway devices" lists names and addresses.`,
      );
    }
    return chosen;
  }

  /** All sessions, since one is judged by the others too; only the servers of `chosen` are asked. */
  async #connections(
    chosen: readonly Readonly<SessionRecord>[],
    { config, links }: Examination,
  ): Promise<Connections> {
    const failing = chosen.filter(({ state }) => state === 'failing');
    const running = chosen.filter(({ state }) => state === 'up' || state === 'idle');
    const servers = [...new Set([...failing, ...running].map((one) => one.server))].slice(0, MOST_SERVERS);
    const mtu = links.find(({ name }) => name === config.interfaces.wan)?.mtu ?? DEFAULT_MTU;
    const aborted = new AbortController();
    const reach = await Promise.all(
      servers.map((server) =>
        reachOf(
          server,
          mtu,
          failing.some((one) => one.server === server),
          aborted.signal,
        ),
      ),
    );
    return {
      now: performance.now(),
      sessions: [...this.#records.sessions.live()],
      reach,
      isBehindNat: isBehindNat(describeInterface(links, config.interfaces.wan).addresses),
      nameOf: (session) => this.#records.devices.call(session.client),
    };
  }

  async #sample(): Promise<Sample> {
    const counters = new Map((await this.#gateway.readCounters()).map((one) => [one.name, one.packets]));
    const drops = Object.fromEntries(DROP_REASONS.map(({ name }) => [name, counters.get(name) ?? 0]));
    const sample = {
      atMs: performance.now(),
      drops: drops as Drops,
      reassemblyFailures: readIpStatistic('ReasmFails'),
    };
    this.#samples.push(sample);
    if (this.#samples.length > RECENT_SAMPLES) this.#samples.shift();
    return sample;
  }

  async #snapshot(examined: Examination): Promise<Snapshot> {
    const { config, configProblems, links, defaultRoutes, table, restored, others, troubles } = examined;
    const [first] = this.#samples;
    const now = await this.#sample();
    // Without an earlier sample, all that has been counted is of now.
    const earlier = first?.drops ?? (Object.fromEntries(DROP_REASONS.map(({ name }) => [name, 0])) as Drops);
    const { wan, lan } = config.interfaces;
    const sides: Sides = { wan, lan, prefixes: prefixesOf(links, lan) };
    return {
      passthrough: config.passthrough,
      ikeSourcePort: config.ike.source_port,
      configProblems,
      forwarding: readSysctl('net.ipv4.ip_forward') === '1',
      table,
      restored,
      wan: interfaceState(links, wan),
      lan: lan.map((name) => interfaceState(links, name)),
      defaultRouteInterface: defaultInterface(links, defaultRoutes),
      routes: readRoutes(),
      foreign: {
        drops: findForeignDrops(others, sides),
        nats: findForeignTranslations(others, sides),
        tracking: findForeignExemptions(others, sides),
      },
      conntrack: await conntrackFill(),
      pptpWithoutHelper: await pptpWithoutHelper(links),
      recent: {
        minutes: Math.max(1, Math.round((now.atMs - (first?.atMs ?? 0)) / 60_000)),
        drops: Object.fromEntries(
          DROP_REASONS.map(({ name }) => [name, Math.max(0, now.drops[name] - earlier[name])]),
        ) as Drops,
      },
      addressesTwice: await addressesTwice(links, lan),
      clock: {
        now: new Date().toISOString(),
        notBefore: new Date(latestWrite(this.#gateway.files) - CLOCK_GRACE_MS).toISOString(),
      },
      ownIkePorts: boundUdpPorts(IKE_PORTS),
      daemonTroubles: troubles,
      reassemblyFailures: first === undefined ? 0 : now.reassemblyFailures - first.reassemblyFailures,
    };
  }
}

function worst(findings: readonly Finding[]): DoctorReport['state'] {
  if (findings.some((one) => one.level === 'fault')) return 'fault';
  return findings.length > 0 ? 'warning' : 'well';
}

function interfaceState(links: readonly SystemLink[], name: string): InterfaceState {
  const { state, addresses } = describeInterface(links, name);
  // The stricter of both counts (ip-sysctl, rp_filter), and 2 is the loose way.
  const [general, own] = [readSysctl('net.ipv4.conf.all.rp_filter'), readInterfaceSysctl(name, 'rp_filter')];
  return {
    name,
    state,
    addresses,
    strictReversePath: Math.max(Number(general ?? 0), Number(own ?? 0)) === 1,
    forwarding: readInterfaceSysctl(name, 'forwarding') !== '0',
  };
}

const BEHIND_NAT = [...PRIVATE_NETWORKS, CARRIER_NETWORK];

function isBehindNat(prefixes: readonly string[]): boolean {
  return prefixes.some((one) => {
    const address = parseIpv4(one.split('/')[0]!);
    return address !== null && BEHIND_NAT.some((prefix) => isInPrefix(address, prefix));
  });
}

function prefixesOf(links: readonly SystemLink[], names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const found = describeInterface(links, name).addresses.find(
        (one) => parseIpv4(one.split('/')[0]!) !== null,
      );
      return found === undefined ? [] : [[name, found]];
    }),
  );
}

function defaultInterface(links: readonly SystemLink[], routes: readonly DefaultRoute[]): string | null {
  const MAIN_TABLE = 254;
  const best = routes.find((one) => one.family === 4 && one.table === MAIN_TABLE);
  const index = best?.hops[0]?.index;
  return links.find((one) => one.index === index)?.name ?? null;
}

async function conntrackFill(): Promise<Snapshot['conntrack']> {
  const { entries, maxEntries } = await readConntrackStats();
  return maxEntries === null ? null : { entries, mostEntries: maxEntries };
}

/** Connections of devices that the kernel does not translate the Call IDs of. */
async function pptpWithoutHelper(links: readonly SystemLink[]): Promise<string[]> {
  const own = new Set(links.flatMap((link) => link.addresses.map((one) => String(one.address))));
  const control = await listConntrack({ family: 4, protocol: ipProtocols.tcp, destinationPort: 1723 });
  return control
    .filter((one) => one.tcpState === TCP_ESTABLISHED && one.helper === null && !own.has(one.original.source))
    .map(({ original }) => `${original.source} to ${original.destination}`);
}

async function addressesTwice(
  links: readonly SystemLink[],
  lan: readonly string[],
): Promise<Snapshot['addressesTwice']> {
  const known = readArpTable();
  const answers = await Promise.all(
    lan.map(async (name) => {
      const link = links.find((one) => one.name === name);
      const ownAddress = link === undefined ? null : globalIpv4(link);
      if (link === undefined || !link.up || ownAddress === null || link.mac === null) return [];
      const neighbours = known.filter((one) => one.interfaceName === name).map((one) => one.address);
      const found = await askArp(
        {
          interfaceIndex: link.index,
          ownMac: Uint8Array.from(link.mac.split(':'), (octet) => Number.parseInt(octet, 16)),
          ownAddress,
          // Its own address too: whoever answers for that has it as well.
          wanted: [ownAddress, ...neighbours].slice(0, MOST_ARP),
        },
        ARP_WAIT_MS,
      );
      found.set(ownAddress, new Set([...(found.get(ownAddress) ?? []), link.mac]));
      return [...found].map(([address, macs]) => ({ address, macs: [...macs] }));
    }),
  );
  return answers.flat().filter(({ macs }) => macs.length > 1);
}

/** When the latest of these files was written, in milliseconds since 1970. */
function latestWrite(paths: readonly string[]): number {
  return Math.max(
    0,
    ...paths.map((path) => {
      try {
        return statSync(path).mtimeMs;
      } catch {
        return 0;
      }
    }),
  );
}
