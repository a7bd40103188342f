// `npm run check`: format, lint, types, dead code, then unit, property and golden tests. Everything
// that needs neither root nor a lab; under 30 seconds.
import { runStep, tellTally, type Step, type Tally } from './steps.ts';

const STEPS: readonly Step[] = [
  { name: 'format', command: ['oxfmt', '--check', '.'] },
  { name: 'lint', command: ['oxlint', '--type-aware', '--max-warnings=0'] },
  { name: 'types', command: ['tsc', '--project', '.'] },
  { name: 'types of the core, without Node', command: ['tsc', '--project', 'src/core'] },
  { name: 'types of the pages', command: ['tsc', '--project', 'src/ui'] },
  { name: "types of the pages' tests", command: ['tsc', '--project', 'test/pages'] },
  { name: 'dead code', command: ['knip', '--no-progress'] },
  {
    name: 'unit, property and golden tests',
    command: ['vitest', 'run', '--reporter=dot'],
    count: (output) => {
      // oxlint-disable-next-line no-control-regex
      const line = output.replaceAll(/\u001b\[[0-9;]*m/g, '').match(/^\s*Tests\s+(.*)$/m)?.[1];
      if (line === undefined) return null;
      const number = (word: string): number => Number(new RegExp(`(\\d+) ${word}`).exec(line)?.[1] ?? 0);
      return { passed: number('passed'), failed: number('failed') };
    },
  },
];

/** Runs every step, two at a time, since the tests wait for nothing that the others make. */
export async function runChecks(tally: Tally): Promise<void> {
  const tests = runStep(STEPS.at(-1)!, tally);
  for (const step of STEPS.slice(0, -1)) await runStep(step, tally);
  await tests;
}

if (import.meta.main) {
  const tally: Tally = { passed: 0, failed: 0 };
  await runChecks(tally);
  tellTally(tally);
}
