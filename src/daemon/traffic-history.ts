// How much the sessions carried in the last hour and day, by protocol: the sum of what each session's
// counters grew by, noted every ten seconds. What a session carries in its last seconds before it ends is
// missed. Kept over restarts of the daemon; what passed while it was not running is not known and is left
// as nothing. Knows the clock only as an argument.
import type { Session, SessionProtocol, TrafficHistory } from './api/session.ts';

const SPANS = { hour: { stepSeconds: 10, steps: 360 }, day: { stepSeconds: 300, steps: 288 } } as const;
type Span = keyof typeof SPANS;

type Bytes = [out: number, back: number];

/** One step: when it ended, in whole steps since 1970, and what passed in it. */
interface Step {
  readonly number: number;
  readonly bytes: Map<SessionProtocol, Bytes>;
}

/** What is written to the disk. */
type Kept = Record<Span, readonly (readonly [number, readonly (readonly [SessionProtocol, Bytes])[]])[]>;

export class TrafficLog {
  #last = new Map<string, Bytes>();
  readonly #steps: Record<Span, Step[]> = { hour: [], day: [] };

  /** `kept`: what `serialize` gave, or null. Text that is no such thing is as good as none. */
  constructor(kept: string | null) {
    try {
      const read = JSON.parse(kept ?? '{}') as Partial<Kept>;
      for (const span of ['hour', 'day'] as const)
        this.#steps[span] = (read[span] ?? []).map(([number, bytes]) => ({ number, bytes: new Map(bytes) }));
    } catch {
      this.#steps = { hour: [], day: [] };
    }
  }

  /** `now` in milliseconds since 1970. */
  note(sessions: readonly Session[], now: number): void {
    const seen = new Map<string, Bytes>();
    for (const { id, protocol, traffic } of sessions) {
      const bytes: Bytes = [traffic.out.bytes, traffic.in.bytes];
      seen.set(id, bytes);
      const before = this.#last.get(id);
      // What was carried before the session was first seen belongs to no step.
      if (!before) continue;
      // Counters that have fallen began anew.
      const grown: Bytes = [
        bytes[0] >= before[0] ? bytes[0] - before[0] : bytes[0],
        bytes[1] >= before[1] ? bytes[1] - before[1] : bytes[1],
      ];
      if (grown[0] > 0 || grown[1] > 0) this.#add(protocol, grown, now);
    }
    this.#last = seen;
  }

  history(span: Span, now: number): TrafficHistory {
    const { stepSeconds, steps } = SPANS[span];
    const last = Math.floor(now / 1000 / stepSeconds);
    const protocols = new Map<SessionProtocol, { out: number[]; in: number[] }>();
    for (const { number, bytes } of this.#steps[span]) {
      const index = steps - 1 - (last - number);
      if (index < 0 || index >= steps) continue;
      for (const [protocol, [out, back]] of bytes) {
        const series = protocols.get(protocol) ?? {
          out: Array<number>(steps).fill(0),
          in: Array<number>(steps).fill(0),
        };
        protocols.set(protocol, series);
        series.out[index] = out;
        series.in[index] = back;
      }
    }
    return {
      span,
      step_seconds: stepSeconds,
      until: new Date((last + 1) * stepSeconds * 1000).toISOString(),
      series: [...protocols].map(([protocol, series]) => ({ protocol, ...series })),
    };
  }

  serialize(): string {
    const steps = (span: Span): Kept[Span] =>
      this.#steps[span].map(({ number, bytes }) => [number, [...bytes]] as const);
    return JSON.stringify({ hour: steps('hour'), day: steps('day') } satisfies Kept);
  }

  #add(protocol: SessionProtocol, [out, back]: Bytes, now: number): void {
    for (const span of ['hour', 'day'] as const) {
      const { stepSeconds, steps } = SPANS[span];
      const number = Math.floor(now / 1000 / stepSeconds);
      const list = this.#steps[span];
      // A clock that was set back begins anew: a step after this one never was.
      while (list.length > 0 && list.at(-1)!.number > number) list.pop();
      if (list.at(-1)?.number !== number) list.push({ number, bytes: new Map() });
      while (list.length > 0 && list[0]!.number <= number - steps) list.shift();
      const { bytes } = list.at(-1)!;
      const before = bytes.get(protocol) ?? [0, 0];
      bytes.set(protocol, [before[0] + out, before[1] + back]);
    }
  }
}
