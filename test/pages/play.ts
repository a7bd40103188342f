// The pages in a real browser: first what needs no gateway (with the stand-in), then with the real daemon
// in the lab. Prints a line for each test, and a screenshot's path for each that fails.
//   node test/pages/play.ts [PART OF A NAME ...]
import type { Browser } from 'playwright-core';
import { findBrowser, photograph, startBrowser } from './browser.ts';
import { insideOwnNamespaces, namespacesForbidden } from '../../lab/enter.ts';
import { runTool } from '../../lab/namespaces.ts';
import { administrationTests } from './administration-tests.ts';
import { labTests } from './lab-tests.ts';
import type { PageTest } from './page-test.ts';
import { standinTests } from './standin-tests.ts';

/** A test that hangs is broken. */
const PLAY_LIMIT_MS = 60_000;

async function play(test: PageTest, browser: Browser): Promise<boolean> {
  const began = performance.now();
  let failure: unknown = null;
  try {
    await withinLimit(test.play(browser));
  } catch (error) {
    failure = error;
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  process.stdout.write(`${failure === null ? 'ok    ' : 'FAILED'} ${test.name} (${seconds} s)\n`);
  if (failure !== null) {
    process.stdout.write(`       ${failure instanceof Error ? failure.stack : JSON.stringify(failure)}\n`);
    await photograph(browser);
  }
  await Promise.all(browser.contexts().map((context) => context.close()));
  return failure === null;
}

function withinLimit(played: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`the test took longer than ${PLAY_LIMIT_MS / 1000} s`)),
      PLAY_LIMIT_MS,
    );
    played.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

const path = findBrowser();
if (path === null) {
  process.stdout.write('There is no Chromium. Install it: sudo apt-get install chromium-headless-shell\n');
  process.exit(77);
}
const forbidden = namespacesForbidden();
if (forbidden === null) {
  insideOwnNamespaces(import.meta.filename);
  runTool('ip', ['link', 'set', 'lo', 'up']);
} else {
  process.stdout.write(`left out  the pages with the real daemon: ${forbidden}\n`);
}
const wanted = process.argv.slice(2);
const chosen = [...standinTests, ...(forbidden === null ? [...labTests, ...administrationTests] : [])].filter(
  ({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)),
);
const browser = await startBrowser(path);
let failed = 0;
for (const test of chosen) if (!(await play(test, browser))) failed += 1;
await browser.close();
process.stdout.write(`${chosen.length - failed} passed, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);
