// `throughway doctor --session ID` and `--device X`: only what that one suffers from, first what it is about, in
// words and in JSON; who is not there is named.
import type { DoctorReport } from '../../src/daemon/api/doctor.ts';
import { exchangeTypes } from '../../src/core/wire/isakmp.ts';
import { keepSaying, wall } from '../asking-doctor.ts';
import { IkePeer } from '../peers/ike.ts';
import { scenario, type Scenario } from '../scenario.ts';
import { claim, claimEqual, until } from '../wait.ts';

/** Silence is judged after eight seconds. */
const PATIENCE_MS = 30_000;

export const doctorSubjectScenarios: readonly Scenario[] = [
  scenario('F58', 'doctor: what one session or one device suffers from', async (household) => {
    const { devices, servers, daemon } = household;
    wall(household, 'ip daddr 203.0.113.1');
    for (const [index, server] of servers.entries()) {
      const peer = new IkePeer(household, devices[index]!);
      keepSaying(household, () =>
        peer.sendIke(server.address, 500, index === 0 ? null : server, {
          initiatorSpi: 0xd0c2_0000_0000_0000n + BigInt(index),
          exchangeType: exchangeTypes.ikeSaInit,
        }),
      );
    }
    const [first, second] = devices as [(typeof devices)[0], (typeof devices)[0]];
    const ask = async (...about: string[]): Promise<{ report: DoctorReport; status: number }> => {
      const { stdout, stderr, status } = await daemon.command('doctor', '--json', ...about);
      claim(stdout.startsWith('{'), `doctor prints JSON: ${stdout}${stderr}`);
      return { report: JSON.parse(stdout) as DoctorReport, status };
    };
    const devicesIn = ({ findings }: DoctorReport): string[] => [
      ...new Set(findings.flatMap((one) => one.device ?? [])),
    ];
    await until(
      'findings of both devices',
      async () => devicesIn((await ask()).report).length === 2,
      PATIENCE_MS,
    );
    const sessions = await daemon.sessions();
    for (const { address } of [first, second]) {
      const { id } = sessions.find((one) => one.device.address === address)!;
      for (const about of [
        ['--device', address],
        ['--session', id],
      ]) {
        const { report, status } = await ask(...about);
        claimEqual(devicesIn(report), [address], `devices of ${about.join(' ')}`);
        claimEqual(status, 2, 'the exit status of a fault');
        claim(report.took_ms < 5_000, `it takes less than 5 seconds, and took ${report.took_ms} ms`);
      }
    }
    const { stdout, status } = await daemon.command('doctor', '--device', first.address);
    claim(
      new RegExp(`^1\\. Fault: .*${first.address}.*\\n {3}Seen: .+\\n {3}Do: {3}.+\\n {3}More: .+\\n$`).test(
        stdout,
      ),
      `it is said in words: ${stdout}`,
    );
    claimEqual(status, 2, 'the exit status in words');
    for (const [option, value] of [
      ['--session', '999999'],
      ['--device', 'nobody'],
    ] as const) {
      const unknown = await daemon.command('doctor', option, value);
      claim(
        unknown.status === 1 && unknown.stderr.includes(`"${value}"`),
        `${option} ${value} is named: ${unknown.status} ${unknown.stderr}`,
      );
    }
  }),
];
