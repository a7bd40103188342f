// A household behind its gateway, an internet provider's hop, and VPN servers on the far side:
//
//   device1 192.168.1.11 ─┐                                             ┌─ server1 203.0.113.1
//   device2 192.168.1.12 ─┼─ (lan) ─ gateway ──────────── isp ─ (net) ──┤
//   device3 192.168.1.13 ─┘   192.168.1.1  198.51.100.2   198.51.100.1  └─ server2 203.0.113.2
//                               lan0           wan0       203.0.113.254
//
// With IPv6 the same again, routed and not translated: the LAN is 2001:db8:1::/64 (gateway ::1, device1
// ::11 …), the WAN 2001:db8:ffff::/64 (gateway ::2, provider ::1), the servers 2001:db8:2::/64 (::1 …).
//
// Each is a network namespace; (lan) and (net) are bridges. The provider routes nothing private.
// Every host's interface is tapped for the ledger, and so is the provider's side of the WAN.
import { parseIpv4, parseIpv6, type Ipv4Address, type Ipv6Address } from '../../src/core/address.ts';
import { parseConfig } from '../../src/core/config/document.ts';
import { Capture } from '../capture.ts';
import { Daemon } from '../daemon.ts';
import { Ledger } from '../ledger.ts';
import { Namespace } from '../namespaces.ts';
import { disableOffloads } from '../offload.ts';
import { FrameTap, type Place } from '../sockets.ts';
import { claim, until } from '../wait.ts';

export const ADDRESSES = {
  gatewayLan: address('192.168.1.1'),
  wan: address('198.51.100.2'),
  ispWan: address('198.51.100.1'),
  ispNet: address('203.0.113.254'),
} as const;

export const IPV6_ADDRESSES = {
  gatewayLan: ipv6Address('2001:db8:1::1'),
  wan: ipv6Address('2001:db8:ffff::2'),
  ispWan: ipv6Address('2001:db8:ffff::1'),
  ispNet: ipv6Address('2001:db8:2::fe'),
} as const;
const LAN_PREFIX = '2001:db8:1::/64';

export interface Host extends Place {
  readonly name: string;
  /** Where the household has IPv6. */
  readonly ipv6: Ipv6Address;
  readonly capture: Capture;
}

export interface HouseholdOptions {
  readonly devices?: number;
  readonly servers?: number;
  /** Lines that follow `version` and `interfaces` in the configuration. */
  readonly config?: string;
  /** Whether there is IPv6 beside IPv4; false unless said otherwise. */
  readonly ipv6?: boolean;
  /** Whether this process sees every frame, for ledger and captures; true unless said otherwise. */
  readonly taps?: boolean;
  /** Who pairs ESP: the daemon, unless it is the kernel's rules that are to be seen. */
  readonly pairing?: 'daemon' | 'kernel';
  /** Whether the daemon is started; true unless said otherwise. */
  readonly running?: boolean;
}

export function address(text: string): Ipv4Address {
  const parsed = parseIpv4(text);
  claim(parsed !== null, `"${text}" is an address`);
  return parsed;
}

function ipv6Address(text: string): Ipv6Address {
  const parsed = parseIpv6(text);
  claim(parsed !== null, `"${text}" is an address`);
  return parsed;
}

export class Household {
  readonly gateway: Namespace;
  readonly isp: Namespace;
  readonly devices: Host[] = [];
  readonly servers: Host[] = [];
  readonly daemon: Daemon;
  readonly ledger = new Ledger();
  readonly wanCapture = new Capture();
  readonly #namespaces: Namespace[] = [];
  readonly #taps: FrameTap[] = [];
  readonly #closing: (() => void)[] = [];
  readonly #hasIpv6: boolean;
  readonly #isTapped: boolean;

