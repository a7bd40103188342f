// Who made a device, by the first half of its hardware address: from the IEEE's list as the package
// "oui-data" keeps it. The list is 5.6 MB, so it is read when it is needed and not kept in memory.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** Of the prefixes that were asked for; null for one that is in no list. */
const known = new Map<string, string | null>();
/** More devices than this are on no network that this gateway serves. */
const MOST_KNOWN = 4_096;

/** What is known already, or undefined when `learnMakers` has not been asked about it. */
export function makerOf(mac: string | null): string | null | undefined {
  return mac === null ? null : known.get(prefixOf(mac));
}

/** Looks up those that are not known yet. Never throws: without the list there are no makers. */
export async function learnMakers(macs: Iterable<string>): Promise<void> {
  const wanted = new Set<string>();
  for (const mac of macs) {
    const prefix = prefixOf(mac);
    if (known.has(prefix) || known.size + wanted.size >= MOST_KNOWN) continue;
    // Made up by the device, as phones do for privacy: the bit says that no maker stands behind it.
    if ((Number.parseInt(prefix.slice(0, 2), 16) & 0x02) !== 0) known.set(prefix, null);
    else wanted.add(prefix);
  }
  if (wanted.size === 0) return;
  const list = await readList();
  for (const prefix of wanted) known.set(prefix, findIn(list, prefix));
}

function prefixOf(mac: string): string {
  return mac.slice(0, 8).replaceAll(':', '').toUpperCase();
}

async function readList(): Promise<string> {
  try {
    return await readFile(fileURLToPath(import.meta.resolve('oui-data')), 'utf8');
  } catch {
    return '';
  }
}

/** The first line of an entry such as `"000001": "XEROX CORPORATION\nM/S 105-50C\n…"`. */
function findIn(list: string, prefix: string): string | null {
  const at = list.indexOf(`"${prefix}": "`);
  if (at < 0) return null;
  const from = at + prefix.length + 5;
  const name = /^(?:[^"\\]|\\[^n])*/.exec(list.slice(from, from + 200))?.[0] ?? '';
  return name.replaceAll(/\\(.)/g, '$1').trim() || null;
}
