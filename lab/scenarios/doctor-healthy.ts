// `throughway doctor` must not cry wolf: three times ten healthy set-ups, each with other settings, other sessions in
// use and another past (reloaded, killed and started again, switched off and on), and never a finding.
import { PROTOCOLS } from '../../src/core/config/schema.ts';
import { askDoctor, describeFindings } from '../asking-doctor.ts';
import { demoSessions, type DemoSession } from '../demo-sessions.ts';
import { scenario, type Scenario } from '../scenario.ts';
import { claimEqual } from '../wait.ts';

const SET_UPS = 10;
/** Of the choices of each ten. */
const SEEDS = [20_261_123, 20_261_124, 20_261_125];

/** Mulberry32: the same set-ups on every machine. */
function createChoice(seed: number): (count: number) => number {
  let state = seed;
  return (count) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % count;
  };
}

export const doctorHealthyScenarios: readonly Scenario[] = SEEDS.map((seed, index) =>
  scenario(`F${45 + index}`, `doctor: ${SET_UPS} healthy set-ups, no false alarm`, async (household) => {
    const { daemon, ledger } = household;
    const choose = createChoice(seed);
    const sessions = demoSessions(household);
    const connected = new Set<DemoSession>();
    for (let round = 1; round <= SET_UPS; round += 1) {
      const past = ['nothing', 'a reload', 'other settings', 'a restart', 'a kill', 'off and on'][choose(6)]!;
      if (past === 'a reload') await daemon.reload();
      if (past === 'other settings') {
        daemon.writeConfig(
          `version: 1\ninterfaces: { wan: wan0, lan: [lan0] }\ntimeouts: { vpn_udp_seconds: ${300 + choose(900)}, esp_seconds: ${600 + choose(3_000)} }\nike: { source_port: ${choose(2) === 0 ? 'translate' : 'preserve'} }\n`,
        );
        await daemon.reload();
      }
      if (past === 'a restart' || past === 'a kill') {
        await daemon.signal(past === 'a kill' ? 'SIGKILL' : 'SIGTERM');
        await daemon.start();
      }
      // What is off and what nobody asks for is no finding, and neither is what is on again.
      const unused = PROTOCOLS.find((protocol) => ![...connected].some((one) => one.protocol === protocol));
      if (past === 'off and on' && unused !== undefined) {
        await daemon.setPassthrough({ [unused]: 'disabled' });
        claimEqual(describeFindings((await askDoctor(household)).report), '', `with ${unused} disabled`);
        await daemon.setPassthrough({ [unused]: 'enabled' });
      }
      for (let more = choose(3); more > 0; more -= 1) {
        const next = sessions.find((one) => !connected.has(one));
        if (next === undefined) break;
        await next.connect();
        connected.add(next);
      }
      for (const session of connected) if (choose(3) > 0) session.send();
      await ledger.settle();
      const { report, status } = await askDoctor(household);
      claimEqual(describeFindings(report), '', `findings in set-up ${round}, after ${past}`);
      claimEqual(status, 0, 'the exit status');
    }
  }),
);
