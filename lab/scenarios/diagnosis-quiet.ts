// What looks at the gateway must not disturb it: while sessions of every kind send in both directions, the
// doctor, the probe and the self-test run, and not one packet is lost, doubled or sent to another.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { askDoctor } from '../asking-doctor.ts';
import { demoSessions } from '../demo-sessions.ts';
import { UdpPeer } from '../peers/udp.ts';
import { scenario, type Scenario } from '../scenario.ts';
import type { Household } from '../topologies/household.ts';
import { claim, claimEqual } from '../wait.ts';

const SEND_EVERY_MS = 40;
const NAT_T = 4500;
const SELFTEST = fileURLToPath(new URL('../selftest.ts', import.meta.url));
/** Some cases of the self-test; the whole takes longer than a scenario may. */
const CASES = ['P2', 'E3', 'L1', 'I1'];
const LIMIT_MS = 120_000;

/** Connects a session of each kind and lets all of them send until the returned function is called. */
async function keepBusy(household: Household): Promise<{ stop: () => number }> {
  const { devices, server, ledger, wan } = household;
  const sessions = demoSessions(household);
  for (const session of sessions) {
    await session.connect();
    // The turn to begin something with this server goes on with the first data.
    session.send();
    await ledger.settle();
  }
  const near = new UdpPeer(household, devices[2]!, NAT_T);
  const far = new UdpPeer(household, server, NAT_T);
  near.send(server.address, NAT_T, server);
  await ledger.settle();
  const { sourcePort } = far.received[0]!;
  let rounds = 0;
  const timer = setInterval(() => {
    for (const session of sessions) session.send();
    near.send(server.address, NAT_T, server);
    far.send(wan, sourcePort, near.host);
    rounds += 1;
  }, SEND_EVERY_MS);
  household.onClose(() => clearInterval(timer));
  return {
    stop: () => {
      clearInterval(timer);
      return rounds;
    },
  };
}

function selfTest(household: Household): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [SELFTEST, '--json', ...CASES], {
      stdio: ['ignore', 'pipe', 'inherit'],
      // It makes namespaces of its own, as from a shell of the gateway.
      env: { ...process.env, THROUGHWAY_LAB_INSIDE: '' },
    });
    household.onClose(() => void child.kill('SIGKILL'));
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.once('close', () => resolve(said));
  });
}

function quiet(number: number, what: string, look: (household: Household) => Promise<void>): Scenario {
  return {
    ...scenario(`F${number}`, `${what} disturbs no running session`, async (household) => {
      const traffic = await keepBusy(household);
      await look(household);
      claim(traffic.stop() > 5, 'sessions have sent meanwhile');
      await household.ledger.settle(15_000);
    }),
    limitMs: LIMIT_MS,
  };
}

export const diagnosisQuietScenarios: readonly Scenario[] = [
  quiet(55, 'doctor', async (household) => {
    for (let times = 0; times < 3; times += 1)
      claimEqual((await askDoctor(household)).report.findings, [], 'findings of a healthy gateway');
  }),
  quiet(56, 'probe', async (household) => {
    // The server that the sessions use: it speaks what they speak.
    const { stdout } = await household.daemon.command('probe', household.server.address, '--json');
    const { results } = JSON.parse(stdout) as { results: { id: string; verdict: string }[] };
    const found = (id: string): string | undefined => results.find((one) => one.id === id)?.verdict;
    claimEqual(found('l2tp'), 'answered', `L2TP in ${stdout}`);
    // Its control connection is taken; to GRE of a stranger's call the server says nothing.
    claimEqual(found('pptp'), 'refused', `PPTP in ${stdout}`);
  }),
  quiet(57, 'selftest', async (household) => {
    const said = await selfTest(household);
    const { requirements } = JSON.parse(said) as {
      requirements: { cases: string[]; outcome: string }[];
    };
    for (const { cases, outcome } of requirements)
      if (cases.every((one) => CASES.includes(one)))
        claimEqual(outcome, 'holds', `${cases.join()} in ${said}`);
    claim(
      requirements.some(({ outcome }) => outcome === 'holds'),
      `something was tried: ${said}`,
    );
  }),
];
