// A smaller run of the simulator with a fixed seed: what is promised of the pairing in docs/benchmarks.md,
// a little lower, since 100 schedules have few SAs of each kind.
import { describe, expect, it } from 'vitest';
import { playSchedules } from './play.ts';

const SCHEDULES = 100;
const share = (part: number, whole: number): number => part / whole;

describe('a hundred random schedules', () => {
  const ours = playSchedules('daemon', 7, 0, SCHEDULES, 1);
  const byOrder = playSchedules('order', 7, 0, SCHEDULES, 1);

  it('are the same again with the same seed', () => {
    expect(playSchedules('daemon', 7, 0, 5, 1)).toEqual(playSchedules('daemon', 7, 0, 5, 1));
  });

  it('give the first packet of an SPI to its device', () => {
    expect(share(ours['2–4']!.firstRight, ours['2–4']!.spis)).toBeGreaterThan(0.98);
    expect(share(ours['16']!.firstRight, ours['16']!.spis)).toBeGreaterThan(0.95);
    expect(share(ours.all!.firstRight, ours.all!.spis)).toBeGreaterThan(0.97);
  });

  it('are right after ten seconds, where somebody on the way can know', () => {
    expect(share(ours.all!.knowableRight, ours.all!.knowableLooked)).toBeGreaterThan(0.99);
  });

  it('lose a small part of what order of arrival loses', () => {
    expect(share(ours.all!.lost, ours.all!.inbound)).toBeLessThan(
      share(byOrder.all!.lost, byOrder.all!.inbound) / 5,
    );
  });

  it('make nobody wait who is alone', () => {
    const delayed = ours.all!.waitedMs.alone.filter((ms) => ms > 5).length;
    expect(share(delayed, ours.all!.waitedMs.alone.length)).toBeLessThan(0.01);
  });
});
