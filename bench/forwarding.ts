// How many packets per second of processor time a router forwards, by several ways in the same run.
//
// Each way has a rig of its own (topology.ts), so that a round is one measurement per way without
// loading anything; rounds alternate in order, and a ratio compares measurements of one round. The
// packets are XDP live frames; the cost is the run time of the kernel thread in which the router
// receives, forwards and transmits. That thread and the sink's share a processor at the same
// real-time priority: neither may interrupt the other or be interrupted by ordinary threads, since
// the scheduler charges the rest of a poll to whoever interrupted it.
//
// Nothing is tolerated: one lost or wrong packet is a MeasurementError with the router's counters.
import { setImmediate, setTimeout } from 'node:timers/promises';
import { closeDescriptor } from '../src/linux/libc.ts';
import { attachProgram, createMap, loadProgram, runOnLiveFrames } from './bpf.ts';
import { MAP_BYTES, generator, readCounters, resetCounters, sink } from './programs.ts';
import type { Counters } from './programs.ts';
import { spreadOf, type Spread } from './figures.ts';
import type { End, Processors, Rig } from './topology.ts';
import {
  buildRig,
  explainRouter,
  inNamespace,
  removeRig,
  threadNanoseconds,
  threadSleeps,
} from './topology.ts';
import type { Scenario } from './traffic.ts';
import { planPackets, scenarioName } from './traffic.ts';
import type { Way } from './ways.ts';

export interface Settings {
  readonly rounds: number;
  /** How long packets are sent in one measurement; the warm-up takes a tenth more. */
  readonly seconds: number;
  /** Whether outbound flows are measured that no server has answered, which conntrack takes for new. */
  readonly oneWay: boolean;
  readonly processors: Processors;
}

export interface Result {
  readonly scenario: Scenario;
  readonly way: string;
  readonly packetsPerCpuSecond: Spread;
  /** To the first way, round by round. */
  readonly ratio: Spread;
  /** To masquerade, round by round; null when that was not measured. */
  readonly toMasquerade: Spread | null;
  /** The share of the time in which the router's thread ran; the rest is the sink's, or waiting. */
  readonly busy: Spread;
  /** Every packet of every round, none of them lost or wrong. */
  readonly packets: number;
}

interface Sample {
  readonly packets: number;
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
}

/** The numbers would not mean what they say: packets were lost or wrong, or none came through. */
export class MeasurementError extends Error {
  constructor(what: string, scenario: Scenario, way: Way, router: string) {
    super(`${way.name}, ${scenarioName(scenario)}: ${what}\n${explainRouter(router)}`);
    this.name = 'MeasurementError';
  }
}

/** One result per way, in the order of `ways`; the first way is what the others are compared to. */
export async function measureScenario(
  scenario: Scenario,
  ways: readonly Way[],
  settings: Settings,
): Promise<Result[]> {
  const lanes: Lane[] = [];
  try {
    for (const [index, way] of ways.entries()) {
      lanes.push(await Lane.open(`w${index}`, way, scenario, settings));
    }
    const samples = lanes.map((): Sample[] => []);
    for (let round = 0; round < settings.rounds; round += 1) {
      const order = [...lanes.keys()];
      if (round % 2 === 1) order.reverse();
      for (const index of order) samples[index]!.push(await lanes[index]!.measure(settings.seconds));
    }
    const masquerade = ways.findIndex(({ name }) => name === 'masquerade');
    return ways.map((way, index) =>
      summarize(scenario, way, samples[index]!, samples[0]!, samples[masquerade] ?? null),
    );
  } finally {
    for (const lane of lanes) lane.close();
  }
}

function summarize(
  scenario: Scenario,
  way: Way,
  samples: Sample[],
  first: Sample[],
  masquerade: Sample[] | null,
): Result {
  const rates = samples.map(rateOf);
  const ratioTo = (reference: Sample[]): Spread =>
    spreadOf(rates.map((rate, round) => rate / rateOf(reference[round]!)));
  return {
    scenario,
    way: way.name,
    packetsPerCpuSecond: spreadOf(rates),
    ratio: ratioTo(first),
    toMasquerade: masquerade && ratioTo(masquerade),
    busy: spreadOf(samples.map(({ cpuSeconds, wallSeconds }) => cpuSeconds / wallSeconds)),
    packets: samples.reduce((sum, { packets }) => sum + packets, 0),
  };
}

function rateOf({ packets, cpuSeconds }: Sample): number {
  return packets / cpuSeconds;
}

/** A first guess at how often the generator runs in a second; each measurement corrects it. */
const FIRST_RUNS_PER_SECOND = 5_000_000;
/** Above this, one call could outlast its measurement on a machine that slows down. */
const MAX_RUNS = 100_000_000;
const DRAIN_MILLISECONDS = 500;

/** One way with its rig, its packets and its programs. */
class Lane {
  readonly #rig: Rig;
  readonly #way: Way;
  readonly #scenario: Scenario;
  readonly #stream: Stream;

  private constructor(rig: Rig, way: Way, scenario: Scenario) {
    this.#rig = rig;
    this.#way = way;
    this.#scenario = scenario;
    this.#stream = new Stream(rig, scenario, way.translates);
  }

