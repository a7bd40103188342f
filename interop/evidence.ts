// What a person needs to find out why a row failed: what did not hold, the logs of the programs, the
// gateway's ruleset with its maps, conntrack, the daemon's log, and where the capture is.
import type { StageResult } from './play.ts';
import type { Setting } from './row.ts';
import type { World } from './world.ts';

export function renderEvidence(row: Setting, world: World, stages: readonly StageResult[]): string {
  const { household } = world;
  const shown = (title: string, program: string, args: string[]): string => {
    let text: string;
    try {
      text = household.gateway.run(program, args);
    } catch (error) {
      text = String(error);
    }
    return `--- ${title}\n${text}`;
  };
  return [
    `--- ${row.id}: what was seen`,
    ...stages.map(({ stage, holds, note }) => `${holds ? 'ok    ' : 'FAILED'} ${stage}: ${note}`),
    ...[world.server, ...world.devices].map((machine) => machine.logs()),
    shown('ruleset', 'nft', ['list', 'ruleset']),
    shown('conntrack', 'cat', ['/proc/net/nf_conntrack']),
    `--- log of the daemon\n${household.daemon.log}`,
    `--- capture: ${world.capturePath}`,
    '',
  ].join('\n');
}
