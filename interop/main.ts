// `npm run interop`: real VPN programs through the real gateway, and a matrix of what was seen. Needs
// root. Ends with 0 when every row holds, 1 when one does not, 2 on a wrong option, 77 when it cannot run here.
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { playApart, playHere } from './apart.ts';
import type { Result } from './play.ts';
import { renderJson, renderMatrix, writeMatrix } from './report.ts';
import type { Setting } from './row.ts';
import { ROWS, TRIALS } from './rows/all.ts';
import { buildTree, isBuilt, TreeError } from './trees.ts';
import type { Way } from './world.ts';

const USAGE = `Usage: npm run interop -- [options]

Plays every row, and every row again through plain masquerade.

  --only ROW[,ROW]  rows whose id begins with one of these
  --fast            the rows that together take under five minutes, no baseline; one that fails is
                    played again, since it decides what may land
  --no-baseline     nothing through plain masquerade
  --at-once N       so many rows at once (default 2)
  --json            the matrix for programs; the progress goes to stderr
  --write           also writes what was played into the matrix of docs/interop.md
  --prepare         only builds the root file systems
  --help            prints this
`;

function wrongOption(sentence: string): never {
  process.stderr.write(`${sentence}\n\n${USAGE}`);
  process.exit(2);
}

function leaveOut(sentence: string): never {
  process.stdout.write(`${sentence}\n`);
  process.exit(77);
}

const OPTIONS = {
  only: { type: 'string' },
  fast: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  write: { type: 'boolean', default: false },
  prepare: { type: 'boolean', default: false },
  'no-baseline': { type: 'boolean', default: false },
  'at-once': { type: 'string', default: '2' },
  help: { type: 'boolean', default: false },
  // What apart.ts says to the process that plays one row.
  play: { type: 'string' },
  way: { type: 'string' },
  to: { type: 'string' },
} as const;

function readOptions(): ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'] {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    return wrongOption((error as Error).message);
  }
}

const values = readOptions();
if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}
const atOnce = Number(values['at-once']);
if (!Number.isInteger(atOnce) || atOnce < 1)
  wrongOption(`"${values['at-once']}" is not how many rows are played at once: 1, 2 or more.`);
if (values.play !== undefined) {
  await playHere({ id: values.play, way: values.way as Way, to: values.to! });
  process.exit(0);
}
const wanted = values.only?.split(',');
const isChosen = ({ id, isFast }: Setting): boolean =>
  (!values.fast || isFast) && (wanted === undefined || wanted.some((one) => id.startsWith(one)));
const [rows, trials] = [ROWS.filter(isChosen), TRIALS.filter(isChosen)];
const chosen: readonly Setting[] = [...rows, ...trials];
if (chosen.length === 0) {
  process.stderr.write(
    `"${values.only}" is no row; there are ${[...ROWS, ...TRIALS].map(({ id }) => id).join(', ')}.\n`,
  );
  process.exit(2);
}
if (process.getuid?.() !== 0)
  leaveOut('The interoperability runs mount file systems and need root. Run: sudo npm run interop');
if (!existsSync('/dev/net/tun'))
  leaveOut('The programs need TUN devices, and there is no /dev/net/tun here. Try: modprobe tun');
const missing = new Set(chosen.flatMap(({ server, device }) => [server.tree, device.tree]));
for (const tree of missing) if (isBuilt(tree)) missing.delete(tree);
if (missing.size > 0) {
  const names = [...missing].map((tree) => `"${tree}"`).join(' and ');
  process.stderr.write(`Building the root file system ${names} with mmdebstrap (under .cache/interop) ...\n`);
  const built = await Promise.allSettled([...missing].map((tree) => buildTree(tree)));
  for (const one of built) {
    if (one.status === 'fulfilled') continue;
    if (!(one.reason instanceof TreeError)) throw one.reason;
    leaveOut(one.reason.message);
  }
}
if (values.prepare) process.exit(0);

const say = (line: string): void => void (values.json ? process.stderr : process.stdout).write(`${line}\n`);
const began = performance.now();
const results: Result[] = [];
/** Rows that failed at first and passed then. */
const unsteady: string[] = [];
let failed = 0;

/** Plays it in a process of its own, whose evidence is printed. */
async function play({ id }: Setting, way: Way): Promise<Result> {
  const { result, output } = await playApart(id, way);
  if (output !== '') say(output.trimEnd());
  return result;
}

/** The result that counts; of the fast part, a row that fails has a second chance, and is named if it takes it. */
async function playAgain(one: Setting): Promise<Result> {
  const first = await play(one, 'throughway');
  const failure = first.stages.find(({ holds }) => !holds);
  if (!values.fast || failure === undefined) return first;
  say(`FAILED ${one.id}, at "${failure.stage}": ${failure.note.split('\n')[0]}. It is played once more.`);
  const second = await play(one, 'throughway');
  if (second.stages.every(({ holds }) => holds)) unsteady.push(`${one.id} (at "${failure.stage}")`);
  return second;
}

/** Says what became of a row, and writes it down at once: a long run may be ended early. */
function tell({ id, title }: Setting, { stages, seconds }: Result): void {
  if (values.write) writeMatrix(ROWS, TRIALS, results);
  const holds = stages.every((stage) => stage.holds);
  failed += holds ? 0 : 1;
  say(`${holds ? 'ok    ' : 'FAILED'} ${id.padEnd(18)} ${title} (${seconds} s)`);
  for (const one of stages)
    say(
      `         ${one.holds ? '+' : '-'} ${one.stage}${one.note === '' ? '' : `: ${one.note.split('\n')[0]}`}`,
    );
}

async function playChosen(one: Setting): Promise<void> {
  const result = await playAgain(one);
  results.push(result);
  const hasBaseline = !values.fast && !values['no-baseline'] && !trials.some(({ id }) => id === one.id);
  const plain = hasBaseline ? await play(one, 'masquerade') : null;
  if (plain !== null) results.push(plain);
  tell(one, result);
  if (plain !== null)
    say(
      `         plain masquerade: ${plain.stages.map(({ stage, note }) => `${stage} ${note.split('\n')[0]}`).join(', ')} (${plain.seconds} s)`,
    );
}

// Most of a row is waiting, so two at once do not hinder each other.
const waiting = [...chosen];
const takeTurns = async (): Promise<void> => {
  for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) await playChosen(one);
};
await Promise.all(Array.from({ length: atOnce }, takeTurns));
process.stdout.write(values.json ? renderJson(chosen, results) : renderMatrix(rows, trials, results));
if (unsteady.length > 0)
  say(`UNSTEADY: failed at first, and passed when played once more: ${unsteady.join(', ')}.`);
say(`All of it took ${Math.round((performance.now() - began) / 1000)} s.`);
say(`${chosen.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
