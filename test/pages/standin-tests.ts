// What the pages must be on any gateway: free of faults for those who cannot see or use a mouse, right on
// a narrow screen, in both themes and languages, quick with ten thousand sessions.
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { ADDRESSES } from './addresses.ts';
import { findFaults } from './axe.ts';
import type { Fixture } from './fixture.ts';
import type { PageTest } from './page-test.ts';
import { startStandin, type StandinOptions } from './standin.ts';

const WIDE = { width: 1280, height: 860 };
const NARROW = { width: 360, height: 740 };
const FOLDER = fileURLToPath(new URL('../../dist/ui', import.meta.url));

/** A page whose own complaints fail the test. */
async function openPage(
  browser: Browser,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser.newContext({ viewport: WIDE, ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  return { page, complaints };
}

async function withStandin(
  options: StandinOptions,
  play: (fixture: Fixture) => Promise<void>,
): Promise<void> {
  const fixture = await startStandin(options);
  try {
    await play(fixture);
  } finally {
    fixture.close();
  }
}

/** Everything is loaded, and what fades in is there: its contrast is not yet what it becomes. */
const settled = (page: Page): Promise<unknown> =>
  page.waitForFunction(
    () =>
      document.querySelector('h1') !== null &&
      !document.body.innerText.includes('Loading …') &&
      document.getAnimations().every(({ playState }) => playState !== 'running'),
  );

/** All that the first page loads, as the daemon sends it. */
async function weigh(browser: Browser, locale: string): Promise<void> {
  await withStandin({}, async (fixture) => {
    const { page } = await openPage(browser, { locale });
    const loaded = new Set<string>();
    page.on('response', (response) => {
      const { pathname } = new URL(response.url());
      if (!pathname.startsWith('/api/')) loaded.add(pathname === '/' ? '/index.html' : pathname);
    });
    await page.goto(fixture.address);
    await page.locator('.plot canvas').waitFor();
    const bytes = [...loaded].reduce((sum, path) => sum + gzipSync(readFileSync(FOLDER + path)).length, 0);
    assert.ok(loaded.size > 5, `only ${[...loaded].join(' ')}`);
    process.stdout.write(`       ${locale}: ${bytes} bytes\n`);
    assert.ok(bytes < 55_000, `${bytes} bytes in ${[...loaded].join(' ')}`);
  });
}

export const standinTests: readonly PageTest[] = [
  ...(
    [
      ['light', WIDE],
      ['dark', NARROW],
    ] as const
  ).map(([colorScheme, viewport]): PageTest => ({
    name: `no page has a serious fault, breaks its policy or is too wide: ${colorScheme}, ${viewport.width} wide`,
    play: (browser) =>
      withStandin({}, async (fixture) => {
        const { page, complaints } = await openPage(browser, { colorScheme, viewport });
        for (const path of [...Object.values(ADDRESSES), '/sessions/s1']) {
          await page.goto(fixture.address + path);
          await settled(page);
          assert.deepEqual({ path, faults: await findFaults(page) }, { path, faults: [] });
          const width = await page.evaluate(() => document.documentElement.scrollWidth);
          assert.ok(width <= viewport.width, `${path} is ${width} wide on a screen of ${viewport.width}`);
        }
        assert.deepEqual(complaints, []);
      }),
  })),
  ...(
    [
      ['light', WIDE],
      ['dark', NARROW],
    ] as const
  ).map(([colorScheme, viewport]): PageTest => ({
    name: `the manual: every page of it opens, has no serious fault and is not too wide: ${colorScheme}, ${viewport.width} wide`,
    play: (browser) =>
      withStandin({}, async (fixture) => {
        const { page, complaints } = await openPage(browser, { colorScheme, viewport });
        await page.goto(fixture.address);
        if (viewport === NARROW) await page.getByRole('button', { name: 'Menu' }).click();
        await page.getByRole('link', { name: 'Manual', exact: true }).click();
        await page.getByRole('heading', { name: 'The manual', level: 1 }).waitFor();
        const links = await page
          .locator('nav a')
          .evaluateAll((all) => all.map((one) => (one as HTMLAnchorElement).href));
        assert.ok(links.length > 15, `the manual lists ${links.length} pages`);
        for (const address of [page.url(), ...links]) {
          await page.goto(address);
          assert.match(await page.title(), / · Throughway$/, address);
          // The second time, a few stand for all: the colours are the same on each.
          const isLooked = viewport === WIDE || /(index|configuration|troubleshooting)\.html$/.test(address);
          if (isLooked)
            assert.deepEqual({ address, faults: await findFaults(page) }, { address, faults: [] });
          const width = await page.evaluate(() => document.documentElement.scrollWidth);
          assert.ok(width <= viewport.width, `${address} is ${width} wide on a screen of ${viewport.width}`);
        }
        await page.getByRole('link', { name: 'Throughway', exact: true }).click();
        await page.getByRole('heading', { name: 'Overview' }).waitFor();
        assert.deepEqual(complaints, []);
      }),
  })),
  {
    name: 'no dialog and no door has a serious fault: log-in, first run, countdown, second factor, names',
    play: async (browser) => {
      const look = async (page: Page, what: string): Promise<void> => {
        await settled(page);
        assert.deepEqual({ what, faults: await findFaults(page) }, { what, faults: [] });
      };
      for (const door of ['log-in', 'first-run'] as const) {
        await withStandin({ door }, async (fixture) => {
          const { page } = await openPage(browser, { viewport: NARROW });
          await page.goto(fixture.address);
          await page.getByRole('heading', { level: 1 }).waitFor();
          await look(page, door);
          if (door === 'log-in') return;
          await page.getByLabel('One-time code').fill('123');
          for (const label of ['New password', 'The same again'])
            await page.getByLabel(label).fill('long enough it is');
          await page.getByRole('button', { name: 'Continue' }).click();
          await page.getByRole('radio', { name: 'eth0 is the WAN' }).waitFor();
          await look(page, 'interfaces');
        });
      }
      await withStandin({ isPending: true }, async (fixture) => {
        const { page } = await openPage(browser);
        await page.goto(`${fixture.address}/administration/users`);
        await page.getByText('Do you still reach this page?').waitFor();
        await page.getByRole('button', { name: 'Second factor' }).click();
        await page.getByRole('img', { name: /QR code/ }).waitFor();
        await look(page, 'second factor');
        await page.getByLabel('Code of six digits').fill('123456');
        await page.getByRole('button', { name: 'Turn on' }).click();
        await page.getByText('The second factor is on.').waitFor();
        await page.keyboard.press('Escape');
        await page.goto(`${fixture.address}/devices`);
        await page.getByRole('button', { name: 'Name anna-laptop' }).first().click();
        await look(page, 'name of a device');
        await page.keyboard.press('Escape');
        await page.getByRole('dialog').waitFor({ state: 'detached' });
      });
    },
  },
  {
    name: 'German throughout, with its own notation',
    play: (browser) =>
      withStandin({}, async (fixture) => {
        const { page } = await openPage(browser, { locale: 'de-DE' });
        await page.goto(`${fixture.address}/security/vpn-passthrough`);
        await page.getByRole('button', { name: 'Einstellungen speichern' }).waitFor();
        assert.equal(await page.evaluate(() => document.documentElement.lang), 'de');
        await page.getByRole('link', { name: 'Darstellung' }).click();
        await page.getByLabel('English').check();
        await page.getByRole('heading', { name: 'Appearance' }).waitFor();
        await page.reload();
        await page.getByRole('heading', { name: 'Appearance' }).waitFor();
        assert.equal(await page.evaluate(() => document.documentElement.lang), 'en');
      }),
  },
  {
    name: 'the theme is chosen, kept, and there before the first paint',
    play: (browser) =>
      withStandin({}, async (fixture) => {
        const { page } = await openPage(browser, { colorScheme: 'light' });
        await page.goto(`${fixture.address}/administration/appearance`);
        const paper = (): Promise<string> =>
          page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
        const light = await paper();
        await page.getByLabel('Dark').check();
        const dark = await paper();
        assert.notEqual(dark, light);
        await page.goto(fixture.address, { waitUntil: 'commit' });
        await page.waitForFunction(() => document.styleSheets.length > 0);
        assert.equal(await paper(), dark);
      }),
  },
  {
    name: 'the switches by keyboard alone: what will end is named, then saved, then told',
    play: (browser) =>
      withStandin({}, async (fixture) => {
        const { page } = await openPage(browser);
        await page.goto(`${fixture.address}/security/vpn-passthrough`);
        const pptp = page.getByRole('group', { name: 'PPTP Passthrough' });
        await pptp.getByRole('radio', { name: 'Enabled' }).waitFor();
        await page.keyboard.press('Tab');
        assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Skip to the content');
        const isOn = (): Promise<boolean> =>
          pptp.getByRole('radio', { name: 'Enabled' }).evaluate((radio) => radio === document.activeElement);
        for (let presses = 0; presses < 60 && !(await isOn()); presses += 1) await page.keyboard.press('Tab');
        await page.keyboard.press('ArrowRight');
        await page.getByText(/Saving this ends \d+ sessions:/).waitFor();
        const save = page.getByRole('button', { name: 'Save Settings' });
        for (let presses = 0; presses < 30; presses += 1) {
          if (await save.evaluate((button) => button === document.activeElement)) break;
          await page.keyboard.press('Tab');
        }
        await page.keyboard.press('Enter');
        await page.getByText('PPTP Passthrough is disabled. 2 running connections were ended.').waitFor();
        assert.ok(await pptp.getByRole('radio', { name: 'Disabled' }).isChecked());
      }),
  },
  {
    name: 'Cancel Changes puts the radios back, and leaving with changes asks',
    play: (browser) =>
      withStandin({}, async (fixture) => {
        const { page } = await openPage(browser);
        await page.goto(`${fixture.address}/security/vpn-passthrough`);
        const l2tp = page.getByRole('group', { name: 'L2TP Passthrough' });
        await l2tp.getByRole('radio', { name: 'Disabled' }).check();
        let asked = '';
        page.once('dialog', (dialog) => {
          asked = dialog.message();
          void dialog.dismiss();
        });
        await page.getByRole('link', { name: 'Devices', exact: true }).click();
        assert.match(asked, /not saved/);
        assert.match(page.url(), /vpn-passthrough/);
        await page.getByRole('button', { name: 'Cancel Changes' }).click();
        assert.ok(await l2tp.getByRole('radio', { name: 'Enabled' }).isChecked());
        await page.getByRole('link', { name: 'Devices', exact: true }).click();
        await page.getByRole('heading', { name: 'Devices', level: 1 }).waitFor();
      }),
  },
  {
    name: 'the first page is under 55 kB compressed in either language, with everything that it loads',
    play: async (browser) => {
      for (const locale of ['en-GB', 'de-DE']) await weigh(browser, locale);
    },
  },
  {
    name: 'a session that ends meanwhile leads to the door, which says so, and back again',
    play: (browser) =>
      withStandin({}, async (fixture) => {
        const { page } = await openPage(browser);
        await page.goto(`${fixture.address}/devices`);
        await page.getByText('anna-laptop').first().waitFor();
        await page.route('**/api/v1/**', (route) =>
          route.fulfill({
            status: 401,
            contentType: 'application/problem+json',
            body: JSON.stringify({ code: 'not-logged-in', detail: 'Nobody is logged in.' }),
          }),
        );
        await page.getByText('Your log-in has ended.').waitFor();
        await page.unroute('**/api/v1/**');
        await page.route('**/api/v1/login', (route) =>
          route.fulfill({ contentType: 'application/json', body: JSON.stringify({ name: 'admin' }) }),
        );
        await page.getByLabel('User name').fill('admin');
        await page.getByLabel('Password').fill('correct horse battery');
        await page.getByRole('button', { name: 'Log in' }).click();
        await page.getByText('anna-laptop').first().waitFor();
        assert.match(page.url(), /\/devices$/);
      }),
  },
  {
    name: 'the list of sessions comes back by itself after a stream that was refused',
    play: (browser) =>
      withStandin({}, async (fixture) => {
        const { page } = await openPage(browser);
        let refused = 0;
        await page.route('**/api/v1/sessions', (route) => {
          refused += 1;
          return refused > 2 ? route.continue() : route.fulfill({ status: 503, body: 'starting' });
        });
        await page.goto(`${fixture.address}/sessions`);
        await page.getByText('60 sessions').waitFor();
        assert.equal(refused, 3);
      }),
  },
  {
    name: 'of 10,000 sessions only those in sight are drawn; the last is reached, found and ordered',
    play: (browser) =>
      withStandin({ sessions: 10_000, changesPerSecond: 1000 }, async (fixture) => {
        const { page } = await openPage(browser);
        await page.goto(`${fixture.address}/sessions?order=since`);
        await page.getByText('10,000 sessions').waitFor();
        const table = page.getByRole('table', { name: 'Sessions' });
        assert.equal(await table.getAttribute('aria-rowcount'), '10001');
        assert.ok((await table.getByRole('row').count()) < 80);
        await table.evaluate((element) => {
          element.scrollTop = element.scrollHeight;
        });
        await table.locator('[aria-rowindex="10001"]').waitFor();
        await page.getByRole('searchbox').fill('203.0.113.77');
        await page.getByText('50 of 10000 sessions').waitFor();
        await page.getByRole('button', { name: 'Received' }).click();
        assert.equal(
          await table.getByRole('columnheader', { name: 'Received' }).getAttribute('aria-sort'),
          'ascending',
        );
        assert.match(page.url(), /q=203\.0\.113\.77&?.*order=in|order=in.*q=203/);
      }),
  },
];
