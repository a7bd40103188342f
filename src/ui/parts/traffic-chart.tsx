// The traffic of the last hour or day by protocol: received above the line, sent below it, with the same figures as a table for those
// who cannot see them. uPlot sets styles through the DOM, which the content security policy allows.
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import '../styles/chart.css';
import type { TrafficHistory } from '../../daemon/api/session.ts';
import { theme } from '../appearance.ts';
import { getTraffic } from '../api/calls.ts';
import { PROTOCOL_NAMES } from '../api/protocols.ts';
import { formatBits, formatBytes, formatTime, language, t } from '../text/text.ts';
import { FailureNotice } from './notice.tsx';
import { Choice } from './field.tsx';

const REFRESH_MS = { hour: 10_000, day: 60_000 } as const;
const HEIGHT = 220;
/** Beyond these, protocols share one line. */
const MOST_LINES = 4;

interface Line {
  readonly name: string;
  readonly out: readonly number[];
  readonly in: readonly number[];
}

export function TrafficChart() {
  const [span, setSpan] = useState<'hour' | 'day'>('hour');
  const [history, setHistory] = useState<TrafficHistory | null>(null);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    const load = (): void => {
      getTraffic(span).then((found) => {
        setHistory(found);
        setError(null);
      }, setError);
    };
    load();
    const timer = setInterval(load, REFRESH_MS[span]);
    return () => clearInterval(timer);
  }, [span]);
  return (
    <div class="stack">
      <Choice
        legend={t('chart.span')}
        hidesLegend
        name="span"
        value={span}
        options={[
          { value: 'hour', label: t('chart.hour') },
          { value: 'day', label: t('chart.day') },
        ]}
        onValue={setSpan}
      />
      <FailureNotice error={error} />
      {history && <Plot history={history} />}
      {history && <Figures history={history} />}
    </div>
  );
}

function linesOf(history: TrafficHistory): Line[] {
  const total = ({ out, in: back }: Line): number => [...out, ...back].reduce((sum, one) => sum + one, 0);
  const lines = history.series
    .map(({ protocol, out, in: back }) => ({ name: PROTOCOL_NAMES[protocol], out, in: back }))
    .toSorted((a, b) => total(b) - total(a));
  if (lines.length <= MOST_LINES) return lines;
  const rest = lines.slice(MOST_LINES - 1);
  const add = (way: 'out' | 'in'): number[] =>
    rest[0]![way].map((_, index) => rest.reduce((sum, line) => sum + line[way][index]!, 0));
  return [...lines.slice(0, MOST_LINES - 1), { name: t('chart.others'), out: add('out'), in: add('in') }];
}

function Plot({ history }: { history: TrafficHistory }) {
  const room = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = room.current!;
    const plot = draw(element, history);
    const resized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    const recolour = (): void => plot.redraw(false, true);
    scheme.addEventListener('change', recolour);
    return () => {
      resized.disconnect();
      scheme.removeEventListener('change', recolour);
      plot.destroy();
    };
  }, [history, theme.value, language.value]);
  return <div class="plot" ref={room} aria-hidden="true" />;
}

function draw(element: HTMLElement, history: TrafficHistory): uPlot {
  const lines = linesOf(history);
  const steps = lines[0]?.out.length ?? 0;
  const end = Date.parse(history.until) / 1000;
  const times = Array.from({ length: steps }, (_, index) => end - (steps - 1 - index) * history.step_seconds);
  const from = firstShown(lines, history.span);
  const rate = (bytes: number): number => (bytes * 8) / history.step_seconds;
  // The canvas has no style sheet: colours are asked for each time it draws.
  const probe = document.createElement('span');
  element.append(probe);
  const colour = (name: string) => (): string => {
    probe.className = `colour-${name}`;
    return getComputedStyle(probe).color;
  };
  const axis: uPlot.Axis = {
    stroke: colour('ink'),
    grid: { stroke: colour('line'), width: 1 },
    ticks: { show: false },
    font: `12px ${getComputedStyle(element).fontFamily}`,
  };
  const clock = (seconds: number): string => formatTime(seconds * 1000).slice(0, 5);
  return new uPlot(
    {
      width: element.clientWidth,
      height: HEIGHT,
      cursor: { y: false, points: { size: 6 } },
      legend: { live: true },
      scales: {
        y: { range: (_plot, least, most) => [Math.min(-1000, least * 1.08), Math.max(1000, most * 1.08)] },
      },
      axes: [
        { ...axis, values: (_plot, values) => values.map(clock), space: 70 },
        { ...axis, values: (_plot, values) => values.map((value) => formatBits(Math.abs(value))), size: 84 },
      ],
      series: [
        { label: t('events.at'), value: latest((seconds) => formatTime(seconds * 1000)) },
        ...lines.flatMap(({ name }, index): uPlot.Series[] => [
          line(`${name} ↓`, index, colour),
          line(`${name} ↑`, index, colour),
        ]),
      ],
    },
    [times, ...lines.flatMap((one) => [one.in.map(rate), one.out.map((bytes) => -rate(bytes))])].map(
      (column) =>
        // The last step is not over yet: it would look as if the traffic fell.
        column.slice(from, -1),
    ) as uPlot.AlignedData,
    element,
  );
}

/** Of a gateway that has just begun, the chart shows what there is and not an empty day; but never less than this. */
const LEAST_STEPS = { hour: 60, day: 48 } as const;

function firstShown(lines: readonly Line[], span: TrafficHistory['span']): number {
  const steps = lines[0]?.out.length ?? 0;
  const first = Array.from({ length: steps }, (_, index) => index).find((index) =>
    lines.some((one) => one.out[index]! + one.in[index]! > 0),
  );
  return Math.max(0, Math.min((first ?? steps) - 2, steps - LEAST_STEPS[span]));
}

function line(label: string, index: number, colour: (name: string) => () => string): uPlot.Series {
  return {
    label,
    stroke: colour(`series-${index + 1}`),
    fill: colour(`wash-${index + 1}`),
    width: 1.5,
    points: { show: false },
    value: latest((value) => formatBits(Math.abs(value))),
  };
}

/** The legend has the figures under the pointer; without one, the latest. */
function latest(
  format: (value: number) => string,
): (plot: uPlot, value: number | null, series: number) => string {
  return (plot, value, series) => {
    const shown = value ?? plot.data[series]?.at(-1) ?? null;
    return shown === null ? '–' : format(shown);
  };
}

/** The sums, for a screen reader and for whoever wants a number. */
function Figures({ history }: { history: TrafficHistory }) {
  const total = (list: readonly number[]): string => formatBytes(list.reduce((sum, one) => sum + one, 0));
  if (history.series.length === 0) return <p class="soft">{t('chart.nothing')}</p>;
  return (
    <details>
      <summary>{t('chart.figures')}</summary>
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">{t('sessions.protocol')}</th>
            <th scope="col" class="end">
              {t('sessions.out')}
            </th>
            <th scope="col" class="end">
              {t('sessions.in')}
            </th>
          </tr>
        </thead>
        <tbody>
          {history.series.map(({ protocol, out, in: back }) => (
            <tr key={protocol}>
              <th scope="row">{PROTOCOL_NAMES[protocol]}</th>
              <td class="end num">{total(out)}</td>
              <td class="end num">{total(back)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
