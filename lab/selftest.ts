// `throughway selftest`: a test gateway with this version's rules and daemon on this machine's own kernel,
// between test devices and test servers, all in namespaces of their own; real traffic is not touched. Plays
// the cases of the lab that the requirements below stand on, and says for each requirement whether it holds.
//   node lab/selftest.ts [--json] [ID ...]    all cases, or only these
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { namespacesForbidden } from './enter.ts';
import { SCENARIOS } from './scenarios/all.ts';

interface Requirement {
  /** Where it is from. */
  readonly source: string;
  readonly what: string;
  readonly cases: readonly string[];
}

const REQUIREMENTS: readonly Requirement[] = [
  { source: 'TR-124 LAN.ALG', what: 'PPTP of several devices to the same server', cases: ['P1', 'P2', 'P9'] },
  { source: 'TR-124 LAN.ALG', what: 'L2TP of several devices to the same server', cases: ['L1'] },
  { source: 'TR-124 LAN.ALG', what: 'IPsec of several devices to different servers', cases: ['E2', 'E11'] },
  { source: 'TR-124 LAN.ALG', what: 'IPsec of several devices to the same server', cases: ['E3', 'E4'] },
  { source: 'TR-124 LAN.ALG', what: 'at least four sessions of one device', cases: ['E6'] },
  { source: 'TR-124 LAN.ALG', what: 'IPsec with NAT traversal', cases: ['I1', 'I5', 'I6'] },
  { source: 'RFC 2637', what: 'GRE of PPTP keeps its checksum and order', cases: ['P14'] },
  { source: 'RFC 2661 8.1', what: 'an L2TP server may answer from another port', cases: ['L4'] },
  { source: 'RFC 4303', what: 'rekeying by the device and by the server', cases: ['E7', 'E8'] },
  { source: 'RFC 4787', what: 'UDP mapping, filtering and timeouts', cases: ['N1'] },
  { source: 'RFC 5382', what: 'TCP mapping, filtering and timeouts', cases: ['N1b'] },
  {
    source: 'RFC 4787, RFC 5382',
    what: 'hairpin: devices reach each other by the WAN address',
    cases: ['N2'],
  },
  { source: 'RFC 5508', what: 'ICMP errors reach the device they are about', cases: ['E17'] },
  { source: 'RFC 4787 REQ-14', what: 'fragments, in order and out of order', cases: ['E18', 'E18b', 'I7'] },
  { source: 'RFC 6092', what: 'IPv6: the filter, and IPsec to LAN hosts', cases: ['V1', 'V2', 'V3'] },
  {
    source: 'Throughway',
    what: 'a protocol that is switched off is refused at once',
    cases: ['P17', 'E22', 'L5'],
  },
  { source: 'Throughway', what: 'a reload and the death of the daemon lose no packet', cases: ['N4', 'N5'] },
];

/** Most of a case is waiting, for a daemon to start and for timers of the protocols. */
const AT_ONCE = Math.max(2, Math.min(6, 2 * availableParallelism()));

/** They wait for what servers and kernels do in their own time. */
const LONG: ReadonlySet<string> = new Set(['N5', 'L1', 'L4', 'I1', 'I6', 'I7', 'N4']);

/** They hold the gateway to a tenth of a second, so nothing else plays meanwhile. */
const ALONE: ReadonlySet<string> = new Set(['P17', 'E22', 'L5']);

/** So often a case that fails is played again, alone. */
const MOST_AGAIN = 2;

type Outcome = 'holds' | 'fails' | 'not tried';

/** Plays what no other player has taken; `claims` is the folder in which they agree about that. */
function play(claims: string, cases: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const script = new URL('play.ts', import.meta.url).pathname;
    const child = spawn(process.execPath, [script, `--claims=${claims}`, ...cases], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.once('close', () => resolve(output));
  });
}

async function playTogether(wanted: readonly string[], atOnce: number): Promise<string[]> {
  if (wanted.length === 0) return [];
  const claims = mkdtempSync(join(tmpdir(), 'throughway-selftest-'));
  try {
    return await Promise.all(Array.from({ length: atOnce }, () => play(claims, wanted)));
  } finally {
    rmSync(claims, { recursive: true, force: true });
  }
}

/** The cases that the players' lines begin with this word. */
function named(outputs: readonly string[], word: string): Set<string> {
  const lines = outputs.flatMap((output) => output.split('\n'));
  return new Set(lines.flatMap((line) => new RegExp(`^${word} +(\\S+)`).exec(line)?.[1] ?? []));
}

function outcomeOf(
  cases: readonly string[],
  passed: ReadonlySet<string>,
  failed: ReadonlySet<string>,
): Outcome {
  if (cases.some((one) => failed.has(one))) return 'fails';
  return cases.every((one) => passed.has(one)) ? 'holds' : 'not tried';
}

const began = performance.now();
const asJson = process.argv.includes('--json');
const forbidden = namespacesForbidden();
if (forbidden !== null) {
  process.stderr.write(`${forbidden}\n`);
  process.exit(4);
}
const known = new Set(SCENARIOS.map(({ id }) => id));
const only = process.argv.slice(2).filter((one) => one !== '--json');
const cases = [...new Set(REQUIREMENTS.flatMap((one) => one.cases))]
  .filter((one) => known.has(one) && (only.length === 0 || only.includes(one)))
  // Those first that take long, so that nobody is left alone with one in the end.
  .toSorted((a, b) => Number(LONG.has(b)) - Number(LONG.has(a)));
if (!asJson)
  process.stdout.write(
    `Trying ${cases.length} cases on a test gateway of its own, about half a minute ...\n\n`,
  );
const parts = await playTogether(
  cases.filter((one) => !ALONE.has(one)),
  AT_ONCE,
);
parts.push(
  ...(await playTogether(
    cases.filter((one) => ALONE.has(one)),
    1,
  )),
);
// What failed may have come too late on a busy machine; what a kernel cannot do fails each time, also alone.
const again = [...named(parts, 'FAILED')];
const passed = named(parts, 'ok');
const repeated: string[] = [];
let failed: ReadonlySet<string> = new Set(again);
for (let round = 0; round < MOST_AGAIN && failed.size > 0; round += 1) {
  const outputs = await playTogether([...failed], 1);
  repeated.push(...outputs);
  for (const one of named(outputs, 'ok')) passed.add(one);
  failed = new Set([...failed].filter((one) => !passed.has(one)));
}
const report = REQUIREMENTS.map(({ source, what, cases: its }) => ({
  source,
  what,
  outcome: outcomeOf(its, passed, failed),
  cases: its,
}));
const all = report.every(({ outcome }) => outcome === 'holds');
const seconds = Math.round((performance.now() - began) / 1000);
if (asJson) process.stdout.write(`${JSON.stringify({ holds: all, seconds, again, requirements: report })}\n`);
else {
  for (const { source, what, outcome } of report)
    process.stdout.write(`${outcome.padEnd(9)}  ${source.padEnd(20)} ${what}\n`);
  if (again.length > 0)
    process.stdout.write(`\nNot at the first try, and so played again alone: ${again.join(', ')}.\n`);
  process.stdout.write(
    `\n${all ? 'Everything holds on this machine' : 'Something does not hold on this machine; "throughway doctor" may say why'} (${seconds} seconds).\n`,
  );
}
for (const output of all ? [] : [...parts, ...repeated]) process.stderr.write(output);
process.exit(all ? 0 : 1);
