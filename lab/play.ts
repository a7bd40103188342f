// Plays scenarios one after the other and prints a line for each; a failed one prints what a person
// needs to find out why: the ruleset, conntrack, the daemon's log and where the captures are.
//   node lab/play.ts [--share=PART/PARTS | --claims=FOLDER] [ID ...]
// All, or those of these numbers or letters. Several can play at once: of these every so manieth, or, in the
// order of the numbers, each that no other has claimed in a folder that they share.
// A part of the whole shares the machine with the other parts, so what failed in one is played once more at
// the end; what then passes is told as unsteady, with its first report above, and counts as passed.
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { insideOwnNamespaces } from './enter.ts';
import { SCENARIOS } from './scenarios/all.ts';
import type { Scenario } from './scenario.ts';
import { Household } from './topologies/household.ts';

/** A play that takes longer is stuck. */
const PLAY_LIMIT_MS = 60_000;

async function play(scenario: Scenario): Promise<boolean> {
  const began = performance.now();
  let household: Household | null = null;
  let failure: unknown = null;
  try {
    household = await Household.build(scenario.household);
    await withinLimit(scenario.play(household), scenario.limitMs ?? PLAY_LIMIT_MS);
    household.ledger.claimNoFault();
  } catch (error) {
    failure = error;
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  process.stdout.write(
    `${failure === null ? 'ok    ' : 'FAILED'} ${scenario.id.padEnd(5)} ${scenario.title} (${seconds} s)\n`,
  );
  if (failure !== null) {
    process.stdout.write(
      `       ${failure instanceof Error ? (failure.stack ?? failure.message) : JSON.stringify(failure)}\n`,
    );
    if (household) report(scenario, household);
  }
  await household?.close();
  return failure === null;
}

/** Only one can make a folder of a name. */
function hasClaimed(folder: string, { id }: Scenario): boolean {
  try {
    mkdirSync(join(folder, id));
    return true;
  } catch {
    return false;
  }
}

function withinLimit(played: Promise<void>, limitMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`the play took longer than ${limitMs / 1000} s`)),
      limitMs,
    );
    played.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function report(scenario: Scenario, household: Household): void {
  const folder = mkdtempSync(join(tmpdir(), `throughway-${scenario.id}-`));
  household.wanCapture.write(`${folder}/wan.pcap`);
  for (const host of [...household.devices, ...household.servers])
    host.capture.write(`${folder}/${host.name}.pcap`);
  const show = (title: string, program: string, args: string[]): void => {
    let text: string;
    try {
      text = household.gateway.run(program, args);
    } catch (error) {
      text = String(error);
    }
    process.stdout.write(`--- ${title}\n${text}\n`);
  };
  show('ruleset', 'nft', ['list', 'ruleset']);
  show('conntrack', 'cat', ['/proc/net/nf_conntrack']);
  process.stdout.write(`--- log of the daemon\n${household.daemon.log}\n--- captures: ${folder}\n`);
}

insideOwnNamespaces(import.meta.filename);
const share = /^--share=(\d+)\/(\d+)$/.exec(process.argv[2] ?? '');
const claims = /^--claims=(.+)$/.exec(process.argv[2] ?? '')?.[1];
const wanted = process.argv.slice(share || claims !== undefined ? 3 : 2);
const [part, parts] = share ? [Number(share[1]), Number(share[2])] : [1, 1];
const chosen = SCENARIOS.filter(
  ({ id }) =>
    wanted.length === 0 || wanted.some((one) => id === one || (one.length === 1 && id.startsWith(one))),
).filter((_one, index) => index % parts === part - 1);
if (chosen.length === 0) {
  process.stderr.write(
    `"${wanted.join(' ')}" is no scenario; there are ${SCENARIOS.map(({ id }) => id).join(', ')}.\n`,
  );
  process.exit(2);
}
let played = 0;
const failures = async (scenarios: readonly Scenario[]): Promise<Scenario[]> => {
  const failed: Scenario[] = [];
  for (const scenario of scenarios) {
    if (claims !== undefined && !hasClaimed(claims, scenario)) continue;
    played += 1;
    if (!(await play(scenario))) failed.push(scenario);
  }
  return failed;
};
let failed = await failures(
  claims === undefined ? chosen : chosen.toSorted((a, b) => wanted.indexOf(a.id) - wanted.indexOf(b.id)),
);
const tried = played;
// More than a few have a cause of their own.
const MOST_UNSTEADY = 3;
if (share && failed.length > 0 && failed.length <= MOST_UNSTEADY) {
  process.stdout.write(`once more: ${failed.map(({ id }) => id).join(', ')}\n`);
  const first = failed;
  failed = await failures(first);
  for (const scenario of first)
    if (!failed.includes(scenario))
      process.stdout.write(`UNSTEADY ${scenario.id} failed and passed when it was played again; see above\n`);
}
process.stdout.write(`${tried - failed.length} passed, ${failed.length} failed\n`);
process.exit(failed.length === 0 ? 0 : 1);
