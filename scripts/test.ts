// `npm test`: the checks, then the tests that meet a kernel in namespaces of their own, then the
// lab's scenarios, then the pages in a browser. Ends with `N passed, N failed`.
import { namespacesForbidden, unshareCommand } from '../lab/enter.ts';
import { runChecks } from './check.ts';
import { countOf, runStep, type Tally } from './steps.ts';

const tally: Tally = { passed: 0, failed: 0 };
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
  await runStep(
    { name: 'lab', command: [process.execPath, 'lab/play.ts'], count: countOf, live: true },
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
process.stdout.write(`${tally.passed} passed, ${tally.failed} failed\n`);
process.exitCode = tally.failed === 0 ? 0 : 1;
