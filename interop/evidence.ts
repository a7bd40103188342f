// What a person needs to find out why a row failed: what did not hold, the logs of the programs, the
// gateway's ruleset with its maps, conntrack, the daemon's log, its sessions and transcript, and where the
// capture is.
import { readdirSync, readFileSync } from 'node:fs';
import type { StageResult } from './play.ts';
import type { Setting } from './row.ts';
import type { World } from './world.ts';

export async function renderEvidence(
  row: Setting,
  world: World,
  stages: readonly StageResult[],
): Promise<string> {
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
    `--- sessions\n${(await household.daemon.command('sessions')).stdout}`,
    `--- end of the transcript\n${lastTranscript(world)}`,
    `--- capture and transcripts: ${world.folder}`,
    '',
  ].join('\n');
}

/** What the daemon heard and wanted last. */
function lastTranscript({ folder }: World): string {
  const last = readdirSync(folder)
    .filter((name) => name.startsWith('transcript'))
    .toSorted()
    .at(-1);
  return last === undefined
    ? ''
    : readFileSync(`${folder}/${last}`, 'utf8').split('\n').slice(-80).join('\n');
}
