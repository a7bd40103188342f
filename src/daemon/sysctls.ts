// The kernel settings that the gateway needs. What was there before is kept in the state directory,
// so that `throughway down` can put it back, also after a crash or an upgrade.
import { neededSysctls, valueSetFor } from '../core/policy/sysctls.ts';
import { readSysctl, writeSysctl } from '../linux/sysctl.ts';
import type { StateDirectory } from './files.ts';

const FILE = 'sysctls.json';

/** Sets what is needed; returns a sentence for each setting that the kernel refused. */
export function applySysctls(state: StateDirectory, lan: readonly string[]): string[] {
  const former = readFormer(state);
  const troubles: string[] = [];
  for (const [name, value] of neededSysctls(lan, readSysctl)) {
    const found = readSysctl(name);
    if (found === null || found === value) continue;
    former[name] ??= found;
    try {
      // Kept before it is changed: a crash in between must not lose it.
      state.write(FILE, JSON.stringify(former));
      writeSysctl(name, value);
    } catch {
      troubles.push(
        `The kernel setting "${name}" is "${found}" and cannot be set to "${value}". Set it by hand: sysctl -w ${name}=${value}`,
      );
    }
  }
  return troubles;
}

/** Puts back what `applySysctls` found, except where somebody else has changed it since. */
export function restoreSysctls(state: StateDirectory): void {
  for (const [name, value] of Object.entries(readFormer(state))) {
    if (readSysctl(name) === valueSetFor(name)) writeSysctl(name, value);
  }
  state.remove(FILE);
}

/** A sentence when the system does not forward IPv4 packets although it must. */
export function forwardingTrouble(): string | null {
  return readSysctl('net.ipv4.ip_forward') === '1'
    ? null
    : 'The kernel does not forward IPv4 packets ("net.ipv4.ip_forward" is 0): no device gets through. Somebody has switched it off: sysctl -w net.ipv4.ip_forward=1';
}

function readFormer(state: StateDirectory): Record<string, string> {
  const text = state.read(FILE);
  if (text === null) return {};
  try {
    const kept: unknown = JSON.parse(text);
    return typeof kept === 'object' && kept !== null ? (kept as Record<string, string>) : {};
  } catch {
    return {};
  }
}
