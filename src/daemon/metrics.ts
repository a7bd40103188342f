// What Prometheus reads at /metrics, in its text format (version 0.0.4): sessions, traffic, drops, pairing,
// log-ins and the daemon's own health. No label has a value that a device or a stranger chooses.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { SESSION_PROTOCOLS, SESSION_STATES, type Session } from './api/session.ts';
import type { Accounts } from './admin/accounts.ts';
import type { Gateway } from './gateway.ts';
import type { Records } from './records.ts';

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

interface Metric {
  readonly name: string;
  readonly kind: 'counter' | 'gauge';
  readonly help: string;
  readonly samples: readonly Sample[];
}

const CONFIDENCES = ['certain', 'probable', 'ambiguous'] as const;
const DIRECTIONS = ['out', 'in'] as const;

export interface MetricsOptions {
  readonly gateway: Pick<Gateway, 'status'>;
  readonly records: Pick<Records, 'sessions'>;
  readonly accounts: Pick<Accounts, 'failures' | 'lockOuts'>;
  readonly isEnabled: () => boolean;
}

export class Metrics {
  readonly #options: MetricsOptions;
  #delay: ReturnType<typeof monitorEventLoopDelay> | null = null;

  constructor(options: MetricsOptions) {
    this.#options = options;
  }

  get isEnabled(): boolean {
    return this.#options.isEnabled();
  }

  async render(): Promise<string> {
    return (await this.collect()).map(renderMetric).join('');
  }

  /** In the order in which they are shown. */
  async collect(): Promise<Metric[]> {
    const { gateway, records, accounts } = this.#options;
    const status = await gateway.status();
    const sessions = records.sessions.list();
    const memory = process.memoryUsage();
    return [
      {
        name: 'throughway_info',
        kind: 'gauge',
        help: 'The version that runs.',
        samples: [[{ version: status.version }, 1]],
      },
      {
        name: 'throughway_start_time_seconds',
        kind: 'gauge',
        help: 'When the daemon began, in seconds since 1970.',
        samples: [[{}, Date.parse(status.started_at) / 1000]],
      },
      {
        name: 'throughway_problems',
        kind: 'gauge',
        help: 'Problems that "throughway status" shows.',
        samples: [[{}, status.problems.length]],
      },
      {
        name: 'throughway_interface_up',
        kind: 'gauge',
        help: 'Whether an interface of the gateway is up.',
        samples: [
          [{ interface: status.wan.name, role: 'wan' }, Number(status.wan.state === 'up')],
          ...status.lan.map((one): Sample => [
            { interface: one.name, role: 'lan' },
            Number(one.state === 'up'),
          ]),
        ],
      },
      {
        name: 'throughway_passthrough_enabled',
        kind: 'gauge',
        help: 'Whether the passthrough of a protocol is enabled.',
        samples: Object.entries(status.passthrough).map(([protocol, value]) => [
          { protocol },
          Number(value === 'enabled'),
        ]),
      },
      {
        name: 'throughway_sessions',
        kind: 'gauge',
        help: 'Sessions by protocol and state.',
        samples: SESSION_PROTOCOLS.flatMap((protocol) =>
          SESSION_STATES.filter((state) => state !== 'ended').map((state): Sample => [
            { protocol, state },
            sessions.filter((one) => one.protocol === protocol && one.state === state).length,
          ]),
        ),
      },
      ...trafficMetrics(sessions),
      {
        name: 'throughway_pairing_sessions',
        kind: 'gauge',
        help: 'ESP sessions by how certain their pairing is.',
        samples: CONFIDENCES.map((confidence) => [
          { confidence },
          sessions.filter((one) => one.pairing === confidence).length,
        ]),
      },
      ...(['packets', 'bytes'] as const).map((unit): Metric => ({
        name: `throughway_dropped_${unit}_total`,
        kind: 'counter',
        help: `Dropped ${unit} by reason, since the table was made.`,
        samples: status.drops.map((drop) => [{ reason: drop.name }, drop[unit]]),
      })),
      {
        name: 'throughway_login_failures_total',
        kind: 'counter',
        help: 'Failed log-ins since the daemon began.',
        samples: [[{}, accounts.failures]],
      },
      {
        name: 'throughway_login_lockouts_total',
        kind: 'counter',
        help: 'Log-ins that were refused because too many had failed.',
        samples: [[{}, accounts.lockOuts]],
      },
      {
        name: 'throughway_daemon_resident_bytes',
        kind: 'gauge',
        help: 'Memory of the daemon.',
        samples: [[{}, memory.rss]],
      },
      {
        name: 'throughway_daemon_heap_bytes',
        kind: 'gauge',
        help: 'Memory of the daemon that JavaScript uses.',
        samples: [[{}, memory.heapUsed]],
      },
      {
        name: 'throughway_daemon_cpu_seconds_total',
        kind: 'counter',
        help: 'Processor time of the daemon.',
        samples: [[{}, (process.cpuUsage().user + process.cpuUsage().system) / 1e6]],
      },
      {
        name: 'throughway_daemon_delay_seconds',
        kind: 'gauge',
        help: 'The 99th percentile of how late the daemon was since the last scrape.',
        samples: [[{}, this.#lateness()]],
      },
    ];
  }

  /** Measured from the first scrape on: whoever does not scrape does not pay for it. */
  #lateness(): number {
    if (this.#delay === null) {
      this.#delay = monitorEventLoopDelay({ resolution: 20 });
      this.#delay.enable();
      return 0;
    }
    const seconds = this.#delay.percentile(99) / 1e9;
    this.#delay.reset();
    return Number.isFinite(seconds) ? seconds : 0;
  }
}

/** Of the sessions there are now: a session that ends takes its part along, as its rate shows. */
function trafficMetrics(sessions: readonly Session[]): Metric[] {
  return (['packets', 'bytes'] as const).map((unit) => ({
    name: `throughway_session_${unit}`,
    kind: 'gauge',
    help: `What the present sessions have carried, in ${unit}.`,
    samples: SESSION_PROTOCOLS.flatMap((protocol) =>
      DIRECTIONS.map((direction): Sample => [
        { protocol, direction },
        sessions
          .filter((one) => one.protocol === protocol)
          .reduce((sum, one) => sum + one.traffic[direction][unit], 0),
      ]),
    ),
  }));
}

function renderMetric({ name, kind, help, samples }: Metric): string {
  const lines = samples.map(([labels, value]) => {
    const pairs = Object.entries(labels).map(
      ([label, text]) =>
        `${label}="${text.replaceAll(/["\\\n]/g, (one) => (one === '\n' ? '\\n' : `\\${one}`))}"`,
    );
    return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n${lines.join('')}`;
}
