// `npm run screenshots -- FOLDER`: every page of the real gateway in the lab, with its devices busy, in both
// themes and widths. They are made to be looked at.
import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { demoSessions, type DemoSession } from '../lab/demo-sessions.ts';
import { insideOwnNamespaces } from '../lab/enter.ts';
import { ADDRESSES } from '../test/pages/addresses.ts';
import { findBrowser } from '../test/pages/browser.ts';
import { buildWithAccount, logIn, PAGE, startBrowserOn } from '../test/pages/gateway.ts';

const LOOKS = [
  { width: 1280, height: 860 },
  { width: 360, height: 740 },
];
/** Long enough for a few steps of the traffic chart. */
const BUSY_MS = 40_000;
const TICK_MS = 50;

const folder = process.argv[2];
const executable = findBrowser();
if (folder === undefined || executable === null) {
  process.stderr.write(
    folder === undefined
      ? 'Name the folder: npm run screenshots -- FOLDER\n'
      : 'There is no Chromium. Install it: sudo apt-get install chromium-headless-shell\n',
  );
  process.exit(2);
}
insideOwnNamespaces(import.meta.filename);
mkdirSync(folder, { recursive: true });
const household = await buildWithAccount();
const sessions = demoSessions(household);
/** On a busy machine an answer may come later than a session waits for it. */
const MOST_ATTEMPTS = 20;
async function connect(session: DemoSession): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await session.connect();
    } catch (error) {
      if (attempt === MOST_ATTEMPTS) throw error;
    }
  }
}
await Promise.all(sessions.map(connect));
const stop = new AbortController();
const traffic = (async () => {
  while (!stop.signal.aborted) {
    for (const session of sessions) session.send();
    await sleep(TICK_MS);
  }
})();
process.stderr.write('The devices make traffic for the chart ...\n');
await sleep(BUSY_MS);
const browser = await startBrowserOn(household, 3, executable);
for (const colorScheme of ['light', 'dark'] as const) {
  for (const viewport of LOOKS) {
    const context = await browser.newContext({ colorScheme, viewport });
    const page = await context.newPage();
    const shoot = async (name: string): Promise<void> => {
      await page.waitForLoadState('load');
      await sleep(600);
      await page.screenshot({
        path: `${folder}/${name}-${colorScheme}-${viewport.width}.png`,
        fullPage: true,
      });
    };
    await page.goto(PAGE);
    await shoot('log-in');
    await logIn(page);
    await page.locator('#side').waitFor({ state: 'attached' });
    for (const [name, path] of Object.entries(ADDRESSES)) {
      await page.goto(PAGE + path);
      await shoot(name);
    }
    await page.goto(`${PAGE}/sessions`);
    await page.locator('.grid-body a').first().click();
    await shoot('session');
    await context.close();
  }
}
stop.abort();
await traffic;
await browser.close();
await household.close();
process.exit(0);
