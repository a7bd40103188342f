// The pages with the real daemon and real packets: what a person does from the first run on, and what it
// does to the traffic.
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { GrePeer } from '../../lab/peers/gre.ts';
import { PptpClient, PptpServer, type PptpSession } from '../../lab/peers/pptp.ts';
import { connectTcp } from '../../lab/sockets.ts';
import { Household } from '../../lab/topologies/household.ts';
import { until } from '../../lab/wait.ts';
import { ADMIN, buildWithAccount, firstRunCode, inHousehold, logIn, PAGE, visit, WEB } from './gateway.ts';
import type { PageTest } from './page-test.ts';

/** Two devices with the same Call ID to the same server. */
async function dialTwo(household: Household): Promise<PptpSession[]> {
  const server = new PptpServer(household, household.server);
  const sessions: PptpSession[] = [];
  for (const device of household.devices.slice(0, 2))
    sessions.push(await new PptpClient(household, new GrePeer(household, device), server).dial(7));
  return sessions;
}

const received = (session: PptpSession): number => session.client.server.gre.received.length;

export const labTests: readonly PageTest[] = [
  inHousehold(
    'diagnosis: a finding of the doctor leads to its symptom in the manual',
    () => buildWithAccount({ config: `${WEB}\npassthrough: { pptp: disabled }` }),
    async (household, page) => {
      const { device, server, daemon } = household;
      await assert.rejects(connectTcp(device, server.address, 1723), 'PPTP is refused');
      await until('the refusal', async () => (await daemon.drops('pptp_disabled')) > 0);
      await visit(page, `${PAGE}/diagnosis`);
      await logIn(page);
      await page.getByRole('button', { name: 'Examine' }).click();
      await page.getByRole('link', { name: 'In the manual' }).first().click();
      await page.getByRole('heading', { name: 'It is refused at once' }).waitFor();
      assert.match(page.url(), /\/manual\/troubleshooting\.html#it-is-refused-at-once$/);
      const missing = await page.goto(`${PAGE}/manual/nothing`);
      assert.equal(missing?.status(), 404);
      const first = await page.goto(`${PAGE}/manual`);
      assert.match(first?.headers()['content-security-policy'] ?? '', /script-src 'self'/);
      await page.getByRole('heading', { name: 'The manual', level: 1 }).waitFor();
    },
  ),

  inHousehold(
    'first run: a wrong code is refused, the right one leads to a gateway that is set up',
    () => Household.build({ config: WEB }),
    async (household, page) => {
      await visit(page, PAGE);
      await page.getByRole('heading', { name: 'Set up the gateway' }).waitFor();
      const code = page.getByLabel('One-time code');
      await code.fill('wrong');
      await page.getByLabel('New password').fill(ADMIN.password);
      await page.getByLabel('The same again').fill('something else');
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.getByText('The two passwords differ.').waitFor();
      await page.getByLabel('The same again').fill(ADMIN.password);
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.locator('[aria-invalid], [role=alert]').first().waitFor();
      await code.fill(await firstRunCode(household));
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.getByRole('heading', { name: 'The two sides' }).waitFor();
      assert.ok(await page.getByRole('radio', { name: 'wan0 is the WAN' }).isChecked());
      assert.ok(await page.getByRole('checkbox', { name: 'lan0 is a LAN' }).isChecked());
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.getByRole('button', { name: 'Open the overview' }).click();
      await page.getByRole('heading', { name: 'Overview' }).waitFor();
      await page.getByText('WAN wan0').waitFor();
      await page.getByRole('button', { name: 'Log out' }).click();
      await logIn(page);
      await page.getByRole('heading', { name: 'Overview' }).waitFor();
    },
  ),

  inHousehold(
    'after five wrong passwords the door is locked, says for how long, and the right one does not open it',
    () => buildWithAccount(),
    async (_household, page) => {
      await visit(page, PAGE);
      for (let attempt = 1; attempt <= 5; attempt += 1) {
        const answered = page.waitForResponse(
          (response) => response.url().endsWith('/login') && response.request().method() === 'POST',
        );
        await logIn(page, `wrong ${attempt}`);
        await answered;
      }
      await logIn(page);
      await page.getByText('Too many failed attempts').waitFor();
      await page.getByText(/It opens again in 1[0-5]:\d\d\./).waitFor();
      assert.ok(await page.getByRole('button', { name: 'Log in' }).isDisabled());
    },
  ),

  inHousehold(
    'VPN Passthrough: two real PPTP sessions are named, end when PPTP is disabled, and stay refused until it is enabled',
    () => buildWithAccount(),
    async (household, page) => {
      const sessions = await dialTwo(household);
      for (const session of sessions) session.up();
      await until('packets at the server', () => sessions.every((one) => received(one) >= 2));
      await visit(page, `${PAGE}/security/vpn-passthrough`);
      await logIn(page);
      const pptp = page.getByRole('group', { name: 'PPTP Passthrough' });
      await page.getByRole('link', { name: '2 sessions now' }).waitFor();
      await pptp.getByRole('radio', { name: 'Disabled' }).check();
      await page.getByText('Saving this ends 2 sessions:').waitFor();
      await page
        .getByText(/192\.168\.1\.11 to 203\.0\.113\.1 \(PPTP\)|device1/)
        .first()
        .waitFor();
      await page.getByRole('button', { name: 'Save Settings' }).click();
      await page.getByText(/PPTP Passthrough is disabled\. \d+ running connections were ended\./).waitFor();
      assert.equal((await household.daemon.status()).passthrough.pptp, 'disabled');
      const before = received(sessions[0]!);
      for (const session of sessions) session.up();
      await assert.rejects(sessions[0]!.client.dial(8), 'a new call is refused');
      assert.equal(received(sessions[0]!), before, 'nothing of the old calls arrives any more');
      await pptp.getByRole('radio', { name: 'Enabled' }).check();
      await page.getByRole('button', { name: 'Save Settings' }).click();
      await page.getByText('PPTP Passthrough is enabled.').waitFor();
      const again = await sessions[0]!.client.dial(9);
      again.up();
      await until('a packet of the new call', () => received(again) > before);
      // Switched at the command line meanwhile: the page follows.
      await household.daemon.setPassthrough({ l2tp: 'disabled' });
      const l2tp = page.getByRole('group', { name: 'L2TP Passthrough' });
      await until('the page to follow', () => l2tp.getByRole('radio', { name: 'Disabled' }).isChecked());
      await page.getByRole('link', { name: 'Which devices still use it' }).click();
      await page.getByText('2 devices').waitFor();
    },
  ),

  inHousehold(
    'sessions appear and end on the page by themselves, and "End session" ends one',
    () => buildWithAccount(),
    async (household, page) => {
      await visit(page, `${PAGE}/sessions`);
      await logIn(page);
      await page.getByText('No VPN session at the moment.').waitFor();
      await dialTwo(household);
      const rows = page.locator('.grid-body .grid-row');
      await until('two rows', async () => (await rows.count()) === 2);
      await rows.first().getByRole('link').click();
      await page.getByRole('heading', { name: 'History' }).waitFor();
      await page.getByRole('button', { name: 'End session' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'End session' }).click();
      await page
        .getByText(/^Ended /)
        .first()
        .waitFor();
      await page.getByRole('link', { name: 'Sessions' }).click();
      await until('one row', async () => (await rows.count()) === 1);
      await page.getByRole('link', { name: 'Devices', exact: true }).click();
      const goingOn = page.getByRole('listitem').filter({ hasText: '1 session' });
      await goingOn.getByRole('button', { name: /^Name / }).click();
      await page.getByRole('dialog').getByLabel('Name').fill("Anna's laptop");
      await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
      await page.getByText("Anna's laptop", { exact: true }).waitFor();
      await page.getByRole('navigation').getByRole('link', { name: 'Sessions' }).click();
      await page.getByRole('searchbox').fill('anna');
      await rows.getByRole('link', { name: "Anna's laptop" }).waitFor();
      await page.getByRole('link', { name: 'Events' }).click();
      await page
        .getByText(/PPTP.*it ended/i)
        .first()
        .waitFor();
      await page.getByRole('combobox', { name: 'Kind' }).selectOption('Session');
      const exported = page.waitForEvent('download');
      await page.getByRole('button', { name: 'CSV' }).click();
      const [head, ...lines] = readFileSync(await (await exported).path(), 'utf8')
        .trim()
        .split('\r\n');
      assert.equal(head, 'id,at,kind,level,what,session,device');
      assert.ok(lines.length >= 4 && lines.every((line) => line.includes(',"session",')), lines.join('\n'));
    },
  ),

  inHousehold(
    'network: wrong values are named at their fields, an address of the WAN is warned of; a change that cuts the page off is taken back, one that is kept stays',
    () => buildWithAccount(),
    async (household, page) => {
      // The page asks for 90 seconds; a test need not wait so long.
      await page.route('**/api/v1/config', async (route) => {
        const request = route.request();
        if (request.method() !== 'PUT') return route.continue();
        return route.continue({
          method: 'POST',
          url: `${PAGE}/api/v1/config/apply`,
          postData: { settings: request.postDataJSON() as object, confirm_within_seconds: 10 },
        });
      });
      await visit(page, `${PAGE}/network`);
      await logIn(page);
      const listen = page.getByLabel('Addresses of this page', { exact: true });
      const save = page.getByRole('button', { name: 'Save Settings' });
      const before = household.daemon.readConfig();
      const faults = async (): Promise<string[]> =>
        page
          .locator('.field:has([aria-invalid=true])')
          .evaluateAll((fields) => fields.map((field) => field.querySelector('label')?.textContent ?? ''));
      await listen.fill('lan:80, nonsense');
      await page.getByLabel('Idle log-ins end after').fill('soon');
      await page.getByLabel('Idle ESP').fill('5');
      await page.getByLabel('LAN interfaces').fill('wan0');
      await save.click();
      await page.locator('.field .fault').first().waitFor();
      assert.deepEqual(await faults(), [
        'LAN interfaces',
        'Idle ESP',
        'Addresses of this page',
        'Idle log-ins end after (minutes)',
      ]);
      assert.equal(household.daemon.readConfig(), before, 'nothing has changed');
      await page.getByRole('button', { name: 'Cancel Changes' }).click();
      assert.deepEqual(await faults(), []);

      await listen.fill('lan:80, 198.51.100.2:8080');
      await save.click();
      await page.getByText('is an address of the WAN interface "wan0"').waitFor();
      await page.getByRole('button', { name: 'Go back now' }).click();
      await page.getByText('The change was taken back').waitFor();
      assert.equal(household.daemon.readConfig(), before, 'the former configuration');
      await page.reload();

      await listen.fill('192.168.1.1:8088');
      await save.click();
      await page.getByText('The gateway does not answer.').first().waitFor({ timeout: 15_000 });
      await page.getByText('If these pages have moved').waitFor();
      await page.getByText('The change was taken back').waitFor({ timeout: 25_000 });
      assert.match(household.daemon.readConfig(), /lan:80/);
      await page.reload();
      await listen.fill('lan:80, 192.168.1.1:8088');
      await save.click();
      await page.getByRole('button', { name: 'Keep the change' }).click();
      await page.getByText('The change is kept.').waitFor();
      assert.match(household.daemon.readConfig(), /8088/);
      await page.unroute('**/api/v1/config');

      const naming = page.getByRole('group', { name: 'Ask the DNS server for names of VPN servers' });
      await naming.getByLabel('Enabled').check();
      await save.click();
      await page.getByText('Saved, and in force.').waitFor();
      assert.match(household.daemon.readConfig(), /server_names: enabled/);
      assert.doesNotMatch(household.daemon.readConfig(), /mdns|reverse_dns/);
    },
  ),
];
