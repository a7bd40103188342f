// `npm run interop`: real VPN programs through the real gateway, and a matrix of what was seen.
//   npm run interop                        every row, and every row again through plain masquerade
//   npm run interop -- --only ROW[,ROW]    rows whose id begins with one of these
//   npm run interop -- --fast              the rows that together take under five minutes, no baseline
//   npm run interop -- --json              the matrix for programs; the progress goes to stderr
//   npm run interop -- --write             also writes what was played into the matrix of docs/interop.md
//   npm run interop -- --prepare           only builds the root file systems
// Needs root. Ends with 0 when every row holds, 1 when one does not, 77 when it cannot run here.
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { insideOwnNamespaces } from '../lab/enter.ts';
import { playRow, playTrial, type Result } from './play.ts';
import { renderJson, renderMatrix, writeMatrix } from './report.ts';
import type { Setting } from './row.ts';
import { ROWS, TRIALS } from './rows/all.ts';
import { buildTree, missingTrees } from './trees.ts';

function leaveOut(sentence: string): never {
  process.stdout.write(`${sentence}\n`);
  process.exit(77);
}

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    fast: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    prepare: { type: 'boolean', default: false },
    'no-baseline': { type: 'boolean', default: false },
  },
});
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
for (const tree of missingTrees()) {
  process.stderr.write(
    `Building the root file system "${tree}" with mmdebstrap (under .cache/interop) ...\n`,
  );
  buildTree(tree);
}
if (values.prepare) process.exit(0);
insideOwnNamespaces(import.meta.filename, ['--pid', '--mount-proc']);

const say = (line: string): void => void (values.json ? process.stderr : process.stdout).write(`${line}\n`);
const results: Result[] = [];
let failed = 0;

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

for (const row of rows) {
  const result = await playRow(row, 'throughway');
  results.push(result);
  if (!values.fast && !values['no-baseline']) results.push(await playRow(row, 'masquerade'));
  tell(row, result);
  const plain = results.find(({ id, way }) => id === row.id && way === 'masquerade');
  if (plain !== undefined)
    say(
      `         plain masquerade: ${plain.stages.map(({ stage, note }) => `${stage} ${note.split('\n')[0]}`).join(', ')}`,
    );
}
for (const trial of trials) {
  const result = await playTrial(trial);
  results.push(result);
  tell(trial, result);
}
process.stdout.write(values.json ? renderJson(chosen, results) : renderMatrix(rows, trials, results));
say(`${chosen.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
