// What `throughway setup` must know of a machine: its interfaces and default routes, the remote shell that it
// is typed in, other firewalls, what the kernel lacks, and which kernel settings would change. Only reads.
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { parseIpv4 } from '../../core/address.ts';
import { neededSysctls } from '../../core/policy/sysctls.ts';
import { readSystem } from '../../linux/links.ts';
import type { Nft } from '../../linux/nft.ts';
import { readSysctl } from '../../linux/sysctl.ts';
import { missingFeatures } from '../features.ts';
import { listOtherTables } from '../kernel-table.ts';
import { openUsableNft, requireNetAdmin } from '../run.ts';
import { routedLinks, surveyLink, type SurveyedLink } from './links.ts';

/** The shell by which the administrator came in, as `SSH_CONNECTION` names it. */
export interface RemoteShell {
  readonly address: string;
  readonly port: number;
}

export interface Survey {
  readonly links: readonly SurveyedLink[];
  /** The interfaces of default routes, best first, IPv4 before IPv6. */
  readonly routed: readonly string[];
  readonly remoteShell: RemoteShell | null;
  /** All tables but ours, as nft lists them in JSON. */
  readonly otherTables: readonly unknown[];
  /** A sentence for each thing that the kernel lacks. */
  readonly missing: readonly string[];
  /** What the gateway would set otherwise, with these LAN interfaces. */
  readonly changedSysctls: (
    lan: readonly string[],
  ) => readonly { readonly name: string; readonly from: string; readonly to: string }[];
  readonly hasSystemd: boolean;
  readonly hasDnsmasq: boolean;
}

/** Throws Failure without permission or without nft. */
export async function surveyMachine(): Promise<Survey> {
  requireNetAdmin();
  const nft = await openUsableNft();
  try {
    return await survey(nft);
  } finally {
    nft.close();
  }
}

async function survey(nft: Nft): Promise<Survey> {
  const system = await readSystem();
  return {
    links: system.links.map(surveyLink),
    routed: routedLinks(system),
    remoteShell: findRemoteShell(process.pid),
    otherTables: await listOtherTables(nft),
    missing: await missingFeatures(nft),
    changedSysctls: (lan) =>
      neededSysctls(lan, readSysctl).flatMap(([name, to]) => {
        const from = readSysctl(name);
        return from === null || from === to ? [] : [{ name, from, to }];
      }),
    // sd_booted(3)
    hasSystemd: existsSync('/run/systemd/system'),
    // Not its program alone, which NetworkManager and libvirt bring too.
    hasDnsmasq: isProgram('/usr/sbin/dnsmasq') && existsSync('/etc/dnsmasq.d'),
  };
}

/** sudo takes SSH_CONNECTION out of the environment, so the parents are asked too. */
function findRemoteShell(pid: number): RemoteShell | null {
  for (let current = pid; current > 1; current = parentOf(current)) {
    let text: string;
    try {
      text = readFileSync(`/proc/${current}/environ`, 'latin1');
    } catch {
      return null;
    }
    const found = text.split('\0').find((one) => one.startsWith('SSH_CONNECTION='));
    if (found !== undefined) return parseSshConnection(found.slice('SSH_CONNECTION='.length));
  }
  return null;
}

/** `CLIENT CLIENT-PORT SERVER SERVER-PORT` (ssh(1)). */
export function parseSshConnection(text: string): RemoteShell | null {
  const [, , address = '', port = ''] = text.trim().split(' ');
  // An IPv4 connection on an IPv6 socket.
  const plain = address.replace(/^::ffff:/, '');
  if (!/^[1-9]\d{0,4}$/.test(port) || (parseIpv4(plain) === null && !plain.includes(':'))) return null;
  return { address: plain, port: Number(port) };
}

function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name may have spaces and brackets; the parent stands behind it (proc(5)).
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0;
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
