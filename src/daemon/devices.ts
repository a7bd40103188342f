// The devices behind the gateway and what they are called: by the name a person gave, else by what
// DHCP servers' lease files say, else by what the network's DNS or the device itself answered, else by
// their address. A device is known by its hardware address where the neighbour table has it, else by its
// IP address.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SessionProtocol } from '../core/alg/session-record.ts';
import { nameOf, parseLeases, type Lease, type LeaseFormat } from '../core/leases.ts';
import type { Config } from '../core/config/schema.ts';
import type { SystemLink } from '../linux/links.ts';
import { listNeighbours } from '../linux/neighbours.ts';
import type { Device } from './api/session.ts';
import { Failure, reasonOf } from './failure.ts';
import type { Journal } from './journal.ts';
import type { Log } from './log.ts';
import { learnMakers, makerOf } from './makers.ts';
import { NameAsker, type Asked } from './name-asker.ts';

/** Where the DHCP servers of Debian, OpenWrt, Pi-hole, NetworkManager and systemd keep their leases; `*` is any name. */
const LEASE_FILES: readonly (readonly [LeaseFormat, string])[] = [
  ['dnsmasq', '/var/lib/misc/dnsmasq.leases'],
  ['dnsmasq', '/var/lib/dnsmasq/dnsmasq.leases'],
  ['dnsmasq', '/tmp/dhcp.leases'],
  ['dnsmasq', '/etc/pihole/dhcp.leases'],
  ['dnsmasq', '/var/lib/NetworkManager/dnsmasq-*.leases'],
  ['kea', '/var/lib/kea/kea-leases4.csv'],
  ['kea', '/var/lib/kea/kea-leases6.csv'],
  ['dhcpd', '/var/lib/dhcp/dhcpd.leases'],
  ['dhcpd', '/var/lib/dhcpd/dhcpd.leases'],
  ['networkd', '/var/lib/systemd/network/dhcp-server-lease/*'],
];

const MOST_DEVICES = 4_096;
const MOST_ADDRESSES = 16;
/** The lease file of a campus; a larger one is not a lease file. */
const MOST_LEASE_BYTES = 8 << 20;
const LOOK_EVERY_MS = 60_000;
/** A device that is new is looked up at once, several in a moment together. */
const LOOK_SOON_MS = 300;
const MOST_NAME = 63;

/** What is kept in the journal of a device beside its id and given name. */
interface Facts {
  mac: string | null;
  /** The latest first. */
  addresses: string[];
  dhcpName: string | null;
  /** From the network's DNS servers, and from the device itself. */
  dnsName: string | null;
  mdnsName: string | null;
  firstSeen: number;
  used: Partial<Record<SessionProtocol, number>>;
}

interface Known extends Facts {
  readonly id: string;
  givenName: string | null;
  lastSeen: number;
}

export interface DevicesOptions {
  readonly journal: Journal;
  readonly log: Log;
  /** The interfaces of the LANs: neighbours elsewhere are none of our devices. */
  readonly lanLinks: () => readonly SystemLink[];
  readonly leaseFiles?: readonly (readonly [LeaseFormat, string])[];
}

export class Devices {
  readonly #options: DevicesOptions;
  readonly #byId = new Map<string, Known>();
  readonly #byAddress = new Map<string, Known>();
  readonly #leaseTimes = new Map<string, number>();
  #leases = new Map<string, Lease[]>();
  readonly #asker: NameAsker;
  #timer: NodeJS.Timeout;
  #soon: NodeJS.Timeout | null = null;

