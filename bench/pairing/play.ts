// Plays a run of schedules through one way of pairing. The schedules follow from the seed and their
// numbers alone, so every way and every thread sees the same.
import { EspPairing } from '../../src/core/alg/esp-pairing.ts';
import { KernelRules } from './kernel-rules.ts';
import { ObservedGateway } from './observed-gateway.ts';
import type { GatewayUnderTest, Outside } from './packet.ts';
import { Random } from './random.ts';
import { drawSchedule } from './schedule.ts';
import { addScore, emptyTally, groupOf, type Group, type Tally } from './tally.ts';
import { playSchedule } from './world.ts';

export const SCHEMES = {
  order: { title: 'order of arrival', build: (outside) => new KernelRules(outside, false) },
  gates: { title: 'one-at-a-time gates', build: (outside) => new KernelRules(outside, true) },
  daemon: {
    title: 'Throughway, daemon alive',
    build: (outside, random) => new ObservedGateway(outside, random, new EspPairing()),
  },
} as const satisfies Record<
  string,
  { title: string; build: (outside: Outside, random: Random) => GatewayUnderTest }
>;

export type Scheme = keyof typeof SCHEMES;

export type Tallies = Partial<Record<Group, Tally>>;

/** Schedules `from` to `to` (exclusive), `step` apart. */
export function playSchedules(scheme: Scheme, seed: number, from: number, to: number, step: number): Tallies {
  const tallies: Tallies = {};
  for (let number = from; number < to; number += step) {
    const random = new Random(Math.imul(seed, 0x9e37_79b1) + number);
    const schedule = drawSchedule(number, random);
    const score = playSchedule(schedule, random.integer(1, 0xffff_ffff), SCHEMES[scheme].build);
    for (const group of [groupOf(schedule.devices.length), 'all'] as const) {
      addScore((tallies[group] ??= emptyTally()), score);
    }
  }
  return tallies;
}
