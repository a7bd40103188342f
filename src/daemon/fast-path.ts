// The daemon's part of ESP's fast path (core/policy/fast-path.ts): which pairs are busy, where each
// leaves, and the table that says so. Cautious: whatever may change an answer (routes, links,
// addresses, the ruleset, another table's rules) takes the whole table away at once, and a second
// later it is made anew from what is true then. Meanwhile all goes the ordinary way.
import { ipv4FromBytes, type InterfaceName, type Ipv4Address } from '../core/address.ts';
import { BusyPairs } from '../core/policy/busy-pairs.ts';
import {
  FAST_TABLE,
  laneName,
  MOST_EXITS,
  REMOVE_FAST_PATH,
  renderFastPath,
  sizeFor,
  type FastExit,
  type FastLane,
  type FastPath,
} from '../core/policy/fast-path.ts';
import { FastCounts, type Count } from '../core/policy/fast-counts.ts';
import { TABLE_NAME } from '../core/policy/ruleset.ts';
import type { NftElement } from '../core/wire/nft-elements.ts';
import { LinuxError } from '../linux/libc.ts';
import type { SystemLink } from '../linux/links.ts';
import type { Nft } from '../linux/nft.ts';
import { TableReader } from '../linux/nft-table.ts';
import { Routes } from '../linux/routes.ts';
import { readSysctl } from '../linux/sysctl.ts';
import { reasonOf } from './failure.ts';
import type { Log } from './log.ts';

const TICK_MS = 1_000;
/** Lists take at most a fortieth of the time, however long they are. */
const REST_FACTOR = 40;
/** Some 20 ms for nft; while more wait, they follow soon. */
const MOST_STEPS = 2_000;
const SOON_MS = 200;

type Direction = 'out' | 'in';
const DIRECTIONS = ['out', 'in'] as const;

/** What the fast path depends on beside the pairs; null while it must not be. */
export interface FastPathGround {
  readonly wan: InterfaceName;
  readonly lan: readonly InterfaceName[];
  readonly wanAddress: Ipv4Address;
  /** Whether outbound ESP has the WAN address already when it is routed. */
  readonly isEarly: boolean;
}

export interface FastPathOptions {
  readonly nft: Nft;
  readonly log: Log;
  readonly links: () => readonly SystemLink[];
  /** The ground as it is now; asked before each change. */
  readonly ground: () => FastPathGround | null;
  /** Nothing else of the gateway happens meanwhile. */
  readonly inTurn: (work: () => Promise<void>) => Promise<void>;
}

/** A pair as its twelve bytes in the kernel: client, server, SPI outbound; server, SPI, client inbound. */
type PairKey = string;

interface Installed {
  readonly shape: string;
  readonly elements: Record<Direction, Set<string>[]>;
  readonly sizes: Record<Direction, number[]>;
}

