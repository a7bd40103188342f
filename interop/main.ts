// `npm run interop`: real VPN programs through the real gateway, and a matrix of what was seen.
//   npm run interop                        every row, and every row again through plain masquerade
//   npm run interop -- --only ROW[,ROW]    rows whose id begins with one of these
//   npm run interop -- --fast              the rows that together take under five minutes, no baseline
//   npm run interop -- --json              the matrix for programs; the progress goes to stderr
//   npm run interop -- --write             also writes the matrix into docs/interop.md
//   npm run interop -- --prepare           only builds the root file systems
// Needs root. Ends with 0 when every row holds, 1 when one does not, 77 when it cannot run here.
import { parseArgs } from 'node:util';
import { insideOwnNamespaces } from '../lab/enter.ts';
import { playRow, type Result } from './play.ts';
import { renderJson, renderMatrix, writeMatrix } from './report.ts';
import { ROWS } from './rows/all.ts';
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
    'if-prepared': { type: 'boolean', default: false },
    'no-baseline': { type: 'boolean', default: false },
  },
});
const wanted = values.only?.split(',');
const chosen = ROWS.filter(
  ({ id, isFast }) =>
    (!values.fast || isFast) && (wanted === undefined || wanted.some((one) => id.startsWith(one))),
);
if (chosen.length === 0) {
  process.stderr.write(`"${values.only}" is no row; there are ${ROWS.map(({ id }) => id).join(', ')}.\n`);
  process.exit(2);
}
if (process.getuid?.() !== 0)
  leaveOut('The interoperability runs mount file systems and need root. Run: sudo npm run interop');
if (values['if-prepared'] && missingTrees().length > 0)
  leaveOut('Its root file systems are not built yet, which takes a minute: npm run interop -- --prepare');
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
for (const row of chosen) {
  const result = await playRow(row, 'throughway');
  results.push(result);
  const faults = result.stages.filter(({ holds }) => !holds);
  failed += faults.length > 0 ? 1 : 0;
  say(`${faults.length === 0 ? 'ok    ' : 'FAILED'} ${row.id.padEnd(18)} ${row.title} (${result.seconds} s)`);
  for (const { stage, holds, note } of result.stages)
    say(`         ${holds ? '+' : '-'} ${stage}${note === '' ? '' : `: ${note.split('\n')[0]}`}`);
  if (values.fast || values['no-baseline']) continue;
  const baseline = await playRow(row, 'masquerade');
  results.push(baseline);
  say(
    `         plain masquerade: ${baseline.stages.map(({ stage, note }) => `${stage} ${note.split('\n')[0]}`).join(', ')}`,
  );
}
process.stdout.write(values.json ? renderJson(chosen, results) : renderMatrix(chosen, results));
if (values.write) writeMatrix(chosen, results);
say(`${chosen.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
