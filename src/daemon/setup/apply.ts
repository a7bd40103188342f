// Carries out what `throughway setup` has planned, and takes it back: the configuration, the drop-in file
// of dnsmasq, the service. Never writes over a configuration that is there.
import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { tearDown } from '../down.ts';
import { Failure, reasonOf } from '../failure.ts';
import type { SetupPlan } from './plan.ts';

const DNSMASQ_FILE = '/etc/dnsmasq.d/throughway.conf';

export interface SetupPlaces {
  readonly config: string;
  readonly stateDir: string;
}

/** The configuration that is there already, or null. */
export function existingConfig(path: string): string | null {
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
}

/** Writes the files and, with systemd, starts the service. Throws Failure, and then nothing of it is left. */
export async function applySetup(plan: SetupPlan, places: SetupPlaces, hasSystemd: boolean): Promise<void> {
  try {
    writeNew(places.config, plan.config);
  } catch (error) {
    throw new Failure(
      'config-unwritable',
      `The configuration "${places.config}" cannot be written (${reasonOf(error)}), so nothing was changed.`,
    );
  }
  try {
    if (plan.dnsmasq !== null) writeFileSync(DNSMASQ_FILE, plan.dnsmasq, { flag: 'wx' });
    if (!hasSystemd) return;
    systemctl('enable', 'throughway.service');
    systemctl('restart', 'throughway.service');
    if (plan.dnsmasq !== null) systemctl('restart', 'dnsmasq.service');
  } catch (error) {
    await undoSetup(plan, places, hasSystemd);
    throw new Failure(
      'setup-failed',
      `The setup failed and is taken back: ${reasonOf(error)}. "journalctl -u throughway" has the daemon's own words.`,
    );
  }
}

/** As it was before: no table of ours, the former kernel settings, none of our files. */
export async function undoSetup(plan: SetupPlan, places: SetupPlaces, hasSystemd: boolean): Promise<void> {
  if (hasSystemd) spawnSync('systemctl', ['disable', '--now', '--quiet', 'throughway.service']);
  await tearDown(places.stateDir);
  rmSync(places.config, { force: true });
  if (plan.dnsmasq === null) return;
  rmSync(DNSMASQ_FILE, { force: true });
  if (hasSystemd) spawnSync('systemctl', ['restart', 'dnsmasq.service']);
}

/** The file belongs to the folder's owner: with the Debian package, to the daemon's own user. */
function writeNew(path: string, text: string): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o750 });
  writeFileSync(path, text, { flag: 'wx', mode: 0o640 });
  const { uid, gid } = statSync(folder);
  chownSync(path, uid, gid);
}

function systemctl(...args: string[]): void {
  const ran = spawnSync('systemctl', ['--quiet', ...args], { encoding: 'utf8' });
  if (ran.status !== 0)
    throw new Error(`"systemctl ${args.join(' ')}" failed: ${(ran.error?.message ?? ran.stderr).trim()}`);
}