export class FastPathKeeper {
  readonly #options: FastPathOptions;
  readonly #table = new TableReader(TABLE_NAME);
  readonly #routes: Routes;
  readonly #busy = { out: new BusyPairs(), in: new BusyPairs() };
  /** Exits by direction and far address; emptied when anything changes. */
  readonly #counts = { out: new FastCounts(), in: new FastCounts() };
  readonly #exits = new Map<string, FastExit | null>();
  #installed: Installed | null = null;
  /** Changes whenever what was found out before may be wrong. */
  #age = 0;
  #trouble = '';
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: FastPathOptions) {
    this.#options = options;
    this.#routes = new Routes(() => this.withdraw());
    this.#schedule(TICK_MS);
  }

  /** How many pairs take it now, each direction for itself. */
  get size(): number {
    if (this.#installed === null) return 0;
    const { out, in: back } = this.#installed.elements;
    return [...out, ...back].reduce((sum, elements) => sum + elements.size, 0);
  }

  /** What an element of `esp_in` or `esp_out` does not count of its pair. */
  countsBeside(direction: 'out' | 'in', { key, data }: Pick<NftElement, 'key' | 'data'>): Count {
    return this.#counts[direction].of(pairKey(key, data));
  }

  /** To stand in front of a transaction that changes the ruleset: the fast path ends with the old rules. */
  get removal(): string {
    return this.#installed === null ? '' : REMOVE_FAST_PATH;
  }

  /** A transaction with `removal` has been done: what is there now is the ruleset alone. */
  removed(): void {
    this.#age += 1;
    this.#exits.clear();
    this.#installed = null;
    for (const direction of DIRECTIONS) this.#counts[direction].settle();
  }

  /** Takes it away now. When it may be, it is back in a second. */
  withdraw(): void {
    const { removal } = this;
    this.removed();
    // One transaction of libnftables is done when `run` returns.
    if (removal !== '') this.#options.nft.run(removal).catch((error: unknown) => this.#complain(error));
  }

  close(): void {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#routes.close();
    this.#table.close();
    this.withdraw();
  }

  #schedule(ms: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.#tick(), ms);
    this.#timer.unref();
  }

  async #tick(): Promise<void> {
    const began = performance.now();
    let more = false;
    try {
      more = await this.#follow();
      this.#trouble = '';
    } catch (error) {
      if (this.#closed) return;
      this.withdraw();
      this.#complain(error);
    }
    this.#schedule(more ? SOON_MS : Math.max(TICK_MS, (performance.now() - began) * REST_FACTOR));
  }

  /** Resolves to whether more pairs wait. */
  async #follow(): Promise<boolean> {
    const age = this.#age;
    await this.#readCounts();
    const ground = this.#options.ground();
    const path = ground === null ? null : await this.#plan(ground);
    let more = false;
    await this.#options.inTurn(async () => {
      if (age !== this.#age || this.#closed) return;
      if (path === null || path.out.length + path.in.length === 0) this.withdraw();
      else more = await this.#bring(path);
    });
    return more;
  }

  async #readCounts(): Promise<void> {
    for (const direction of DIRECTIONS) {
      const counters = new Map<PairKey, Count>();
      const installed = this.#installed;
      for (const index of installed?.sizes[direction].keys() ?? []) {
        const onElement = ({ key, data, counter }: NftElement): void => {
          if (counter) counters.set(pairKey(key, data), counter);
        };
        await this.#table.listElements(laneName(direction, index), onElement, 'netdev');
      }
      // What was there when it began has gone meanwhile, and is settled.
      if (installed !== null && installed === this.#installed) this.#counts[direction].read(counters);
    }
  }

  /** Null where it cannot be. */
  async #plan(ground: FastPathGround): Promise<FastPath | null> {
    const links = this.#options.links();
    const ethernet = (name: InterfaceName): SystemLink | null => {
      const link = links.find((one) => one.name === name);
      const isForwarding = readSysctl(`net/ipv4/conf/${name}/forwarding`) === '1';
      return link?.up && link.running && link.mac !== null && isForwarding ? link : null;
    };
    const wan = ethernet(ground.wan);
    const lan = ground.lan.map(ethernet).filter((link) => link !== null);
    if (wan === null || lan.length === 0) return null;
    const lanes = {
      out: await this.#lanes('out', ground, lan, [wan]),
      in: await this.#lanes('in', ground, [wan], lan),
    };
    const { wan: wanName, wanAddress } = ground;
    return { wan: wanName, lan: lan.map(({ name }) => name), wanAddress, ...lanes };
  }

  async #lanes(
    direction: Direction,
    ground: FastPathGround,
    from: readonly SystemLink[],
    to: readonly SystemLink[],
  ): Promise<FastLane[]> {
    const pairs = new Map<PairKey, number>();
    const isComplete = await this.#table.listElements(`esp_${direction}`, ({ key, data, counter }) => {
      const pair = pairKey(key, data);
      if (pair.length === 12) pairs.set(pair, counter?.packets ?? 0);
    });
    if (!isComplete) return [];
    this.#counts[direction].keepOnly((pair) => pairs.has(pair));
    const lanes = new Map<string, { exit: FastExit; mostBytes: number | null; elements: string[] }>();
    for (const pair of this.#busy[direction].list(pairs, performance.now())) {
      const { client, server, element } = readPair(direction, pair);
      const exit = await this.#exit(direction, ground, from, client, server);
      const link = exit && to.find(({ name }) => name === exit.device);
      if (!exit || !link) continue;
      const key = JSON.stringify(exit);
      let lane = lanes.get(key);
      if (!lane) {
        if (lanes.size === MOST_EXITS) continue;
        const isWide = from.every(({ mtu }) => mtu <= link.mtu);
        lane = { exit, mostBytes: isWide ? null : link.mtu, elements: [] };
        lanes.set(key, lane);
      }
      lane.elements.push(element);
    }
    return [...lanes.values()];
  }

  async #exit(
    direction: Direction,
    { isEarly, wanAddress }: FastPathGround,
    from: readonly SystemLink[],
    client: Ipv4Address,
    server: Ipv4Address,
  ): Promise<FastExit | null> {
    const [source, destination] =
      direction === 'in' ? [server, client] : [isEarly ? wanAddress : client, server];
    const key = `${direction} ${direction === 'in' ? client : `${source} ${server}`}`;
    const known = this.#exits.get(key);
    if (known !== undefined) return known;
    const age = this.#age;
    // Whichever LAN it came from: they are asked alike unless there is policy routing, and then all must agree.
    const answers = await Promise.all(from.map(({ index }) => this.#routes.ask(source, destination, index)));
    const [first] = answers;
    const isAgreed =
      first && answers.every((one) => one?.index === first.index && one.gateway === first.gateway);
    const device = isAgreed && this.#options.links().find(({ index }) => index === first.index);
    const exit = device ? { device: device.name, nextHop: first.gateway } : null;
    if (age === this.#age) this.#exits.set(key, exit);
    return exit;
  }

  /** Resolves to whether more elements wait. */
  async #bring(path: FastPath): Promise<boolean> {
    const shape = JSON.stringify([
      path.wan,
      path.lan,
      path.wanAddress,
      ...DIRECTIONS.map((direction) => path[direction].map(({ exit, mostBytes }) => [exit, mostBytes])),
    ]);
    const hasRoom = DIRECTIONS.every((direction) =>
      path[direction].every(
        ({ elements }, index) => elements.length <= (this.#installed?.sizes[direction][index] ?? 0),
      ),
    );
    if (this.#installed?.shape !== shape || !hasRoom) {
      const lanes = (direction: Direction): FastLane[] =>
        path[direction].map((lane) => ({ ...lane, elements: lane.elements.slice(0, MOST_STEPS / 8) }));
      const first = { ...path, out: lanes('out'), in: lanes('in') };
      const room = (direction: Direction): number[] =>
        path[direction].map(({ elements }) => sizeFor(elements.length));
      const sizes = { out: room('out'), in: room('in') };
      const text = REMOVE_FAST_PATH + renderFastPath(first, sizes);
      // Its counters go with the table: what passed while the plan was made is read first.
      const age = this.#age;
      await this.#readCounts();
      if (age !== this.#age || this.#closed) return true;
      await this.#options.nft.run(text);
      for (const direction of DIRECTIONS) this.#counts[direction].settle();
      this.#installed = {
        shape,
        sizes,
        elements: { out: first.out.map(asSet), in: first.in.map(asSet) },
      };
    }
    return this.#bringElements(path, this.#installed);
  }

  async #bringElements(path: FastPath, installed: Installed): Promise<boolean> {
    const commands: string[] = [];
    let steps = 0;
    let more = false;
    const step = (verb: 'add' | 'delete', set: string, elements: string[]): void => {
      if (elements.length === 0) return;
      const written = verb === 'add' ? elements : elements.map((one) => one.split(' : ')[0]!);
      commands.push(`${verb} element ${FAST_TABLE} ${set} { ${written.join(', ')} }\n`);
      steps += elements.length;
    };
    for (const direction of DIRECTIONS) {
      for (const [index, { elements }] of path[direction].entries()) {
        const held = installed.elements[direction][index]!;
        const wanted = new Set(elements);
        const gone = [...held].filter((one) => !wanted.has(one));
        const missing = elements.filter((one) => !held.has(one));
        const come = missing.slice(0, Math.max(MOST_STEPS - steps, 0));
        more ||= come.length < missing.length;
        step('delete', laneName(direction, index), gone);
        step('add', laneName(direction, index), come);
        for (const one of gone) held.delete(one);
        for (const one of come) held.add(one);
      }
    }
    if (commands.length > 0) await this.#options.nft.run(commands.join(''));
    return more;
  }

  /** Without it everything works, so it is no trouble of the user's; told once until it works again. */
  #complain(error: unknown): void {
    if (!(error instanceof LinuxError)) throw error;
    const reason = reasonOf(error);
    if (this.#trouble === '') this.#options.log('info', 'busy ESP takes the ordinary way', { reason });
    this.#trouble = reason;
  }
}

/** The bytes of the kernel's key and data in one. */
function pairKey(key: Uint8Array, data: Uint8Array | null): PairKey {
  return String.fromCharCode(...key, ...(data ?? []));
}

const asSet = ({ elements }: FastLane): Set<string> => new Set(elements);

function readPair(
  direction: Direction,
  pair: PairKey,
): { client: Ipv4Address; server: Ipv4Address; element: string } {
  const bytes = Uint8Array.from(pair, (letter) => letter.charCodeAt(0));
  const address = (at: number): Ipv4Address => ipv4FromBytes(bytes.subarray(at, at + 4));
  const spi = (at: number): number => new DataView(bytes.buffer).getUint32(at);
  if (direction === 'out') {
    const [client, server] = [address(0), address(4)];
    return { client, server, element: `${client} . ${server} . ${spi(8)}` };
  }
  const [server, client] = [address(0), address(8)];
  return { client, server, element: `${server} . ${spi(4)} : ${client}` };
}
