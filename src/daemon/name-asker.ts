// Asks the network what devices are called that nobody has named: the devices themselves by mDNS, and this
// machine's DNS servers by reverse lookups of private addresses. Few at a time, in turn, and those that do
// not answer ever more seldom. Knows no device, only addresses of the LANs.
import {
  CARRIER_NETWORK,
  isInPrefix,
  parseIpv4,
  parseIpv6,
  PRIVATE_NETWORKS,
  type Ipv4Address,
} from '../core/address.ts';
import type { Config } from '../core/config/schema.ts';
import { nameOf } from '../core/leases.ts';
import type { SystemLink } from '../linux/links.ts';
import { askMdns } from './mdns.ts';
import { askReverse, hostNameOf } from './reverse-dns.ts';

/** Of whom the names come: the devices themselves, or who runs the DNS server. */
export type Asked = 'mdns' | 'dns';

/** Each is a packet or two on the LAN. */
const MOST_AT_ONCE = 16;
const MOST_REMEMBERED = 4_096;
/** Devices are renamed seldom; one that is asleep or does not speak mDNS is left in peace soon. */
const AGAIN_MS = 12 * 3_600_000;
const FIRST_AGAIN_MS = 60_000;

/** Networks of which no server elsewhere knows more than ours (RFC 1918, RFC 6598, RFC 4193). */
const PRIVATE = [...PRIVATE_NETWORKS, CARRIER_NETWORK, 'fc00::/7'];

export interface NameAskerOptions {
  readonly lanLinks: () => readonly SystemLink[];
  /** The addresses of those that want a name. */
  readonly nameless: () => Iterable<string>;
  readonly onName: (address: string, from: Asked, name: string) => void;
}

interface Remembered {
  readonly nextAt: number;
  readonly failures: number;
}

export class NameAsker {
  readonly #options: NameAskerOptions;
  readonly #remembered = new Map<string, Remembered>();
  #wanted: Pick<Config['names'], 'mdns' | 'reverse_dns'> = { mdns: 'disabled', reverse_dns: 'disabled' };
  #isBusy = false;
  /** Whether to go on when those who are asked now have answered. */
  #goesOn = false;

  constructor(options: NameAskerOptions) {
    this.#options = options;
  }

  /** Everybody is asked anew when something was switched on. */
  follow(names: Config['names']): void {
    const { mdns, reverse_dns } = this.#wanted;
    if (mdns !== names.mdns || reverse_dns !== names.reverse_dns) this.#remembered.clear();
    this.#wanted = names;
  }

  /** Asks about those whose time has come, and returns at once. */
  ask(): void {
    const { mdns, reverse_dns } = this.#wanted;
    this.#goesOn = this.#isBusy;
    if (this.#isBusy || (mdns === 'disabled' && reverse_dns === 'disabled')) return;
    const due: string[] = [];
    for (const address of this.#options.nameless()) {
      if ((this.#remembered.get(address)?.nextAt ?? 0) <= performance.now()) due.push(address);
      if (due.length === MOST_AT_ONCE) break;
    }
    if (due.length === 0) return;
    this.#isBusy = true;
    void this.#askAll(due).finally(() => {
      this.#isBusy = false;
      if (this.#goesOn || due.length === MOST_AT_ONCE) this.ask();
    });
  }

  async #askAll(addresses: readonly string[]): Promise<void> {
    const named = new Set<string>();
    const tell = (address: string, from: Asked, text: string | undefined): void => {
      const name = deviceName(address, text);
      if (name === null) return;
      named.add(address);
      this.#options.onName(address, from, name);
    };
    const { mdns, reverse_dns } = this.#wanted;
    const work: Promise<void>[] = [];
    if (reverse_dns === 'enabled') {
      for (const address of addresses.filter(isPrivate)) {
        work.push(askReverse(address).then((name) => tell(address, 'dns', name ?? undefined)));
      }
    }
    if (mdns === 'enabled') {
      for (const [own, there] of byLink(this.#options.lanLinks(), addresses)) {
        work.push(
          askMdns(own, there).then(
            (answers) => {
              for (const [address, [label]] of answers) tell(address, 'mdns', label);
            },
            // The link has just gone, or lost its address.
            () => undefined,
          ),
        );
      }
    }
    await Promise.all(work);
    for (const address of addresses) this.#remember(address, named.has(address));
  }

  #remember(address: string, isNamed: boolean): void {
    const failures = isNamed ? 0 : (this.#remembered.get(address)?.failures ?? 0) + 1;
    const wait = isNamed ? AGAIN_MS : Math.min(AGAIN_MS, FIRST_AGAIN_MS * 4 ** (failures - 1));
    this.#remembered.delete(address);
    this.#remembered.set(address, { nextAt: performance.now() + wait, failures });
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size > MOST_REMEMBERED) this.#remembered.delete(oldest!);
  }
}

/** The addresses of each link, by our own address there. */
function byLink(links: readonly SystemLink[], addresses: readonly string[]): Map<Ipv4Address, Ipv4Address[]> {
  const found = new Map<Ipv4Address, Ipv4Address[]>();
  for (const one of links.flatMap((link) => link.addresses)) {
    const own = parseIpv4(one.address);
    if (own === null) continue;
    const there = addresses.flatMap((text) => {
      const address = parseIpv4(text);
      return address !== null && isInPrefix(address, `${own}/${one.prefixLength}`) ? [address] : [];
    });
    if (there.length > 0) found.set(own, there);
  }
  return found;
}

function isPrivate(text: string): boolean {
  const address = parseIpv4(text) ?? parseIpv6(text);
  return address !== null && PRIVATE.some((prefix) => isInPrefix(address, prefix));
}

/** The first part of the name, unless a server made it of the address, as in `host-192-168-1-11.lan`. */
export function deviceName(address: string, text: string | undefined): string | null {
  // Of a DNS name the rest is the network's; what a device calls itself may have dots of its own.
  const label = hostNameOf(text) === null ? text : text!.split('.')[0];
  const name = nameOf(label);
  if (name === null || /^[\d.:-]+$/.test(name)) return null;
  const digits = name.replaceAll(/\D+/g, '-');
  return digits.includes(address.replaceAll(/\D+/g, '-')) ? null : name;
}
