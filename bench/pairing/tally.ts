// What many schedules come to, for one way of pairing and one number of devices. Adds up over threads.
import type { Score } from './score.ts';

export const GROUPS = ['2–4', '5–8', '9–15', '16', 'all'] as const;
export type Group = (typeof GROUPS)[number];

export interface Tally {
  schedules: number;
  spis: number;
  firstRight: number;
  /** Of these, and nobody else ever got that packet. */
  firstAlone: number;
  certain: number;
  certainAndWrong: number;
  undecidable: number;
  undecidableRight: number;
  /** Of those that could be looked at ten seconds later. */
  looked: number;
  rightInTime: number;
  /** Of these, those that somebody on the way can know. */
  knowableLooked: number;
  knowableRight: number;
  inbound: number;
  lost: number;
  misdelivered: number;
  /** In milliseconds: from the first wrong delivery until all were right again. */
  repairMs: number[];
  /** Between arrival and delivery of first packets of inbound SPIs. */
  heldMs: number[];
  /** How long first messages and first packets of devices waited, by whether another device was at it. */
  waitedMs: { overlap: number[]; alone: number[] };
}

export function emptyTally(): Tally {
  return {
    schedules: 0,
    spis: 0,
    firstRight: 0,
    firstAlone: 0,
    certain: 0,
    certainAndWrong: 0,
    undecidable: 0,
    undecidableRight: 0,
    looked: 0,
    rightInTime: 0,
    knowableLooked: 0,
    knowableRight: 0,
    inbound: 0,
    lost: 0,
    misdelivered: 0,
    repairMs: [],
    heldMs: [],
    waitedMs: { overlap: [], alone: [] },
  };
}

export function groupOf(devices: number): Group {
  if (devices <= 4) return '2–4';
  if (devices <= 8) return '5–8';
  return devices < 16 ? '9–15' : '16';
}

export function addScore(tally: Tally, score: Score): void {
  tally.schedules += 1;
  tally.inbound += score.inbound;
  tally.lost += score.lost;
  tally.misdelivered += score.misdelivered;
  for (const spi of score.spis.values()) {
    tally.spis += 1;
    if (spi.firstRight) tally.firstRight += 1;
    if (spi.firstRight && !spi.firstStrayed) tally.firstAlone += 1;
    if (spi.certain) tally.certain += 1;
    if (spi.certainAndWrong) tally.certainAndWrong += 1;
    if (spi.undecidable) tally.undecidable += 1;
    if (spi.undecidable && spi.firstRight) tally.undecidableRight += 1;
    if (spi.firstHeldMs !== null) tally.heldMs.push(spi.firstHeldMs);
    if (spi.wrongAt !== null && spi.rightAgainAt !== null)
      tally.repairMs.push(spi.rightAgainAt - spi.wrongAt);
    if (spi.rightInTime === null) continue;
    tally.looked += 1;
    if (spi.rightInTime) tally.rightInTime += 1;
    if (spi.unknowable) continue;
    tally.knowableLooked += 1;
    if (spi.rightInTime) tally.knowableRight += 1;
  }
  for (const { ms, overlap } of score.waited) tally.waitedMs[overlap ? 'overlap' : 'alone'].push(ms);
}

export function addTally(to: Tally, from: Tally): void {
  for (const [key, value] of Object.entries(from) as [keyof Tally, Tally[keyof Tally]][]) {
    if (typeof value === 'number') (to[key] as number) += value;
  }
  for (const key of ['repairMs', 'heldMs'] as const) to[key] = to[key].concat(from[key]);
  for (const key of ['overlap', 'alone'] as const)
    to.waitedMs[key] = to.waitedMs[key].concat(from.waitedMs[key]);
}
