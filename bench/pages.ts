// `npm run bench:pages`: how soon the pages are there and how they bear a flood of changes, in headless
// Chromium with the built pages and a stand-in for the daemon. Prints medians of some rounds; a busy
// machine spoils them, so its load stands beside them.
import { loadavg } from 'node:os';
import { findBrowser, startBrowser } from '../test/pages/browser.ts';
import { startStandin } from '../test/pages/standin.ts';

const ROUNDS = 5;
const SESSIONS = 10_000;
const CHANGES_PER_SECOND = 1000;
const WATCH_MS = 5000;

interface Round {
  readonly firstPaint: number;
  readonly usable: number;
  /** The longest task while changes come in. */
  readonly longest: number;
}

const LOOKS = [
  { name: 'overview', path: '/', sign: 'table tbody th' },
  { name: `sessions, ${SESSIONS} rows`, path: '/sessions', sign: '.grid-body .grid-row' },
] as const;

/** Runs in the page: notes every task that keeps it busy for more than 50 ms. */
const WATCH_TASKS = `globalThis.tasks = [];
new PerformanceObserver((list) => globalThis.tasks.push(...list.getEntries().map(({ duration }) => duration)))
  .observe({ type: 'longtask', buffered: true });`;

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

const path = findBrowser();
if (path === null) {
  process.stderr.write('There is no Chromium. Install it: sudo apt-get install chromium-headless-shell\n');
  process.exit(77);
}
const standin = await startStandin({ sessions: SESSIONS, changesPerSecond: CHANGES_PER_SECOND });
const browser = await startBrowser(path);
for (const look of LOOKS) {
  const rounds: Round[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
    const page = await context.newPage();
    await page.addInitScript(WATCH_TASKS);
    await page.goto(standin.address + look.path);
    await page.locator(look.sign).first().waitFor();
    const usable = Number(await page.evaluate('performance.now()'));
    const firstPaint = Number(
      await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"),
    );
    // The first flood of all sessions is part of becoming usable.
    await page.waitForTimeout(1000);
    await page.evaluate('globalThis.tasks = []');
    await page.waitForTimeout(WATCH_MS);
    const longest = Number(await page.evaluate('Math.max(0, ...globalThis.tasks)'));
    rounds.push({ firstPaint, usable, longest });
    await context.close();
  }
  const show = (of: keyof Round): string => `${median(rounds.map((one) => one[of])).toFixed(0)} ms`;
  process.stdout.write(
    `${look.name.padEnd(22)} first paint ${show('firstPaint')}, usable ${show('usable')}, longest task at ${CHANGES_PER_SECOND} changes a second ${show('longest')}\n`,
  );
}
await browser.close();
standin.close();
process.stdout.write(`load ${loadavg()[0]!.toFixed(1)}\n`);
