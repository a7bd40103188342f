// Debian's Chromium, driven by playwright-core: started with a profile of its own that goes with it.
import { accessSync, constants, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';

const PATHS = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'];

/** Where the browser is, or null. */
export function findBrowser(): string | null {
  return (
    PATHS.find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    }) ?? null
  );
}

export function startBrowser(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    headless: true,
    chromiumSandbox: false,
    args: [
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** What every open page shows, for a test that failed. */
export async function photograph(browser: Browser): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'throughway-page-'));
  const pages: Page[] = browser.contexts().flatMap((context) => context.pages());
  for (const [index, page] of pages.entries()) {
    const path = join(folder, `${index}.png`);
    await page.screenshot({ path, timeout: 5000 }).catch(() => undefined);
    process.stdout.write(`       it showed: ${page.url()} ${path}\n`);
  }
}
