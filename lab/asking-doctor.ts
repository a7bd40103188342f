// Asks the doctor in the gateway's namespace, and claims what it says first about an injected fault.
import type { Cause } from '../src/core/doctor/finding.ts';
import type { DoctorReport } from '../src/daemon/api/doctor.ts';
import { scenario, type Scenario } from './scenario.ts';
import type { Household, HouseholdOptions } from './topologies/household.ts';
import { claim, claimEqual, Disproved, until } from './wait.ts';

export async function askDoctor(household: Household): Promise<{ report: DoctorReport; status: number }> {
  const { stdout, stderr, status } = await household.daemon.command('doctor', '--json');
  claim(stdout.startsWith('{'), `doctor prints JSON: ${stdout}${stderr}`);
  const report = JSON.parse(stdout) as DoctorReport;
  claim(report.took_ms < 5_000, `the doctor takes less than 5 seconds, and took ${report.took_ms} ms`);
  return { report, status };
}

export function describeFindings({ findings }: DoctorReport): string {
  return findings.map((one) => `${one.cause}: ${one.what} (${one.evidence})`).join(' | ');
}

export interface Fault {
  readonly id: string;
  readonly what: string;
  /** The doctor's first finding must be this, with `evidence` in what it has seen. */
  readonly cause: Cause;
  readonly evidence: string;
  /** What is seen only after a while is waited for as long as this. */
  readonly patienceMs?: number;
  readonly household?: HouseholdOptions;
  readonly limitMs?: number;
  inject(household: Household): void | Promise<void>;
}

export function fault(one: Fault): Scenario {
  const { id, what, cause, evidence, patienceMs = 6_000 } = one;
  const played = scenario(
    id,
    `doctor: ${what}`,
    async (household) => {
      await one.inject(household);
      let last: Awaited<ReturnType<typeof askDoctor>> | null = null;
      await until(
        `the finding "${cause}"`,
        async () => {
          last = await askDoctor(household);
          return last.report.findings[0]?.cause === cause;
        },
        patienceMs,
        () => (last === null ? '' : describeFindings(last.report)),
      );
      if (last === null) throw new Disproved('the doctor was not asked');
      const { report, status } = last as Awaited<ReturnType<typeof askDoctor>>;
      const [first] = report.findings;
      claim(first?.evidence.includes(evidence), `"${first?.evidence}" names "${evidence}"`);
      claimEqual(status, report.findings.some(({ level }) => level === 'fault') ? 2 : 1, 'the exit status');
    },
    one.household ?? {},
  );
  return one.limitMs === undefined ? played : { ...played, limitMs: one.limitMs };
}

/** Silence is judged after 8 to 20 seconds. */
const PATIENCE_MS = 40_000;
const AGAIN_MS = 700;

/** A connection that fails. */
export function connectionFault(
  number: number,
  what: string,
  cause: Cause,
  evidence: string,
  inject: (household: Household) => void | Promise<void>,
  more: Partial<Fault> = {},
): Scenario {
  return fault({ id: `F${number}`, what, cause, evidence, patienceMs: PATIENCE_MS, inject, ...more });
}

/** Says it now and again and again, as a client that waits for an answer. */
export function keepSaying(household: Household, say: () => void): void {
  say();
  const timer = setInterval(say, AGAIN_MS);
  household.onClose(() => clearInterval(timer));
}

/** What the provider drops, in nft's words. */
export function wall({ isp }: Household, ...rules: string[]): void {
  isp.run('nft', [
    `add table ip wall; add chain ip wall f { type filter hook forward priority 0; }; ${rules.map((one) => `add rule ip wall f ${one} drop`).join('; ')}`,
  ]);
}
