// The figures of the pairing simulator as tables for people; main.ts prints the same as JSON.
import { renderFigures, type Figures } from '../figures.ts';
import type { DecisionCost } from './decision-cost.ts';
import { SCHEMES, type Scheme, type Tallies } from './play.ts';
import { GROUPS, type Tally } from './tally.ts';

type Row = Record<string, string | number | null>;

const percent = (part: number, whole: number): number | null => (whole === 0 ? null : (100 * part) / whole);

function quantile(values: readonly number[], share: number): number | null {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).toSorted();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

/** One row for each way and number of devices; the JSON has the same. */
export function rowsOf(results: ReadonlyMap<Scheme, Tallies>): Row[] {
  return [...results].flatMap(([scheme, tallies]) =>
    GROUPS.flatMap((group): Row[] => {
      const tally = tallies[group];
      return tally === undefined ? [] : [{ scheme: SCHEMES[scheme].title, devices: group, ...rowOf(tally) }];
    }),
  );
}

/** What is held and sent on at once takes three or four; more than this was waiting for another device. */
const DELAYED_MS = 5;

function rowOf(tally: Tally): Row {
  const { overlap, alone } = tally.waitedMs;
  return {
    schedules: tally.schedules,
    spis: tally.spis,
    first_right: percent(tally.firstRight, tally.spis),
    first_alone: percent(tally.firstAlone, tally.spis),
    undecidable: percent(tally.undecidable, tally.spis),
    first_right_of_others: percent(tally.firstRight - tally.undecidableRight, tally.spis - tally.undecidable),
    right_in_10_s: percent(tally.rightInTime, tally.looked),
    right_in_10_s_knowable: percent(tally.knowableRight, tally.knowableLooked),
    repaired: tally.repairMs.length,
    repair_ms_median: quantile(tally.repairMs, 0.5),
    repair_ms_p95: quantile(tally.repairMs, 0.95),
    certain_wrong: percent(tally.certainAndWrong, tally.certain),
    strayed: percent(tally.misdelivered, tally.inbound),
    lost: percent(tally.lost, tally.inbound),
    held_ms_median: quantile(tally.heldMs, 0.5),
    held_ms_p99: quantile(tally.heldMs, 0.99),
    alone: alone.length,
    alone_delayed: percent(alone.filter((ms) => ms > DELAYED_MS).length, alone.length),
    alone_ms_p99: quantile(alone, 0.99),
    overlap: overlap.length,
    overlap_ms_median: quantile(overlap, 0.5),
    overlap_ms_p95: quantile(overlap, 0.95),
    overlap_ms_max: quantile(overlap, 1),
  };
}

export function renderReport(rows: readonly Row[], costs: readonly DecisionCost[], seconds: number): string {
  const [scheme, devices] = [
    { key: 'scheme', heading: 'pairing by' },
    { key: 'devices', heading: 'devices' },
  ];
  const figures: Figures[] = [
    {
      name: 'right',
      title: 'Which device an inbound SPI is given to, of 100',
      notes: [
        'Right at first: its device got the first packet before anybody else; to it alone: and nobody else ever did.',
        'Undecidable: the server spoke first on an SA that nothing told about for two seconds, while another device had',
        'an unused SA too. Of the knowable: without SAs on which nothing that the server sends is ever answered, and those',
        'of a device that had never shown anything of itself, neither IKE nor conntrack nor ESP, ten seconds later either.',
        'To others: of 100 inbound packets, deliveries to a device that they were not for.',
      ],
      columns: [
        scheme,
        devices,
        { key: 'spis', heading: 'SPIs' },
        { key: 'first_right', heading: 'right at first', digits: 2 },
        { key: 'first_alone', heading: 'to it alone', digits: 2 },
        { key: 'undecidable', heading: 'undecidable', digits: 2 },
        { key: 'first_right_of_others', heading: 'right at first, others', digits: 2 },
        { key: 'right_in_10_s', heading: 'right in 10 s', digits: 2 },
        { key: 'right_in_10_s_knowable', heading: 'of the knowable', digits: 2 },
        { key: 'repaired', heading: 'mended' },
        { key: 'repair_ms_median', heading: 'ms', digits: 0 },
        { key: 'repair_ms_p95', heading: 'p95', digits: 0 },
        { key: 'certain_wrong', heading: 'certain, wrong', digits: 2 },
        { key: 'strayed', heading: 'to others', digits: 3 },
        { key: 'lost', heading: 'packets lost', digits: 3 },
      ],
      rows,
    },
    {
      name: 'waiting',
      title: 'What waits, in milliseconds',
      notes: [
        "Held: the first packet of an inbound SPI. Alone, overlapping: a device's first message of phase 2 and its first",
        'packet on a new SPI, by whether another device was in the middle of something new.',
      ],
      columns: [
        scheme,
        devices,
        { key: 'held_ms_median', heading: 'held', digits: 1 },
        { key: 'held_ms_p99', heading: 'p99', digits: 0 },
        { key: 'alone', heading: 'alone' },
        { key: 'alone_delayed', heading: 'delayed %', digits: 2 },
        { key: 'alone_ms_p99', heading: 'p99', digits: 0 },
        { key: 'overlap', heading: 'overlapping' },
        { key: 'overlap_ms_median', heading: 'median', digits: 0 },
        { key: 'overlap_ms_p95', heading: 'p95', digits: 0 },
        { key: 'overlap_ms_max', heading: 'most', digits: 0 },
      ],
      rows,
    },
  ];
  if (costs.length > 0) {
    figures.push({
      name: 'decisions',
      title: 'Microseconds that the machine takes for a fact',
      notes: [],
      columns: [
        { key: 'what', heading: 'live SAs' },
        { key: 'live', heading: 'number' },
        { key: 'facts', heading: 'facts' },
        { key: 'medianMicroseconds', heading: 'median', digits: 1 },
        { key: 'meanMicroseconds', heading: 'mean', digits: 1 },
        { key: 'p99Microseconds', heading: 'p99', digits: 1 },
      ],
      rows: costs.map((cost) => ({ ...cost })),
    });
  }
  return `${[...figures.map(renderFigures), `${seconds.toFixed(0)} s.`].join('\n\n')}\n`;
}
