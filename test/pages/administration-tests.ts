// The administration pages with the real daemon: the second factor, tokens, backup, certificate, log-ins.
// What each does is tried on the daemon itself, not read off the page.
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import type { Page } from 'playwright-core';
import { connectTcp } from '../../lab/sockets.ts';
import { address, ADDRESSES, type Household } from '../../lab/topologies/household.ts';
import { until } from '../../lab/wait.ts';
import { callDaemon } from '../../src/cli/client.ts';
import { codeAt } from '../../src/daemon/admin/totp.ts';
import { makeCertificate } from '../../src/daemon/tls/self-made.ts';
import { ADMIN, buildWithAccount, inHousehold, logIn, PAGE, visit } from './gateway.ts';
import type { PageTest } from './page-test.ts';

const STEP_MS = 30_000;

const openDialog = (page: Page) => page.getByRole('dialog');
const isLoggedIn = (page: Page): Promise<void> =>
  page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
const isAtDoor = (page: Page): Promise<void> =>
  page.getByRole('heading', { name: 'Log in', level: 1 }).waitFor();

async function logOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Log out' }).click();
  await isAtDoor(page);
}

/** What the API answers a program with this token; the browser sends no cookie along. */
function askWithToken(
  page: Page,
  token: string,
  method: string,
  path: string,
  body?: object,
): Promise<number> {
  return page.evaluate(
    async ([bearer, verb, url, text]) => {
      const response = await fetch(`/api/v1${url}`, {
        method: verb,
        credentials: 'omit',
        headers: {
          authorization: `Bearer ${bearer}`,
          ...(text === null ? {} : { 'content-type': 'application/json' }),
        },
        ...(text === null ? {} : { body: text }),
      });
      return response.status;
    },
    [token, method, path, body ? JSON.stringify(body) : null] as const,
  );
}

async function makeToken(page: Page, name: string, scope: 'Read only' | 'Full'): Promise<string> {
  await page.getByRole('button', { name: 'Make a token' }).click();
  await openDialog(page).getByLabel('Name').fill(name);
  await openDialog(page).getByRole('radio', { name: scope }).check();
  await openDialog(page).getByRole('button', { name: 'Make a token' }).click();
  const token = await openDialog(page).getByLabel('Token', { exact: true }).inputValue();
  await openDialog(page).getByRole('button', { name: 'Close' }).click();
  await page.getByRole('rowheader', { name, exact: true }).waitFor();
  return token;
}

/** The fingerprint of the certificate that the gateway shows to whoever connects now. */
async function servedFingerprint(household: Household): Promise<string> {
  const socket = await connectTcp(household.devices[1]!, address(ADDRESSES.gatewayLan), 443);
  return new Promise((resolve, reject) => {
    const secure = connect({ socket, rejectUnauthorized: false }, () => {
      resolve(secure.getPeerCertificate().fingerprint256);
      secure.destroy();
    });
    secure.on('error', reject);
  });
}