  constructor(options: DevicesOptions) {
    this.#options = options;
    this.#asker = new NameAsker({
      lanLinks: options.lanLinks,
      nameless: () => this.#nameless(),
      onName: (address, from, name) => this.#heard(address, from, name),
    });
    for (const kept of options.journal.devices()) {
      const { id, givenName, lastSeen } = kept;
      const known: Known = { ...readFacts(kept.facts), id, givenName, lastSeen };
      this.#byId.set(id, known);
      for (const address of known.addresses) this.#byAddress.set(address, known);
    }
    this.#timer = setInterval(() => void this.look(), LOOK_EVERY_MS).unref();
  }

  /** Which ways of asking for names are allowed; what came by another one is forgotten. */
  follow(names: Config['names']): void {
    for (const known of this.#byId.values()) {
      const { dnsName, mdnsName } = known;
      if (names.reverse_dns === 'disabled') known.dnsName = null;
      if (names.mdns === 'disabled') known.mdnsName = null;
      if (known.dnsName !== dnsName || known.mdnsName !== mdnsName) this.#keep(known);
    }
    this.#asker.follow(names);
    this.#lookSoon();
  }

  /** Also of an address that nothing is known of. */
  identify(address: string): { id: string; name: string | null; mac: string | null } {
    const known = this.#byAddress.get(address);
    return known
      ? { id: known.id, name: nameToShow(known), mac: known.mac }
      : { id: address, name: null, mac: null };
  }

  /** How a sentence calls it. */
  call(address: string): string {
    const { name } = this.identify(address);
    return name === null ? address : `${name} (${address})`;
  }

  /** A device used a protocol, at a time of the world. */
  saw(address: string, protocol: SessionProtocol, at: number): void {
    let known = this.#byAddress.get(address);
    if (!known) {
      known = this.#add(address, null, at);
      this.#lookSoon();
    }
    known.lastSeen = at;
    known.used[protocol] = at;
    this.#keep(known);
  }

  /** `counts` says how many sessions each address has. */
  list(counts: ReadonlyMap<string, number>): Device[] {
    return [...this.#byId.values()]
      .map((known) => describeDevice(known, counts))
      .sort((a, b) => b.sessions - a.sessions || a.address.localeCompare(b.address, 'en', { numeric: true }));
  }

  /** Throws Failure when there is no such device or the name cannot be. */
  setGivenName(id: string, name: string | null, counts: ReadonlyMap<string, number>): Device {
    const known = this.#byId.get(id) ?? this.#byAddress.get(id);
    if (!known) {
      throw new Failure(
        'not-found',
        `There is no device "${id}". "throughway devices" lists those there are, by their ids.`,
      );
    }
    const clean = name === null ? null : nameOf(name);
    if (name !== null && (clean !== name.trim() || name.length > MOST_NAME)) {
      throw new Failure(
        'bad-request',
        `"${name.slice(0, 80)}" cannot be the name of a device: 1 to ${MOST_NAME} letters, digits, spaces and the signs . _ - + ( ) ' are allowed. Choose another.`,
      );
    }
    known.givenName = clean;
    this.#keep(known);
    this.#options.journal.flush();
    return describeDevice(known, counts);
  }

  /** Reads the neighbour table and those lease files that have changed, and begins to ask for names. Never throws. */
  async look(): Promise<void> {
    this.#readLeases();
    const leases = [...this.#leases.values()].flat();
    for (const { address, mac, name } of leases) {
      const known = this.#byAddress.get(address);
      // Only of devices that matter: those that have used a VPN, or are present.
      if (known) this.#learn(known, address, mac, name);
    }
    try {
      const lan = new Set(this.#options.lanLinks().map(({ index }) => index));
      for (const { index, address, mac } of await listNeighbours()) {
        if (!lan.has(index) || isLinkLocal(address)) continue;
        const known =
          this.#byAddress.get(address) ?? this.#byId.get(mac) ?? this.#add(address, mac, Date.now());
        const name = leases.find((lease) => lease.address === address)?.name ?? null;
        this.#learn(known, address, mac, name);
      }
    } catch (error) {
      this.#options.log('warn', 'the neighbour table cannot be read', { reason: reasonOf(error) });
    }
    await learnMakers([...this.#byId.values()].flatMap(({ mac }) => mac ?? []));
    this.#asker.ask();
  }

  /** The present addresses of those whom neither a person nor a DHCP server has named. */
  *#nameless(): Iterable<string> {
    for (const { givenName, dhcpName, addresses } of this.#byId.values()) {
      if (givenName === null && dhcpName === null && addresses[0] !== undefined) yield addresses[0];
    }
  }

  #heard(address: string, from: Asked, name: string): void {
    const known = this.#byAddress.get(address);
    const key = from === 'dns' ? 'dnsName' : 'mdnsName';
    if (!known || known[key] === name) return;
    known[key] = name;
    this.#keep(known);
    // Nothing else may happen for hours that writes it.
    this.#options.journal.flush();
  }

  close(): void {
    clearInterval(this.#timer);
    if (this.#soon) clearTimeout(this.#soon);
  }

  #lookSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = null;
      void this.look();
    }, LOOK_SOON_MS).unref();
  }

  #add(address: string, mac: string | null, at: number): Known {
    const known: Known = {
      id: mac ?? address,
      mac,
      addresses: [address],
      dhcpName: null,
      dnsName: null,
      mdnsName: null,
      givenName: null,
      firstSeen: at,
      lastSeen: at,
      used: {},
    };
    if (this.#byId.size >= MOST_DEVICES) this.#forgetOldest();
    this.#byId.set(known.id, known);
    this.#byAddress.set(address, known);
    return known;
  }

  #learn(found: Known, address: string, mac: string | null, name: string | null): void {
    let known = found;
    if (mac !== null && known.mac !== mac) known = this.#moveTo(known, address, mac);
    const isNews = known.addresses[0] !== address || (name !== null && known.dhcpName !== name);
    if (!known.addresses.includes(address)) {
      known.addresses.unshift(address);
      for (const old of known.addresses.splice(MOST_ADDRESSES)) this.#byAddress.delete(old);
    }
    this.#byAddress.set(address, known);
    if (name !== null) known.dhcpName = name;
    if (isNews || known !== found) this.#keep(known);
  }

  /** The hardware address tells who it is: an address may have passed to another device. */
  #moveTo(former: Known, address: string, mac: string): Known {
    const owner = this.#byId.get(mac);
    const isNameless = former.mac === null;
    if (!isNameless) former.addresses = former.addresses.filter((one) => one !== address);
    const known = owner ?? this.#add(address, mac, former.lastSeen);
    if (isNameless) {
      // Until now it was known by its address alone; what was learned is this device's.
      known.givenName ??= former.givenName;
      known.dnsName ??= former.dnsName;
      known.mdnsName ??= former.mdnsName;
      known.firstSeen = Math.min(known.firstSeen, former.firstSeen);
      known.lastSeen = Math.max(known.lastSeen, former.lastSeen);
      known.used = { ...former.used, ...known.used };
      this.#byId.delete(former.id);
      this.#options.journal.dropDevice(former.id);
    }
    return known;
  }

  /** Those with a name of their own stay. */
  #forgetOldest(): void {
    let oldest: Known | null = null;
    for (const known of this.#byId.values()) {
      if (known.givenName === null && (oldest === null || known.lastSeen < oldest.lastSeen)) oldest = known;
    }
    if (!oldest) return;
    this.#byId.delete(oldest.id);
    for (const address of oldest.addresses) {
      if (this.#byAddress.get(address) === oldest) this.#byAddress.delete(address);
    }
    this.#options.journal.dropDevice(oldest.id);
  }

  /** What is merely present is not worth a write. */
  #keep(known: Known): void {
    if (known.givenName === null && Object.keys(known.used).length === 0) return;
    const { id, givenName, lastSeen, mac, addresses, dhcpName, dnsName, mdnsName, firstSeen, used } = known;
    const kept = { mac, addresses, dhcpName, dnsName, mdnsName, firstSeen, used } satisfies Facts;
    const facts = JSON.stringify(kept);
    this.#options.journal.keepDevice({ id, givenName, lastSeen, facts });
  }

  #readLeases(): void {
    for (const [format, pattern] of this.#options.leaseFiles ?? LEASE_FILES) {
      for (const path of expand(pattern)) {
        try {
          const { mtimeMs, size } = statSync(path);
          if (size > MOST_LEASE_BYTES || this.#leaseTimes.get(path) === mtimeMs) continue;
          this.#leases.set(path, parseLeases(format, readFileSync(path, 'utf8')));
          this.#leaseTimes.set(path, mtimeMs);
        } catch {
          // Not here, or not for us to read: most machines have one of them at most.
        }
      }
    }
  }
}

