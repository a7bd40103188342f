// The results as tables for people and as JSON for programs. Knows what was measured, not how.
import { alignColumns, renderFigures, rowsForJson, type Figures, type Spread } from './figures.ts';
import type { Result, Settings } from './forwarding.ts';

/** What the figures depend on, besides the code. */
export interface Machine {
  readonly kernel: string;
  readonly cpu: string;
  readonly processors: number;
  readonly nft: string;
  readonly node: string;
  /** Of the last minute, before anything was measured. */
  readonly load: number;
  /** Of the initial network namespace; null where conntrack is a module that is not loaded yet. */
  readonly conntrackMax: number | null;
  readonly conntrackBuckets: number | null;
}

/** Everything that one run has measured. */
export interface Report {
  readonly machine: Machine;
  readonly forwarding: { readonly settings: Settings; readonly results: readonly Result[] } | null;
  readonly daemon: readonly Figures[];
  /** Whole sentences: what was not measured, and why, and what had to be measured again. */
  readonly remarks: readonly string[];
  readonly seconds: number;
}

export function renderText({ machine, forwarding, daemon, remarks, seconds }: Report): string {
  const sections = [
    [
      `Linux ${machine.kernel}, ${machine.processors} x ${machine.cpu}, ${machine.nft}, Node ${machine.node}`,
      `conntrack: at most ${machine.conntrackMax ?? '?'} entries in ${machine.conntrackBuckets ?? '?'} buckets; load before: ${machine.load.toFixed(2)}`,
      ...remarks,
    ].join('\n'),
    ...(forwarding ? [renderForwarding(forwarding.settings, forwarding.results)] : []),
    ...daemon.map(renderFigures),
    `${seconds} s.`,
  ];
  return `${sections.join('\n\n')}\n`;
}

function renderForwarding(settings: Settings, results: readonly Result[]): string {
  const headings = ['', 'sessions', 'way', 'kpps/core', 'ratio', 'min – max', 'to masquerade', 'busy'];
  const rows = results.map(({ scenario, way, packetsPerCpuSecond, ratio, toMasquerade, busy }, index) => {
    const isFirst = results[index - 1]?.scenario !== scenario;
    return [
      isFirst ? `${scenario.protocol} ${scenario.direction}` : '',
      isFirst ? scenario.sessions.toLocaleString('en') : '',
      way,
      (packetsPerCpuSecond.median / 1000).toFixed(0),
      ratio.median.toFixed(2),
      `${ratio.min.toFixed(2)} – ${ratio.max.toFixed(2)}`,
      toMasquerade?.median.toFixed(2) ?? '–',
      `${(busy.median * 100).toFixed(0)} %`,
    ];
  });
  const [heading, ...lines] = alignColumns([headings, ...rows]);
  const packets = results.reduce((sum, result) => sum + result.packets, 0);
  return [
    'Forwarding: thousand 64-byte packets per second of processor time, median of rounds; ratios to the',
    `first way and to masquerade in the same round. ${settings.rounds} rounds of ${settings.seconds} s. "busy" is the router's share of its`,
    `processor. ${settings.oneWay ? 'Outbound flows have had no answer yet.' : 'All flows have been answered.'}`,
    '',
    heading,
    ...lines.map((line, index) => (rows[index]![0] !== '' && index > 0 ? `\n${line}` : line)),
    '',
    `${packets.toLocaleString('en')} packets, all of them arrived and were right.`,
  ].join('\n');
}

export function renderJson({ machine, forwarding, daemon, remarks, seconds }: Report): string {
  const { conntrackMax: conntrack_max, conntrackBuckets: conntrack_buckets, ...rest } = machine;
  const value = {
    machine: { ...rest, conntrack_max, conntrack_buckets },
    seconds,
    remarks,
    ...(forwarding && {
      forwarding: {
        rounds: forwarding.settings.rounds,
        seconds: forwarding.settings.seconds,
        one_way: forwarding.settings.oneWay,
        results: forwarding.results.map(forwardingForJson),
      },
    }),
    ...(daemon.length > 0 && {
      daemon: Object.fromEntries(daemon.map((figures) => [figures.name, rowsForJson(figures)])),
    }),
  };
  return `${JSON.stringify(value, null, 2)}\n`;
}

function forwardingForJson(result: Result): Record<string, unknown> {
  return {
    ...result.scenario,
    way: result.way,
    packets_per_cpu_second: rounded(result.packetsPerCpuSecond, 0),
    ratio: rounded(result.ratio, 3),
    ratio_to_masquerade: result.toMasquerade && rounded(result.toMasquerade, 3),
    busy: rounded(result.busy, 3),
    packets: result.packets,
  };
}

function rounded({ median, min, max }: Spread, digits: number): Spread {
  return {
    median: Number(median.toFixed(digits)),
    min: Number(min.toFixed(digits)),
    max: Number(max.toFixed(digits)),
  };
}