  private constructor(options: HouseholdOptions) {
    this.#hasIpv6 = options.ipv6 ?? false;
    this.#isTapped = options.taps ?? true;
    this.gateway = this.#namespace('gateway');
    this.isp = this.#namespace('isp');
    const lan = this.#namespace('lan');
    lan.ip('link add br0 type bridge', 'link set br0 up');
    this.isp.ip('link add br0 type bridge', 'link set br0 up', `address add ${ADDRESSES.ispNet}/24 dev br0`);
    this.#cable(lan, 'gateway', this.gateway, 'lan0', 'br0');
    this.gateway.ip(`address add ${ADDRESSES.gatewayLan}/24 dev lan0`);
    if (this.#hasIpv6) {
      this.isp.ip(`address add ${IPV6_ADDRESSES.ispNet}/64 dev br0`);
      this.gateway.ip(`address add ${IPV6_ADDRESSES.gatewayLan}/64 dev lan0`);
    }
    this.connectWan();
    for (let number = 1; number <= (options.devices ?? 3); number += 1) {
      this.devices.push(
        this.#host(`device${number}`, lan, `192.168.1.${10 + number}`, `2001:db8:1::${10 + number}`),
      );
    }
    for (let number = 1; number <= (options.servers ?? 2); number += 1) {
      this.servers.push(
        this.#host(`server${number}`, this.isp, `203.0.113.${number}`, `2001:db8:2::${number}`),
      );
    }
    this.isp.sysctl('net.ipv4.ip_forward', '1');
    // The product deliberately leaves IPv6 forwarding to whoever routes IPv6 on the machine.
    if (this.#hasIpv6)
      for (const router of [this.isp, this.gateway]) router.sysctl('net.ipv6.conf.all.forwarding', '1');
    this.daemon = new Daemon(this.gateway, '/run/throughway');
    this.daemon.writeConfig(`version: 1\ninterfaces: { wan: wan0, lan: [lan0] }\n${options.config ?? ''}`);
    const read = parseConfig(this.daemon.readConfig());
    claim('config' in read, `the scenario's configuration is in order: ${JSON.stringify(read)}`);
  }

  /** Resolves when everything is connected and, unless told otherwise, the daemon is ready. */
  static async build(options: HouseholdOptions = {}): Promise<Household> {
    const household = new Household(options);
    if (options.ipv6) await until('the IPv6 addresses to be usable', () => !household.#hasTentative());
    if (options.pairing === 'kernel') household.daemon.environment = { THROUGHWAY_PAIRING: 'kernel' };
    if (options.running ?? true) await household.daemon.start();
    return household;
  }

  /** Where servers send to: the gateway's address on the WAN. */
  get wan(): Ipv4Address {
    return ADDRESSES.wan;
  }

  get device(): Host {
    return this.devices[0]!;
  }

  get server(): Host {
    return this.servers[0]!;
  }

  /** Lays the cable between the gateway and the provider, also after it was removed. */
  connectWan(wanAddress: Ipv4Address = ADDRESSES.wan): void {
    this.#cable(this.isp, 'wan0', this.gateway, 'wan0', null);
    this.isp.ip(`address add ${ADDRESSES.ispWan}/24 dev wan0`);
    this.gateway.ip(`address add ${wanAddress}/24 dev wan0`, `route add default via ${ADDRESSES.ispWan}`);
    if (this.#hasIpv6) {
      this.isp.ip(
        `address add ${IPV6_ADDRESSES.ispWan}/64 dev wan0`,
        `route add ${LAN_PREFIX} via ${IPV6_ADDRESSES.wan}`,
      );
      this.gateway.ip(
        `address add ${IPV6_ADDRESSES.wan}/64 dev wan0`,
        `route add default via ${IPV6_ADDRESSES.ispWan}`,
      );
    }
    this.#tap(this.isp, 'wan0', (frame, arriving) => {
      this.wanCapture.add(frame);
      if (arriving) this.ledger.left(frame);
    });
  }

  /** A second host on a device's or server's cable: an address of its own in the same namespace. */
  addAddress(host: Host, text: string): Place {
    host.namespace.ip(`address add ${text}/24 dev eth0`);
    return { namespace: host.namespace, address: address(text) };
  }

  /** `close` is called when the household is torn down. */
  onClose(close: () => void): void {
    this.#closing.push(close);
  }

  async close(): Promise<void> {
    await this.daemon.signal('SIGKILL');
    for (const close of this.#closing.toReversed()) close();
    for (const tap of this.#taps) tap.close();
    for (const namespace of this.#namespaces) namespace.remove();
  }

  #namespace(name: string): Namespace {
    const namespace = new Namespace(name);
    this.#namespaces.push(namespace);
    // Nobody else has the address; asking around for it takes a second or two (RFC 4862 5.4).
    if (this.#hasIpv6) namespace.sysctl('net.ipv6.conf.default.accept_dad', '0');
    return namespace;
  }

  #hasTentative(): boolean {
    return this.#namespaces.some(
      (namespace) => namespace.run('ip', ['-6', 'address', 'show', 'tentative']) !== '',
    );
  }

  #cable(near: Namespace, nearName: string, far: Namespace, farName: string, bridge: string | null): void {
    near.ip(`link add ${nearName} type veth peer name ${farName} netns ${far.name}`);
    disableOffloads(near, nearName);
    disableOffloads(far, farName);
    near.ip(`link set ${nearName}${bridge === null ? '' : ` master ${bridge}`} up`);
    far.ip(`link set ${farName} up`);
  }

  #host(name: string, network: Namespace, text: string, ipv6Text: string): Host {
    const namespace = this.#namespace(name);
    this.#cable(network, name, namespace, 'eth0', 'br0');
    const [router, ipv6Router] =
      network === this.isp
        ? [ADDRESSES.ispNet, IPV6_ADDRESSES.ispNet]
        : [ADDRESSES.gatewayLan, IPV6_ADDRESSES.gatewayLan];
    namespace.ip(`address add ${text}/24 dev eth0`, `route add default via ${router}`);
    if (this.#hasIpv6)
      namespace.ip(`address add ${ipv6Text}/64 dev eth0`, `route add default via ${ipv6Router}`);
    const ipv6 = ipv6Address(ipv6Text);
    const host = { name, namespace, address: address(text), ipv6, capture: new Capture() };
    this.#tap(namespace, 'eth0', (frame, arriving) => {
      host.capture.add(frame);
      if (arriving) this.ledger.arrived(name, frame);
    });
    return host;
  }

  #tap(
    namespace: Namespace,
    interfaceName: string,
    onFrame: (frame: Uint8Array, arriving: boolean) => void,
  ): void {
    if (!this.#isTapped) return;
    const index = Number(namespace.run('cat', [`/sys/class/net/${interfaceName}/ifindex`]));
    this.#taps.push(new FrameTap(namespace, index, onFrame));
  }
}
