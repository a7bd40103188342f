// Plays one row through one gateway, stage by stage, and says of each what was seen. A stage that fails
// does not stop the next, unless no device is connected.
import { setTimeout as sleep } from 'node:timers/promises';
import { PROTOCOLS } from '../src/core/config/schema.ts';
import { claimEqual, Disproved } from '../lab/wait.ts';
import { renderEvidence } from './evidence.ts';
import type { Row, Setting, Trial, Tunnel } from './row.ts';
import { ping, Transfers, untilAnswered, type Rates } from './transfer.ts';
import { World, type Way } from './world.ts';

export interface StageResult {
  readonly stage: string;
  readonly holds: boolean;
  /** What was seen. */
  readonly note: string;
}

export interface Result {
  readonly id: string;
  readonly way: Way;
  readonly stages: readonly StageResult[];
  /** Of the devices in the order of their numbers, all at the same time; empty when there was no transfer. */
  readonly rates: readonly Rates[];
  readonly seconds: number;
}

const PINGS = 10;
/** In tenths of a second: long enough for the kill, a device that connects anew, and the start. */
const RESTART_PINGS = 100;

class Player {
  readonly stages: StageResult[] = [];
  rates: Rates[] = [];
  readonly #row: Row;
  readonly #world: World;

  constructor(row: Row, world: World) {
    this.#row = row;
    this.#world = world;
  }

  /** Throughway: everything. */
  async playAll(): Promise<void> {
    const { governedBy, rekeys, checks } = this.#row;
    if (!(await this.#stage('connect', () => this.#connectAll()))) return;
    await this.#stage('data', () => this.#data());
    for (const rekey of rekeys) await this.#stage(`rekey: ${rekey.title}`, () => this.#rekey(rekey));
    if (governedBy === null) await this.#stage('all switches off', () => this.#ungoverned());
    else await this.#stage('off and on', () => this.#offAndOn());
    await this.#stage('kill -9', () => this.#restart());
    for (const check of checks ?? [])
      await this.#stage(check.title, async () => {
        await check.play(this.#world);
        return '';
      });
    await this.#stage('nothing private left', () => {
      this.#world.claimNothingPrivateLeft();
      return Promise.resolve('');
    });
  }

  /** The baseline: how many devices connect, and how many of them have data. */
  async playBaseline(): Promise<void> {
    const all = this.#devices.length;
    const connected = await Promise.allSettled(this.#devices.map((_, index) => this.#connect(index)));
    const count = connected.filter(({ status }) => status === 'fulfilled').length;
    this.stages.push({ stage: 'connect', holds: count === all, note: `${count} of ${all}` });
    const answered = await Promise.allSettled(
      this.#pairs().map(({ device, tunnel }) => untilAnswered(device, tunnel.serverInside, 8_000)),
    );
    const withData = answered.filter(({ status }) => status === 'fulfilled').length;
    this.stages.push({ stage: 'data', holds: withData === all, note: `${withData} of ${all}` });
    if (withData === all) await this.#stage('transfer', () => this.#transfer());
  }

  get #devices(): World['devices'] {
    return this.#world.devices.slice(0, this.#row.connected);
  }

  #pairs(): { device: World['server']; tunnel: Tunnel }[] {
    return this.#world.tunnels.flatMap((tunnel, index) =>
      tunnel === null ? [] : [{ device: this.#devices[index]!, tunnel }],
    );
  }

  /** Whether it holds. */
  async #stage(stage: string, play: () => Promise<string>): Promise<boolean> {
    const result = await playStage(stage, play);
    this.stages.push(result);
    return result.holds;
  }

  async #connect(index: number): Promise<void> {
    this.#world.tunnels[index] = null;
    this.#world.tunnels[index] = await this.#row.connect(this.#world, index);
  }

  /** All at the same moment. */
  async #connectAll(): Promise<string> {
    const began = performance.now();
    const tried = await Promise.allSettled(this.#devices.map((_, index) => this.#connect(index)));
    const failed = tried.flatMap((one, index) =>
      one.status === 'rejected' ? [`${this.#devices[index]!.name}: ${String(one.reason)}`] : [],
    );
    if (failed.length > 0) throw new Disproved(failed.join('; '));
    return `${this.#devices.length} devices in ${seconds(began)} s`;
  }

  async #data(): Promise<string> {
    await this.#allAnswer(20_000);
    await Promise.all(
      this.#pairs().map(({ tunnel }) => untilAnswered(this.#world.server, tunnel.deviceInside, 5_000)),
    );
    return this.#transfer();
  }

  async #transfer(): Promise<string> {
    const transfers = await Transfers.serve(this.#world.server, this.#row.megabytes ?? 16);
    this.rates = await Promise.all(
      this.#pairs().map(({ device, tunnel }) => transfers.play(device, tunnel.serverInside)),
    );
    return this.rates.map(({ up, down }) => `${up.toFixed(0)}/${down.toFixed(0)} Mbit/s`).join(', ');
  }

  /** Every device is answered within the patience, and then every one of ten pings. */
  async #allAnswer(patienceMs: number): Promise<void> {
    await Promise.all(
      this.#pairs().map(async ({ device, tunnel }) => {
        await untilAnswered(device, tunnel.serverInside, patienceMs);
        claimEqual(
          await ping(device, tunnel.serverInside, PINGS),
          PINGS,
          `answers to ${device.name}'s pings`,
        );
      }),
    );
  }

  async #rekey(rekey: Row['rekeys'][number]): Promise<string> {
    const began = performance.now();
    await rekey.play(this.#world);
    const took = seconds(began);
    await this.#allAnswer(10_000);
    for (const { device, tunnel } of this.#pairs())
      claimEqual(
        await ping(this.#world.server, tunnel.deviceInside, 3),
        3,
        `answers of ${device.name} to the server after it`,
      );
    return `${took} s`;
  }

  async #ungoverned(): Promise<string> {
    const { daemon } = this.#world.household;
    await daemon.setPassthrough(allOf('disabled'));
    try {
      await this.#allAnswer(1_000);
      await this.#row.disconnect(this.#world, 0);
      await this.#connect(0);
      await this.#allAnswer(10_000);
    } finally {
      await daemon.setPassthrough(allOf('enabled'));
    }
    return 'goes on, and connects again';
  }

  async #offAndOn(): Promise<string> {
    const { daemon } = this.#world.household;
    const protocol = this.#row.governedBy!;
    await daemon.setPassthrough({ [protocol]: 'disabled' });
    try {
      const got = await Promise.all(
        this.#pairs().map(({ device, tunnel }) => ping(device, tunnel.serverInside, 4, 0.3)),
      );
      claimEqual(got.join(), got.map(() => 0).join(), `answers of each device with ${protocol} disabled`);
    } finally {
      await daemon.setPassthrough({ [protocol]: 'enabled' });
    }
    const back = await Promise.allSettled(
      this.#pairs().map(({ device, tunnel }) => untilAnswered(device, tunnel.serverInside, 6_000)),
    );
    const lost = back.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []));
    for (const index of lost) await this.#row.disconnect(this.#world, index);
    await Promise.all(lost.map((index) => this.#connect(index)));
    await this.#allAnswer(20_000);
    return lost.length === 0 ? 'comes back by itself' : `${lost.length} of ${back.length} had to dial again`;
  }

  async #restart(): Promise<string> {
    const { daemon } = this.#world.household;
    const pings = this.#pairs().map(({ device, tunnel }) => ping(device, tunnel.serverInside, RESTART_PINGS));
    await sleep(500);
    await daemon.signal('SIGKILL');
    // Nobody is there to help this one connect.
    await this.#row.disconnect(this.#world, 0);
    await this.#connect(0);
    await untilAnswered(this.#devices[0]!, this.#world.tunnels[0]!.serverInside, 10_000);
    await daemon.start();
    const got = await Promise.all(pings);
    claimEqual(
      got.slice(1).join(),
      got
        .slice(1)
        .map(() => RESTART_PINGS)
        .join(),
      'answers of each device but the first while the daemon was killed and started',
    );
    await this.#allAnswer(20_000);
    return 'nothing lost, and one connected meanwhile';
  }
}

