// What the gateway's kernel has learned: the elements of a set or map of our table, as nft lists them.
import type { Household } from './topologies/household.ts';
import { until } from './wait.ts';

/** Each element with its timeout, counter and data, such as `203.0.113.1 . 0x00002001 … : 192.168.1.11`. */
export function listElements({ gateway }: Household, kind: 'set' | 'map', name: string): string[] {
  const listed = gateway.run('nft', ['list', kind, 'inet', 'throughway', name]);
  const begin = listed.indexOf('elements = {');
  if (begin < 0) return [];
  return listed
    .slice(begin + 'elements = {'.length, listed.indexOf('}', begin))
    .split(',')
    .map((element) => element.trim());
}

/** The names of the sets and maps that hold anything. */
export function listHolding({ gateway }: Household): string[] {
  const listed = gateway.run('nft', ['list', 'table', 'inet', 'throughway']);
  return listed.split('\n\t}\n').flatMap((block) => {
    const name = /^\t(?:set|map) (\S+) \{/m.exec(block)?.[1];
    return name !== undefined && block.includes('elements = {') ? [name] : [];
  });
}

/** Takes every pair of ESP away, as if all had been idle for too long. */
export function expireEspPairs({ gateway }: Household): void {
  gateway.run('nft', ['-f', '-'], 'flush map inet throughway esp_in\nflush set inet throughway esp_out\n');
}

/** Until the kernel has noticed that the daemon is dead, and pairs ESP by itself. */
export async function untilDeathNoticed(household: Household): Promise<void> {
  await until('the kernel to notice', () => listElements(household, 'set', 'daemon_alive').length === 0);
}
