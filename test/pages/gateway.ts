// The real daemon in the lab with its page served to the LAN, and a browser on one of the LAN's devices.
import { chmodSync, writeFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { Household, type HouseholdOptions } from '../../lab/topologies/household.ts';
import { callDaemon } from '../../src/cli/client.ts';
import { findBrowser, photograph, startBrowser } from './browser.ts';
import type { PageTest } from './page-test.ts';

export const PAGE = 'http://192.168.1.1';
export const ADMIN = { name: 'admin', password: 'correct horse battery' } as const;

/** The page over plain HTTP alone: no certificate has to be made for each household. */
export const WEB = 'web: { listen: ["lan:80"], tls_listen: [] }';

/** Chromium started on this device, so that the page is reached as a device reaches it. */
export function startBrowserOn(household: Household, device: number, executable: string): Promise<Browser> {
  const path = `/run/browser-on-device${device}`;
  writeFileSync(path, `#!/bin/sh\nexec ip netns exec device${device} ${executable} "$@"\n`);
  chmodSync(path, 0o700);
  household.devices[device - 1]!.namespace.ip('link set lo up');
  return startBrowser(path);
}

/** A household whose gateway has an account already. */
export async function buildWithAccount(options: HouseholdOptions = {}): Promise<Household> {
  const household = await Household.build({ config: WEB, ...options });
  await callDaemon(household.daemon.socket, 'POST', '/api/v1/users', ADMIN);
  return household;
}

/** The one-time code that lets the first account be made. */
export async function firstRunCode(household: Household): Promise<string> {
  const text = await callDaemon(household.daemon.socket, 'GET', '/api/v1/first-run');
  return (JSON.parse(text) as { code: string }).code;
}

const MOST_VISITS = 20;

/** A browser that has just started gives up what it loads when it notes that an interface has come up. */
export async function visit(page: Page, address: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await page.goto(address);
      return;
    } catch (error) {
      if (attempt === MOST_VISITS || !String(error).includes('ERR_NETWORK_CHANGED')) throw error;
    }
  }
}

/** Through the door, as a person goes. */
export async function logIn(page: Page, password: string = ADMIN.password): Promise<void> {
  await page.getByLabel('User name').fill(ADMIN.name);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
}

/** Plays with a household and a browser on its third device, and clears both away. */
export function inHousehold(
  name: string,
  build: () => Promise<Household>,
  play: (household: Household, page: Page) => Promise<void>,
): PageTest {
  return {
    name,
    play: async () => {
      const household = await build();
      let browser: Browser | null = null;
      try {
        browser = await startBrowserOn(household, 3, findBrowser()!);
        const page = await browser.newPage({
          viewport: { width: 1280, height: 860 },
          ignoreHTTPSErrors: true,
        });
        await play(household, page);
      } catch (error) {
        process.stdout.write(`${household.daemon.log.split('\n').slice(-15).join('\n')}\n`);
        if (browser !== null) await photograph(browser);
        throw error;
      } finally {
        await browser?.close();
        await household.close();
      }
    },
  };
}
