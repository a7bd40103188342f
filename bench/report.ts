// The results as a table for people and as JSON for programs. Knows what was measured, not how.
import type { Result, Settings, Spread } from './forwarding.ts';

/** What the figures depend on, besides the code. */
export interface Machine {
  readonly kernel: string;
  readonly cpu: string;
  readonly processors: number;
  readonly nft: string;
  readonly node: string;
  /** Of the initial network namespace; null where conntrack is a module that is not loaded yet. */
  readonly conntrackMax: number | null;
  readonly conntrackBuckets: number | null;
}

const HEADINGS = ['', 'sessions', 'way', 'kpps/core', 'ratio', 'min – max', 'busy'];

export function renderTable(
  machine: Machine,
  settings: Settings,
  results: readonly Result[],
  seconds: number,
): string {
  const rows = results.map(({ scenario, way, packetsPerCpuSecond, ratio, busy }, index) => {
    const isFirst = results[index - 1]?.scenario !== scenario;
    return [
      isFirst ? `${scenario.protocol} ${scenario.direction}` : '',
      isFirst ? scenario.sessions.toLocaleString('en') : '',
      way,
      (packetsPerCpuSecond.median / 1000).toFixed(0),
      ratio.median.toFixed(2),
      `${ratio.min.toFixed(2)} – ${ratio.max.toFixed(2)}`,
      `${(busy.median * 100).toFixed(0)} %`,
    ];
  });
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]!.length)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column === 0 || column === 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  ')
      .trimEnd();
  const packets = results.reduce((sum, result) => sum + result.packets, 0);
  return `${[
    `Linux ${machine.kernel}, ${machine.processors} x ${machine.cpu}, ${machine.nft}, Node ${machine.node}`,
    `conntrack: at most ${machine.conntrackMax ?? '?'} entries in ${machine.conntrackBuckets ?? '?'} buckets`,
    '',
    'Forwarding: thousand 64-byte packets per second of processor time, median of rounds; ratio to the',
    `first way in the same round. ${settings.rounds} rounds of ${settings.seconds} s. "busy" is the router's share of its processor.`,
    settings.oneWay ? 'Outbound flows have had no answer yet.' : 'All flows have been answered.',
    '',
    line(HEADINGS),
    ...rows.map((row, index) => (row[0] !== '' && index > 0 ? `\n${line(row)}` : line(row))),
    '',
    `${packets.toLocaleString('en')} packets, all of them arrived and were right. ${seconds} s.`,
  ].join('\n')}\n`;
}

export function renderJson(
  machine: Machine,
  settings: Settings,
  results: readonly Result[],
  seconds: number,
): string {
  const rounded = ({ median, min, max }: Spread, digits: number): Spread => ({
    median: Number(median.toFixed(digits)),
    min: Number(min.toFixed(digits)),
    max: Number(max.toFixed(digits)),
  });
  const forwarding = results.map((result) => ({
    ...result.scenario,
    way: result.way,
    packets_per_cpu_second: rounded(result.packetsPerCpuSecond, 0),
    ratio: rounded(result.ratio, 3),
    busy: rounded(result.busy, 3),
    packets: result.packets,
  }));
  const { rounds, oneWay: one_way } = settings;
  const { conntrackMax: conntrack_max, conntrackBuckets: conntrack_buckets, ...rest } = machine;
  const value = {
    machine: { ...rest, conntrack_max, conntrack_buckets },
    settings: { rounds, seconds: settings.seconds, one_way },
    seconds,
    forwarding,
  };
  return `${JSON.stringify(value, null, 2)}\n`;
}
