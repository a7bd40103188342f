// `npm run fuzz`: damaged messages into every wire format and any facts into every machine, for a while,
// on all processors. What it finds is written to test/corpus (found-….hex) or printed as a seed, and
// ends it with exit status 1.
//   npm run fuzz -- [--seconds N] [--seed N] [NAME ...]     N seconds for each target, 300 by default
import { createHash } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { corpus } from '../test/corpus/corpus.ts';
import { machineTargets, wireTargets, type WireTarget } from '../test/fuzz-targets.ts';

interface Task {
  readonly name: string;
  readonly seconds: number;
  readonly seed: number;
}

interface Outcome {
  readonly name: string;
  readonly runs: number;
  /** Hex or a seed, and what was thrown. */
  readonly found: { readonly input: string; readonly error: string } | null;
}

const CORPUS = new URL('../test/corpus/', import.meta.url);
/** Numbers that lengths and counts go wrong at. */
const EDGES = [0, 1, 4, 7, 8, 16, 0x7f, 0x80, 0xfe, 0xff];
const LOOK_EVERY = 256;

/** Mulberry32: numbers from 0 up to 1 that follow from the seed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Some bytes changed, put in or taken out, the end cut, or two messages joined. */
function damage(messages: readonly Uint8Array[], random: () => number): Uint8Array {
  const upTo = (most: number): number => Math.floor(random() * most);
  const pick = (): Uint8Array => messages[upTo(messages.length)]!;
  const bytes = [...pick()];
  for (let count = upTo(6); count >= 0; count -= 1) {
    const at = upTo(bytes.length + 1);
    switch (upTo(6)) {
      case 0:
        bytes[at] = upTo(256);
        break;
      case 1:
        bytes[at] = EDGES[upTo(EDGES.length)]!;
        break;
      case 2:
        bytes.splice(at, upTo(8));
        break;
      case 3:
        bytes.splice(at, 0, ...Array.from({ length: upTo(8) }, () => upTo(256)));
        break;
      case 4:
        bytes.length = at;
        break;
      default:
        bytes.splice(at, bytes.length, ...pick().subarray(upTo(40)));
    }
  }
  return Uint8Array.from(bytes, (byte) => byte ?? 0);
}

function messagesOf({ folder }: WireTarget): Uint8Array[] {
  const names = readdirSync(new URL(`${folder}/`, CORPUS)).filter((file) => file.endsWith('.hex'));
  return names.map((file) => corpus(folder, file.slice(0, -'.hex'.length)));
}

function play({ name, seconds, seed }: Task): Outcome {
  const random = randomFrom(seed);
  const wire = wireTargets.find((one) => one.name === name);
  const machine = machineTargets.find((one) => one.name === name);
  const messages = wire ? messagesOf(wire) : [];
  const until = performance.now() + seconds * 1000;
  let runs = 0;
  for (;;) {
    if ((machine || runs % LOOK_EVERY === 0) && performance.now() > until) return { name, runs, found: null };
    const bytes = wire ? damage(messages, random) : null;
    const conversation = Math.floor(random() * 0x7fffffff);
    runs += 1;
    try {
      if (bytes) wire!.run(bytes);
      else machine!.run(conversation);
    } catch (error) {
      const input = bytes ? Buffer.from(bytes).toString('hex') : `seed ${conversation}`;
      return {
        name,
        runs,
        found: { input, error: error instanceof Error ? (error.stack ?? error.message) : String(error) },
      };
    }
  }
}

function keep(name: string, { input }: NonNullable<Outcome['found']>): string {
  const wire = wireTargets.find((one) => one.name === name);
  if (!wire) return input;
  const id = createHash('sha256').update(input).digest('hex').slice(0, 8);
  const path = new URL(`${wire.folder}/found-${id}.hex`, CORPUS);
  writeFileSync(
    path,
    `# Origin: found by npm run fuzz in "${name}".\n${(input.match(/.{1,32}/g) ?? []).join('\n')}\n`,
  );
  return path.pathname;
}

/** Plays the tasks, one for each processor at a time. */
async function playAll(tasks: readonly Task[]): Promise<number> {
  const waiting = [...tasks];
  let faults = 0;
  const work = async (): Promise<void> => {
    for (let task = waiting.shift(); task; task = waiting.shift()) {
      const outcome = await new Promise<Outcome>((resolve, reject) => {
        const worker = new Worker(new URL(import.meta.url), { workerData: task });
        worker.once('message', resolve);
        worker.once('error', reject);
      });
      const { name, runs, found } = outcome;
      if (found === null) {
        process.stdout.write(`ok      ${name.padEnd(12)} ${runs.toLocaleString('en')} inputs\n`);
        continue;
      }
      faults += 1;
      process.stdout.write(`FOUND   ${name.padEnd(12)} ${keep(name, found)}\n${found.error}\n`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return faults;
}

const KNOWN = [...wireTargets, ...machineTargets].map(({ name }) => name);
const USAGE = `Usage: npm run fuzz -- [--seconds N] [--seed N] [NAME ...]

Feeds each wire format and each machine with made-up inputs, N seconds each (default 300), all of them or those named:
${KNOWN.join(', ')}.
`;

function readWords(): { seconds: number; seed: number; positionals: string[]; help: boolean } | null {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        seconds: { type: 'string', default: '300' },
        seed: { type: 'string', default: '1' },
        help: { type: 'boolean', default: false },
      },
    });
    const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
    const isKnown = positionals.every((name) => KNOWN.includes(name));
    return isKnown && seconds > 0 && Number.isInteger(seed)
      ? { seconds, seed, positionals, help: values.help }
      : null;
  } catch {
    return null;
  }
}

async function main(): Promise<void> {
  const words = readWords();
  if (words === null) {
    process.stderr.write(`"${process.argv.slice(2).join(' ')}" is not understood.\n\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  const { seconds, seed, positionals } = words;
  if (words.help) {
    process.stdout.write(USAGE);
    return;
  }
  const names = positionals.length > 0 ? positionals : KNOWN;
  const faults = await playAll(names.map((name) => ({ name, seconds, seed })));
  process.stdout.write(`${names.length - faults} passed, ${faults} failed\n`);
  process.exitCode = faults === 0 ? 0 : 1;
}

if (isMainThread) await main();
// A port of a worker has no origin.
// oxlint-disable-next-line unicorn/require-post-message-target-origin
else parentPort!.postMessage(play(workerData as Task));
