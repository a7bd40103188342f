// How many elements a second can be added to a map, through the daemon's own way to nftables
// (src/linux/nft.ts): by libnftables in this process and by the child it falls back to, one at a time
// and a hundred in a transaction, to an empty map and to one of 100,000. Works in this process's own
// network namespace; no gateway is needed.
import { openNft, type Nft } from '../src/linux/nft.ts';
import type { Cell, Figures } from './figures.ts';
import { addElements } from './fill.ts';
import { run } from './topology.ts';

const MEASURE_MS = 1500;
const FILLED = 100_000;
const BATCH = 100;
const MAP = 'inet bench esp_in';

export async function measureElements(): Promise<Figures> {
  const rows: Record<string, Cell>[] = [];
  for (const way of ['libnftables', 'nft'] as const) {
    for (const present of [0, FILLED]) {
      for (const batch of [1, BATCH]) {
        createMap(present);
        const nft = openNft(way);
        try {
          rows.push({
            way: way === 'nft' ? 'nft --interactive' : way,
            present,
            batch,
            ...(await measureAdding(nft, batch)),
          });
        } finally {
          nft.close();
          run('nft', ['delete', 'table', 'inet', 'bench']);
        }
      }
    }
  }
  return {
    name: 'elements',
    title: 'Elements added to a map like esp_in, for a second and a half each',
    notes: ['"slowest" is the longest single command.'],
    columns: [
      { key: 'way', heading: 'way' },
      { key: 'present', heading: 'in the map' },
      { key: 'batch', heading: 'per command' },
      { key: 'elements_per_second', heading: 'elements/s' },
      { key: 'command_ms', heading: 'ms/command', digits: 2 },
      { key: 'slowest_ms', heading: 'slowest', digits: 1 },
    ],
    rows,
  };
}

async function measureAdding(nft: Nft, batch: number): Promise<Record<string, number>> {
  let serial = 0;
  let slowest = 0;
  let commands = 0;
  const begun = performance.now();
  let now = begun;
  while (now - begun < MEASURE_MS) {
    const elements = Array.from({ length: batch }, () => elementAt(FILLED + (serial += 1)));
    await nft.run(`add element ${MAP} { ${elements.join(', ')} }`);
    const after = performance.now();
    slowest = Math.max(slowest, after - now);
    now = after;
    commands += 1;
  }
  return {
    elements_per_second: (serial * 1000) / (now - begun),
    command_ms: (now - begun) / commands,
    slowest_ms: slowest,
  };
}

function createMap(present: number): void {
  const elements = Array.from({ length: present }, (_, index) => elementAt(index));
  run(
    'nft',
    ['-f', '-'],
    `table inet bench {
  map esp_in {
    typeof ip saddr . esp spi : ip daddr
    size 1048576
    flags dynamic,timeout
    counter
    timeout 3600s
  }
}
`,
  );
  for (const part of addElements(MAP, elements)) run('nft', ['-f', '-'], part);
}

function elementAt(index: number): string {
  return `198.18.${(index >> 8) & 255}.${index & 255} . ${0x1_0000 + index} : 192.168.1.11`;
}
