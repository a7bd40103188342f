// The demonstration's table, as text. Pure: what to show comes in, lines go out.
import type { Passthrough, Protocol } from '../src/core/config/schema.ts';

export interface DemoRow {
  readonly device: string;
  readonly protocol: Protocol;
  /** `up`, or a sentence that says why not. */
  readonly state: string;
  readonly sent: number;
  readonly up: number;
  readonly down: number;
}

const TITLES: Record<Protocol, string> = { ipsec: 'IPsec', pptp: 'PPTP', l2tp: 'L2TP' };

/** One row for each device and protocol; packets sent each way, and how many of them arrived. */
export function renderTable(rows: readonly DemoRow[], passthrough: Passthrough): string[] {
  const header = ['device', 'protocol', 'passthrough', 'sent each way', 'server got', 'device got', 'state'];
  const body = rows.map((row) => [
    row.device,
    TITLES[row.protocol],
    passthrough[row.protocol],
    String(row.sent),
    String(row.up),
    String(row.down),
    row.state,
  ]);
  const widths = header.map((title, column) =>
    Math.max(title.length, ...body.map((cells) => cells[column]!.length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd();
  return [line(header), widths.map((width) => '-'.repeat(width)).join('  '), ...body.map(line)];
}
