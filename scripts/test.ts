// `npm test`: the checks, then the tests that meet a kernel in namespaces of their own, then the
// lab's scenarios and the demonstration, then the pages in a browser. Ends with `N passed, N failed`.
import { namespacesForbidden, unshareCommand } from '../lab/enter.ts';
import { runChecks } from './check.ts';
import { countOf, runStep, tellTally, type Step, type Tally } from './steps.ts';

export async function runTests(tally: Tally): Promise<void> {
  await runChecks(tally);
  const forbidden = namespacesForbidden();
  if (forbidden === null) {
    await runStep(
      {
        name: 'kernel adapters',
        command: unshareCommand([
          'env',
          'THROUGHWAY_NETNS=1',
          'vitest',
          'run',
          'src/linux',
          'src/daemon/features.test.ts',
          'test/golden',
          '--reporter=dot',
        ]),
      },
      tally,
    );
    // Most of a scenario is waiting, so two at once do not hinder each other.
    const lab = (part: number): Step => ({
      name: `lab, part ${part} of 2`,
      command: [process.execPath, 'lab/play.ts', `--share=${part}/2`],
      count: countOf,
      live: true,
    });
    await Promise.all([1, 2].map((part) => runStep(lab(part), tally)));
    await runStep(
      { name: 'npm start -- --once', command: [process.execPath, 'lab/start.ts', '--once'] },
      tally,
    );
  } else {
    process.stdout.write(`left out  the kernel adapters and the lab: ${forbidden}\n`);
  }
  await runStep(
    {
      name: 'the pages in a browser',
      command: [process.execPath, 'test/pages/play.ts'],
      count: countOf,
      live: true,
    },
    tally,
  );
}

if (import.meta.main) {
  const tally: Tally = { passed: 0, failed: 0 };
  await runTests(tally);
  tellTally(tally);
}
