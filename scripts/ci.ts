// What `.ci/run` plays: everything of `npm test`, then those rows of `npm run interop` that take a few
// minutes, with real VPN programs, then `npm run package:test`. Where Debian's archive cannot be had these are left
// out, which is said.
// Ends with the `N passed, N failed` of all together.
import { countOf, runStep, tellTally, type Tally } from './steps.ts';
import { runTests } from './test.ts';

const tally: Tally = { passed: 0, failed: 0 };
await runTests(tally);
await runStep(
  {
    name: 'real VPN programs',
    command: [process.execPath, 'interop/main.ts', '--fast'],
    count: countOf,
    live: true,
  },
  tally,
);
await runStep(
  {
    name: 'the package',
    command: [process.execPath, 'packaging/test.ts'],
    count: countOf,
    live: true,
  },
  tally,
);
tellTally(tally);
