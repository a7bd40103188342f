// What the ruleset depends on of the machine, read from its links.
import type { SystemState } from '../core/policy/system.ts';
import type { SystemLink } from '../linux/links.ts';
import { globalIpv4 } from './interfaces.ts';

export function readSystemState(
  links: readonly SystemLink[],
  wanName: string,
  othersFilter: boolean,
): SystemState {
  const wan = links.find((link) => link.name === wanName);
  return {
    wanAddress: wan?.up ? globalIpv4(wan) : null,
    ownGreRemotes: links.flatMap((link) => link.greRemote ?? []),
    othersFilter,
  };
}