export function playRow(row: Row, way: Way): Promise<Result> {
  return playIn(row, way, async (world) => {
    await row.prepare(world);
    const player = new Player(row, world);
    await (way === 'throughway' ? player.playAll() : player.playBaseline());
    return player;
  });
}

export function playTrial(trial: Trial): Promise<Result> {
  return playIn(trial, 'throughway', async (world) => {
    const stages: StageResult[] = [];
    for (const step of trial.steps) stages.push(await playStage(step.title, () => step.play(world)));
    return { stages, rates: [] };
  });
}

/** Builds the world, plays in it, and tears it down; a failure prints its evidence. */
async function playIn(
  setting: Setting,
  way: Way,
  play: (world: World) => Promise<Pick<Result, 'stages' | 'rates'>>,
): Promise<Result> {
  const began = performance.now();
  let world: World | null = null;
  let played: Pick<Result, 'stages' | 'rates'>;
  try {
    world = await World.build(setting, way);
    played = await play(world);
  } catch (error) {
    played = { stages: [failed('prepare', error)], rates: [] };
  }
  const isTold = way === 'throughway' && played.stages.some(({ holds }) => !holds);
  if (isTold && world !== null) process.stdout.write(await renderEvidence(setting, world, played.stages));
  await world?.close(isTold);
  return { id: setting.id, way, ...played, seconds: Number(seconds(began)) };
}

async function playStage(stage: string, play: () => Promise<string>): Promise<StageResult> {
  try {
    return { stage, holds: true, note: await play() };
  } catch (error) {
    return failed(stage, error);
  }
}

function failed(stage: string, error: unknown): StageResult {
  const note = error instanceof Disproved ? error.message : ((error as Error).stack ?? String(error));
  return { stage, holds: false, note };
}

function allOf<Value>(value: Value): Record<(typeof PROTOCOLS)[number], Value> {
  return Object.fromEntries(PROTOCOLS.map((protocol) => [protocol, value])) as Record<
    (typeof PROTOCOLS)[number],
    Value
  >;
}

function seconds(began: number): string {
  return ((performance.now() - began) / 1000).toFixed(1);
}