export const administrationTests: readonly PageTest[] = [
  inHousehold(
    'second factor: scanned, proved, asked for at the door; a code and a recovery code open it once each; turned off with the password',
    () => buildWithAccount(),
    async (_household, page) => {
      await visit(page, `${PAGE}/administration/users`);
      await logIn(page);
      await page.getByRole('button', { name: 'Second factor' }).click();
      const dialog = openDialog(page);
      await dialog.getByRole('img', { name: /QR code/ }).waitFor();
      const secret = (await dialog.locator('.secret').textContent())!.replaceAll(' ', '');
      await dialog.getByLabel('Code of six digits').fill('000000');
      await dialog.getByRole('button', { name: 'Turn on' }).click();
      await dialog.getByText('this is not the code').waitFor();
      const began = Date.now();
      await dialog.getByLabel('Code of six digits').fill(codeAt(secret, began));
      await dialog.getByRole('button', { name: 'Turn on' }).click();
      await dialog.getByText('The second factor is on.').waitFor();
      const recovery = await dialog.locator('.codes code').allTextContents();
      assert.equal(recovery.length, 10);
      await dialog.getByRole('button', { name: 'Close' }).click();
      await page.getByRole('cell', { name: 'On', exact: true }).waitFor();
      await logOut(page);

      // The code that proved the secret is used up; that of the next step is let in already.
      const enter = async (code: string): Promise<void> => {
        await page.getByLabel('Code').fill(code);
        await page.getByRole('button', { name: 'Log in' }).click();
      };
      await logIn(page);
      await enter(codeAt(secret, began));
      await page.getByText('was used already').waitFor();
      await enter(codeAt(secret, Date.now() + STEP_MS));
      await isLoggedIn(page);
      await logOut(page);
      await logIn(page);
      await enter(recovery[3]!.toLowerCase().replaceAll('-', ' '));
      await isLoggedIn(page);
      await logOut(page);
      await logIn(page);
      await enter(recovery[3]!);
      await page.getByText('was used already').waitFor();
      await enter(recovery[4]!);
      await isLoggedIn(page);

      await visit(page, `${PAGE}/administration/users`);
      await page.getByRole('button', { name: 'Second factor' }).click();
      await openDialog(page).getByLabel('Current password').fill('not this one');
      await openDialog(page).getByRole('button', { name: 'Turn off' }).click();
      await openDialog(page).getByText('this is not the present password').waitFor();
      await openDialog(page).getByLabel('Current password').fill(ADMIN.password);
      await openDialog(page).getByRole('button', { name: 'Turn off' }).click();
      await page.getByRole('cell', { name: 'Off', exact: true }).waitFor();
      await logOut(page);
      await logIn(page);
      await isLoggedIn(page);
    },
  ),

  inHousehold(
    'users: one is added, logs in elsewhere, is seen, logged out, given another password, removed',
    () => buildWithAccount(),
    async (_household, page) => {
      const berta = { name: 'berta', password: 'seven short words of hers' };
      await visit(page, `${PAGE}/administration/users`);
      await logIn(page);
      await page.getByRole('button', { name: 'Add a user' }).click();
      const dialog = openDialog(page);
      await dialog.getByLabel('User name').fill('admin');
      await dialog.getByLabel('Password').fill('short');
      await dialog.getByRole('button', { name: 'Add a user' }).click();
      await dialog.locator('.field .fault').waitFor();
      await dialog.getByLabel('Password').fill(berta.password);
      await dialog.getByRole('button', { name: 'Add a user' }).click();
      await dialog.getByText('"admin" is taken').waitFor();
      await dialog.getByLabel('User name').fill(berta.name);
      await dialog.getByRole('button', { name: 'Add a user' }).click();
      await page.getByRole('rowheader', { name: 'berta' }).waitFor();

      const elsewhere = await (await page.context().browser()!.newContext()).newPage();
      const enter = async (password: string): Promise<void> => {
        await visit(elsewhere, PAGE);
        await elsewhere.getByLabel('User name').fill(berta.name);
        await elsewhere.getByLabel('Password').fill(password);
        await elsewhere.getByRole('button', { name: 'Log in' }).click();
      };
      await enter(berta.password);
      await isLoggedIn(elsewhere);
      await page.reload();
      const hers = page.getByRole('region', { name: 'Logged in now' }).getByRole('row', { name: /berta/ });
      await hers.getByText('192.168.1.13', { exact: true }).waitFor();
      await hers.getByRole('button', { name: 'End' }).click();
      await isAtDoor(elsewhere);

      await enter(berta.password);
      await isLoggedIn(elsewhere);
      await page.getByRole('button', { name: 'Password berta' }).click();
      await dialog.getByLabel('New password').fill('another one for her');
      await dialog.getByRole('button', { name: 'Save' }).click();
      await isAtDoor(elsewhere);
      await enter(berta.password);
      await elsewhere.getByText('The name or the password is not right.').waitFor();
      await enter('another one for her');
      await isLoggedIn(elsewhere);
      await page.getByRole('button', { name: 'Remove berta' }).click();
      await dialog.getByRole('button', { name: 'Remove' }).click();
      await page.getByRole('rowheader', { name: 'berta' }).waitFor({ state: 'detached' });
      await isAtDoor(elsewhere);
    },
  ),

  inHousehold(
    'tokens: one that may read and one that may all, both over HTTP, also with a second factor; refused once revoked',
    () => buildWithAccount(),
    async (_household, page) => {
      await visit(page, `${PAGE}/administration/tokens`);
      await logIn(page);
      await page.getByText('There is no token.').waitFor();
      const reader = await makeToken(page, 'grafana', 'Read only');
      const full = await makeToken(page, 'backup script', 'Full');
      const off = { pptp: 'disabled' };
      assert.equal(await askWithToken(page, reader, 'GET', '/status'), 200);
      assert.equal(await askWithToken(page, reader, 'PUT', '/passthrough', off), 403);
      assert.equal(await askWithToken(page, full, 'PUT', '/passthrough', off), 200);
      assert.equal(await askWithToken(page, `${full}x`, 'GET', '/status'), 401);
      await visit(page, `${PAGE}/administration/users`);
      await page.getByRole('button', { name: 'Second factor' }).click();
      const secret = (await openDialog(page).locator('.secret').textContent())!.replaceAll(' ', '');
      await openDialog(page).getByLabel('Code of six digits').fill(codeAt(secret, Date.now()));
      await openDialog(page).getByRole('button', { name: 'Turn on' }).click();
      await openDialog(page).getByText('The second factor is on.').waitFor();
      assert.equal(await askWithToken(page, reader, 'GET', '/status'), 200);
      await visit(page, `${PAGE}/administration/tokens`);
      await page.getByRole('button', { name: 'Revoke grafana' }).click();
      await openDialog(page).getByRole('button', { name: 'Revoke' }).click();
      await page.getByRole('rowheader', { name: 'grafana' }).waitFor({ state: 'detached' });
      assert.equal(await askWithToken(page, reader, 'GET', '/status'), 401);
      assert.equal(await askWithToken(page, full, 'GET', '/status'), 200);
    },
  ),

  inHousehold(
    'backup: saved as a file, and restored with switches, users and tokens; what is no backup changes nothing; the history leads back',
    () => buildWithAccount(),
    async ({ daemon }, page) => {
      await visit(page, `${PAGE}/administration/tokens`);
      await logIn(page);
      const token = await makeToken(page, 'grafana', 'Read only');
      await visit(page, `${PAGE}/administration/backup`);
      const saved = page.waitForEvent('download');
      await page.getByRole('button', { name: 'Save a backup' }).click();
      const path = await (await saved).path();
      const backup = readFileSync(path, 'utf8');
      assert.ok(!backup.includes(ADMIN.password) && !backup.includes(token), 'no secret is in it in clear');

      await callDaemon(daemon.socket, 'PUT', '/api/v1/passthrough', { l2tp: 'disabled' });
      await callDaemon(daemon.socket, 'POST', '/api/v1/users', { ...ADMIN, name: 'late' });
      await callDaemon(daemon.socket, 'DELETE', '/api/v1/tokens/grafana');
      assert.equal(await askWithToken(page, token, 'GET', '/status'), 401);
      const restore = async (name: string, text: string): Promise<void> => {
        await page
          .getByLabel('File of the backup')
          .setInputFiles({ name, mimeType: 'application/json', buffer: Buffer.from(text) });
        await page.getByRole('button', { name: 'Restore' }).click();
        await openDialog(page).getByRole('button', { name: 'Restore' }).click();
      };
      const before = daemon.readConfig();
      await restore('photo.json', 'no JSON at all');
      await openDialog(page).getByText('“photo.json” is no backup').waitFor();
      await page.keyboard.press('Escape');
      await restore('odd.json', JSON.stringify({ ...(JSON.parse(backup) as object), config: 'version: 1' }));
      await openDialog(page).getByText('so nothing was restored').waitFor();
      await page.keyboard.press('Escape');
      assert.equal(daemon.readConfig(), before);
      await restore('backup.json', backup);
      await page.getByText('The backup is restored and in force.').waitFor();
      assert.equal((await daemon.status()).passthrough.l2tp, 'enabled');
      assert.equal(await askWithToken(page, token, 'GET', '/status'), 200);
      await visit(page, `${PAGE}/administration/users`);
      await page.getByRole('rowheader', { name: 'admin you' }).waitFor();
      assert.equal(await page.getByRole('rowheader', { name: 'late' }).count(), 0);

      await page.getByRole('link', { name: 'History' }).click();
      const switched = page.getByRole('listitem').filter({ hasText: 'passthrough.l2tp' }).last();
      await switched.getByText('passthrough.l2tp').click();
      await switched.getByText(/^\+.*l2tp: disabled/).waitFor();
      await switched.getByRole('button', { name: 'Restore' }).click();
      await openDialog(page).getByRole('button', { name: 'Restore' }).click();
      await until('the former version', async () => (await daemon.status()).passthrough.l2tp === 'disabled');
    },
  ),

  inHousehold(
    'certificate: the page over TLS with the self-made one, a new one, one that is brought, and back',
    () => buildWithAccount({ config: 'web: { listen: [], tls_listen: ["lan:443"] }' }),
    async (household, page) => {
      await visit(page, 'https://192.168.1.1/administration/certificate');
      await logIn(page);
      const shown = async (): Promise<string> =>
        (await page.locator('dd code').textContent({ timeout: 10_000 })) ?? '';
      const isServed = async (what: string): Promise<void> =>
        until(what, async () => (await shown()) === (await servedFingerprint(household))).then(
          () => undefined,
        );
      await page.getByText('This gateway itself').waitFor();
      await isServed('the self-made certificate');
      const cookies = await page.context().cookies();
      assert.deepEqual(
        cookies.map(({ name, secure, httpOnly }) => ({ name, secure, httpOnly })),
        [{ name: '__Host-throughway', secure: true, httpOnly: true }],
      );
      const first = await shown();
      await page.getByRole('button', { name: 'Make a new one' }).click();
      await page.getByText('The certificate is in use from the next connection on.').waitFor();
      await until('another certificate', async () => (await shown()) !== first);
      await isServed('the new certificate');

      const own = makeCertificate(['vpn.example.org', '192.168.1.1'], new Date());
      await page.getByLabel('Certificate, with its chain').fill(own.certificate);
      await page.getByLabel('Private key').fill(makeCertificate(['other'], new Date()).key);
      await page.getByRole('button', { name: 'Use it' }).click();
      await page.locator('.field .fault').waitFor();
      await page.getByLabel('Private key').fill(own.key);
      await page.getByRole('button', { name: 'Use it' }).click();
      await page.getByText('vpn.example.org').first().waitFor();
      await isServed('the own certificate');
      await page.reload();
      await page.getByRole('button', { name: 'Go back to a self-made one' }).click();
      await openDialog(page).getByRole('button', { name: 'Go back to a self-made one' }).click();
      await page.getByText('This gateway itself').waitFor();
      await isServed('the self-made certificate again');
    },
  ),
];
