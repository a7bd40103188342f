// `throughway doctor`: what keeps VPNs from connecting, most likely culprit first, each with what shows it
// and what to do.
import { manualPlace } from '../core/doctor/symptoms.ts';
import type { DoctorReport } from '../daemon/api/doctor.ts';
import { callDaemon, ClientError, readAnswer } from './client.ts';
import { DEFAULTS, jsonOption, print, socketOption, type Command } from './command.ts';

/** 0: all well, 1: warnings, 2: faults. */
const EXIT = { well: 0, warning: 1, fault: 2 } as const;
const NO_DAEMON = 3;

export const doctorCommand: Command = {
  name: 'doctor',
  args: [],
  summary: 'say what keeps VPNs from connecting, and what to do',
  options: [
    { name: 'session', value: 'ID', help: 'only what this session suffers from' },
    { name: 'device', value: 'X', help: 'only what this device suffers from: its name, address or id' },
    jsonOption,
    socketOption,
  ],
  async run(given) {
    let report: DoctorReport;
    // On a terminal only, and gone when the answer is there.
    const isShown = process.stderr.isTTY && !given.flag('json');
    if (isShown) process.stderr.write('Looking at the gateway and its connections, at most 5 seconds ...');
    try {
      const answer = await callDaemon(given.text('socket') ?? DEFAULTS.socket, 'POST', '/api/v1/doctor', {
        session: given.text('session'),
        device: given.text('device'),
      });
      report = readAnswer(answer) as DoctorReport;
    } catch (error) {
      if (!(error instanceof ClientError) || error.exitStatus !== NO_DAEMON) throw error;
      report = withoutDaemon(error.message);
    } finally {
      if (isShown) process.stderr.write('\r\x1b[K');
    }
    print(given.flag('json') ? JSON.stringify(report) : renderReport(report));
    return EXIT[report.state];
  },
};

function withoutDaemon(sentence: string): DoctorReport {
  return {
    state: 'fault',
    findings: [
      {
        cause: 'daemon-down',
        level: 'fault',
        what: 'The daemon does not run: what it has set up goes on, but nothing is watched and nothing can be changed.',
        evidence: sentence,
        remedy: 'Start it: systemctl start throughway, or throughway run. Then ask again.',
        session: null,
        device: null,
        manual: manualPlace('daemon-down'),
      },
    ],
    took_ms: 0,
  };
}

function renderReport({ findings }: DoctorReport): string {
  if (findings.length === 0) return 'All is well: nothing was found that keeps a VPN from connecting.';
  return findings
    .map(
      ({ level, what, evidence, remedy, manual }, index) =>
        `${index + 1}. ${level === 'fault' ? 'Fault' : 'Warning'}: ${what}\n   Seen: ${evidence}\n   Do:   ${remedy}\n   More: ${manual} on the gateway's page`,
    )
    .join('\n\n');
}