function nameToShow({ givenName, dhcpName, dnsName, mdnsName }: Known): string | null {
  return givenName ?? dhcpName ?? dnsName ?? mdnsName;
}

function sourceOfName({ givenName, dhcpName, dnsName, mdnsName }: Known): Device['name_source'] {
  if (givenName !== null) return 'given';
  if (dhcpName !== null) return 'dhcp';
  if (dnsName !== null) return 'dns';
  return mdnsName === null ? null : 'mdns';
}

function describeDevice(known: Known, counts: ReadonlyMap<string, number>): Device {
  const { id, mac, addresses, givenName, firstSeen, lastSeen, used } = known;
  return {
    id,
    address: addresses[0] ?? id,
    addresses,
    mac,
    maker: makerOf(mac) ?? null,
    name: nameToShow(known),
    given_name: givenName,
    name_source: sourceOfName(known),
    first_seen: new Date(firstSeen).toISOString(),
    last_seen: new Date(lastSeen).toISOString(),
    sessions: addresses.reduce((sum, address) => sum + (counts.get(address) ?? 0), 0),
    used: Object.entries(used).map(([protocol, last]) => ({
      protocol: protocol as SessionProtocol,
      last: new Date(last).toISOString(),
    })),
  };
}

/** The addresses by which hosts of one link speak of themselves belong to no session. */
function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/.test(address) || address.startsWith('169.254.');
}

/** The files of a folder that fit, where the last part has a `*`. */
function expand(pattern: string): string[] {
  if (!pattern.includes('*')) return [pattern];
  const folder = dirname(pattern);
  const [before, after] = pattern.slice(folder.length + 1).split('*') as [string, string];
  try {
    return readdirSync(folder)
      .filter((name) => name.startsWith(before) && name.endsWith(after))
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

function readFacts(text: string): Facts {
  const fallback: Facts = {
    mac: null,
    addresses: [],
    dhcpName: null,
    dnsName: null,
    mdnsName: null,
    firstSeen: 0,
    used: {},
  };
  try {
    return { ...fallback, ...(JSON.parse(text) as Partial<Facts>) };
  } catch {
    return fallback;
  }
}
