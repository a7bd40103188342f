// Fills a gateway: connections that conntrack tracks and pairs of ESP that the kernel has learned, as
// many as a measurement wants, and counts what is there. The far end is a black hole at the provider,
// so that nobody answers and nothing changes by itself.
import { parseIpv4, type Ipv4Address, type Port } from '../src/core/address.ts';
import { TABLE, TABLE_NAME } from '../src/core/policy/ruleset.ts';
import { emitIpv4Packet, ipProtocols } from '../src/core/wire/ipv4.ts';
import { emitTcp } from '../src/core/wire/tcp.ts';
import { emitUdp } from '../src/core/wire/udp.ts';
import { TableReader } from '../src/linux/nft-table.ts';
import { PacketSender } from '../lab/sockets.ts';
import type { Household } from '../lab/topologies/household.ts';
import { until } from '../lab/wait.ts';

const FAR = parseIpv4('198.18.0.1')!;
const FAR_NETWORK = '198.18.0.0/15';
const FIRST_PORT = 20_000;
/** Ports above FIRST_PORT. */
const MOST_FLOWS = 40_000;
const ELEMENTS_AT_ONCE = 1000;

/** A device that opens many connections to one port, each from a source port of its own. */
export class Opener {
  readonly #household: Household;
  readonly #packets: Uint8Array[];
  readonly #sender: PacketSender;

  constructor(household: Household, protocol: 'udp' | 'tcp', port: number, count: number) {
    if (count > MOST_FLOWS) throw new Error(`${count} flows: there are ${MOST_FLOWS} ports`);
    this.#household = household;
    const ends = { source: household.device.address, destination: FAR };
    this.#packets = Array.from({ length: count }, (_, index) => {
      const ports = { sourcePort: (FIRST_PORT + index) as Port, destinationPort: port as Port };
      const payload =
        protocol === 'udp'
          ? emitUdp(ends, { ...ports, payload: new Uint8Array(8) })
          : emitTcp(ends, { ...ports, flags: { syn: true } });
      return emitIpv4Packet({ ...ends, protocol: ipProtocols[protocol], payload });
    });
    this.#sender = new PacketSender(household.device.namespace);
    household.onClose(() => this.#sender.close());
    household.isp.ip(`route replace blackhole ${FAR_NETWORK}`);
  }

  /** Resolves when all are tracked. */
  async open(): Promise<void> {
    for (const packet of this.#packets) this.#sender.send(FAR, packet);
    await until('the connections to be tracked', () => countTracked(this.#household) >= this.#packets.length);
  }
}

export function countTracked({ gateway }: Household): number {
  return Number(gateway.run('cat', ['/proc/sys/net/netfilter/nf_conntrack_count']));
}

/** Pairs as if so many sessions of the first device had been learned. */
export function fillPairs({ gateway, device }: Household, count: number): void {
  const pairs = Array.from({ length: count }, (_, index) => ({
    server: serverAt(index),
    spi: 0x1_0000 + index,
  }));
  const inbound = pairs.map(({ server, spi }) => `${server} . ${spi} timeout 8h : ${device.address}`);
  const outbound = pairs.map(({ server, spi }) => `${device.address} . ${server} . ${spi} timeout 8h`);
  const load = (commands: string): unknown => gateway.run('nft', ['-f', '-'], commands);
  for (const part of addElements(`${TABLE} esp_in`, inbound)) load(part);
  for (const part of addElements(`${TABLE} esp_out`, outbound)) load(part);
}

/** Commands that add elements, each a transaction that fits the socket buffer of an ordinary user. */
export function* addElements(map: string, elements: readonly string[]): Generator<string> {
  for (let from = 0; from < elements.length; from += ELEMENTS_AT_ONCE) {
    yield `add element ${map} { ${elements.slice(from, from + ELEMENTS_AT_ONCE).join(',\n')} }\n`;
  }
}

export function forgetPairs({ gateway }: Household): void {
  gateway.run('nft', ['-f', '-'], `flush map ${TABLE} esp_in\nflush set ${TABLE} esp_out\n`);
}

/** How often a list is read again that changed under the reader. */
const MOST_READINGS = 100;

/** How many elements the kernel holds in a set or map of ours. (nft itself reads a list that changes on and on.) */
export async function countElements({ gateway }: Household, name: string): Promise<number> {
  const reader = gateway.inside(() => new TableReader(TABLE_NAME));
  try {
    for (let reading = 0; reading < MOST_READINGS; reading += 1) {
      let found = 0;
      if (await reader.listElements(name, () => (found += 1))) return found;
    }
    throw new Error(
      `"${name}" changed in each of ${MOST_READINGS} readings, so its elements were not counted`,
    );
  } finally {
    reader.close();
  }
}

/** A thousand sessions a server. */
function serverAt(index: number): Ipv4Address {
  const server = Math.floor(index / 1000) + 1;
  return parseIpv4(`198.18.${server >> 8}.${server & 255}`)!;
}
