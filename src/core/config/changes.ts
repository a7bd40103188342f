// What differs between two configurations, setting by setting, and settings put into a text with its
// comments kept.
import { parseConfig, setInText } from './document.ts';
import { renderPath, type Path } from './problem.ts';
import type { Config } from './schema.ts';

export interface SettingChange {
  readonly path: string;
  readonly from: unknown;
  readonly to: unknown;
}

/** A list counts as one setting. */
export function changedSettings(before: Config, after: Config): SettingChange[] {
  return differences(before, after, []).map(({ path, from, to }) => ({ path: renderPath(path), from, to }));
}

interface Difference {
  readonly path: Path;
  readonly from: unknown;
  readonly to: unknown;
}

function differences(before: unknown, after: unknown, path: Path): Difference[] {
  if (!isGroup(before) || !isGroup(after))
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, from: before, to: after }];
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names.flatMap((name) => differences(before[name], after[name], [...path, name]));
}

/** `settings` over `base`: groups are joined, everything else is exchanged. */
export function mergeSettings(base: unknown, settings: unknown): unknown {
  if (!isGroup(base) || !isGroup(settings)) return settings;
  const merged: Record<string, unknown> = { ...base };
  for (const [name, value] of Object.entries(settings))
    // No name of a setting is one that every object has.
    merged[name] = Object.hasOwn(base, name) ? mergeSettings(base[name], value) : value;
  return merged;
}

/** The text of `before` with everything changed that is different in `wanted`; the text must be valid. */
export function renderChanged(text: string, before: Config, wanted: Config): string {
  let changed = text;
  for (const { path, to } of differences(before, wanted, [])) changed = setInText(changed, path, to);
  const read = parseConfig(changed);
  if ('problems' in read || changedSettings(read.config, wanted).length > 0)
    throw new Error('the settings could not be written into the text');
  return changed;
}

/** Parts of the configuration that a mistake in can cut the administrator off. */
const RISKY: readonly (keyof Config)[] = ['interfaces', 'firewall', 'web'];

export function isRisky(before: Config, after: Config): boolean {
  return RISKY.some((part) => differences(before[part], after[part], []).length > 0);
}

function isGroup(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
