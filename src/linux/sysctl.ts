// Kernel settings under /proc/sys, of the network namespace this process is in. Remembers nothing:
// what was there before is the caller's to keep.
import { readFileSync, writeFileSync } from 'node:fs';
import { LinuxError } from './libc.ts';

/** As sysctl(8): a name with slashes is a path already, in which dots belong to an interface's name. */
const fileOf = (name: string): string => `/proc/sys/${name.includes('/') ? name : name.replaceAll('.', '/')}`;

/** The value, or null where this kernel has no such setting. */
export function readSysctl(name: string): string | null {
  try {
    return readFileSync(fileOf(name), 'utf8').trim();
  } catch {
    return null;
  }
}

/** A setting of IPv4 on one interface; its name may hold dots. */
export function readInterfaceSysctl(interfaceName: string, setting: string): string | null {
  return readSysctl(`net/ipv4/conf/${interfaceName}/${setting}`);
}

export function writeSysctl(name: string, value: string): void {
  try {
    writeFileSync(fileOf(name), value);
  } catch (error) {
    throw new LinuxError('sysctl', (error as NodeJS.ErrnoException).code ?? 'EIO', `${name} = ${value}`);
  }
}