  static async open(name: string, way: Way, scenario: Scenario, settings: Settings): Promise<Lane> {
    const rig = buildRig(name, settings.processors);
    try {
      await way.prepare(rig.router, scenario);
      if (!(settings.oneWay && scenario.direction === 'out')) {
        for (const direction of ['out', 'in'] as const) {
          const first = new Lane(rig, way, { ...scenario, direction });
          await first.#sendEachOnce();
          first.#stream.close();
        }
      }
      const lane = new Lane(rig, way, scenario);
      await lane.#sendEachOnce();
      return lane;
    } catch (error) {
      removeRig(rig);
      throw error;
    }
  }

  close(): void {
    this.#stream.close();
    removeRig(this.#rig);
  }

  async measure(seconds: number): Promise<Sample> {
    const warmUp = seconds / 10;
    let runsPerSecond = FIRST_RUNS_PER_SECOND;
    for (let spent = 0; spent < warmUp;) {
      const runs = Math.ceil(runsPerSecond * warmUp);
      // By processor time: each call also sleeps for a while, which says nothing about the next.
      const before = process.threadCpuUsage();
      const wall = this.#stream.send('random', runs);
      const { user, system } = process.threadCpuUsage(before);
      runsPerSecond = runs / Math.max((user + system) / 1e6, wall / 10);
      spent += wall;
    }
    await this.#drained();

    const thread = this.#stream.routerThread;
    resetCounters(this.#stream.map);
    const before = threadNanoseconds(thread);
    const wallSeconds = this.#stream.send('random', Math.min(runsPerSecond * seconds, MAX_RUNS));
    const { seen } = await this.#drained();
    const cpuSeconds = (threadNanoseconds(thread) - before) / 1e9;
    if (cpuSeconds > wallSeconds * 1.1) {
      this.#fail(`${cpuSeconds} s of processor time in ${wallSeconds} s: the clocks disagree`);
    }
    return { packets: seen, cpuSeconds, wallSeconds };
  }

  /** Makes and checks every session, so that none is new when it is measured. */
  async #sendEachOnce(): Promise<void> {
    const { sessions } = this.#scenario;
    resetCounters(this.#stream.map);
    for (let sent = 0; sent < sessions;) {
      this.#stream.send('once', Math.max(50_000, sessions * 10));
      const now = (await this.#drained()).sent;
      if (now === sent) this.#fail(`only ${now} of ${sessions} sessions could be sent`);
      sent = now;
    }
  }

  /** Waits until all that was sent has arrived and the router's thread sleeps. */
  async #drained(): Promise<Counters> {
    const deadline = performance.now() + DRAIN_MILLISECONDS;
    await setImmediate();
    for (;;) {
      const counters = readCounters(this.#stream.map);
      const { sent, seen, wrong, witness } = counters;
      if (wrong > 0) {
        const hex = Buffer.from(witness ?? []).toString('hex');
        this.#fail(`${wrong} of ${seen} packets arrived wrong, the first was ${hex}`);
      }
      if (sent > 0 && sent === seen && threadSleeps(this.#stream.routerThread)) return counters;
      if (performance.now() > deadline) this.#fail(`${sent} packets sent, ${sent - seen} lost`);
      await setTimeout(1);
    }
  }

  #fail(what: string): never {
    throw new MeasurementError(what, this.#scenario, this.#way, this.#rig.router);
  }
}

/** The two generators at one end and the sink at the other, loaded and attached. */
class Stream {
  readonly map = createMap(MAP_BYTES);
  readonly routerThread: number;
  readonly #from: End;
  readonly #frame: Uint8Array;
  readonly #generators: Record<'random' | 'once', number>;
  readonly #descriptors: number[];

  constructor(rig: Rig, scenario: Scenario, translates: boolean) {
    const [from, to] = scenario.direction === 'out' ? [rig.clients, rig.servers] : [rig.servers, rig.clients];
    const { sent, arriving } = planPackets(scenario, translates);
    const load = (order: 'random' | 'once'): number =>
      loadProgram(
        `send_${order}`,
        generator(
          sent,
          scenario.sessions,
          order,
          { source: from.mac, destination: from.routerMac },
          from.interfaceIndex,
          this.map,
        ),
      );
    this.#generators = { random: load('random'), once: load('once') };
    const sinkProgram = loadProgram('sink', sink(arriving, scenario.sessions, this.map));
    const link = inNamespace(to.namespace, () => attachProgram(sinkProgram, to.interfaceIndex));
    this.#descriptors = [link, sinkProgram, ...Object.values(this.#generators), this.map];
    this.#from = from;
    this.#frame = sent.frame;
    this.routerThread = from.routerThread;
  }

  /** Runs the generator so many times in this thread; returns the seconds that took. */
  send(order: 'random' | 'once', runs: number): number {
    const begun = performance.now();
    inNamespace(this.#from.namespace, () =>
      runOnLiveFrames(this.#generators[order], this.#frame, Math.ceil(runs)),
    );
    return (performance.now() - begun) / 1000;
  }

  close(): void {
    for (const descriptor of this.#descriptors) closeDescriptor(descriptor);
  }
}
