import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ServedApi } from './api/served-api.ts';

interface Dashboard {
  readonly uid: string;
  readonly templating: { readonly list: readonly { readonly name: string }[] };
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
  }[];
}

let served: ServedApi;
let text: string;
beforeEach(async () => {
  served = new ServedApi();
  served.accounts.failures = 4;
  await served.accounts.add('admin', 'correct horse battery');
  const { token } = served.keys.makeToken('prometheus', 'read');
  const response = await served.ask({
    method: 'GET',
    url: '/metrics',
    headers: { authorization: `Bearer ${token}` },
  });
  expect(response.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  text = response.body;
});
afterEach(() => served.close());

/** Metrics with the labels that they have. */
function labelsOf(exposed: string): Map<string, Set<string>> {
  const metrics = new Map<string, Set<string>>();
  for (const [, name = '', pairs = ''] of exposed.matchAll(/^([a-z_]+)(?:\{(.*)\})? \S+$/gm)) {
    const labels = metrics.get(name) ?? new Set();
    for (const [, label = ''] of pairs.matchAll(/(\w+)="/g)) labels.add(label);
    metrics.set(name, labels);
  }
  return metrics;
}

describe('the metrics', () => {
  it('are in the text format: each with help and type, no sample twice, every value a number', () => {
    const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(new Set(samples.map((line) => line.slice(0, line.lastIndexOf(' ')))).size).toBe(samples.length);
    for (const line of samples) {
      expect(line).toMatch(
        /^[a-z_]+(\{\w+="(?:[^"\\]|\\.)*"(,\w+="(?:[^"\\]|\\.)*")*\})? -?\d+(\.\d+)?(e-?\d+)?$/,
      );
      const name = /^[a-z_]+/.exec(line)![0];
      expect(text).toMatch(new RegExp(`^# HELP ${name} .+\\n# TYPE ${name} (counter|gauge)$`, 'm'));
      expect(name.endsWith('_total')).toBe(text.includes(`# TYPE ${name} counter`));
    }
  });

  it('tell what there is', () => {
    expect(text).toContain('throughway_dropped_packets_total{reason="wan_new"} 3\n');
    expect(text).toContain('throughway_dropped_bytes_total{reason="wan_new"} 300\n');
    expect(text).toContain('throughway_login_failures_total 4\n');
    expect(text).toContain('throughway_sessions{protocol="pptp",state="up"} 0\n');
    expect(text).toContain('throughway_pairing_sessions{confidence="ambiguous"} 0\n');
  });

  it('need a token', async () => {
    expect((await served.ask({ method: 'GET', url: '/metrics' })).statusCode).toBe(401);
  });
});

describe('the Grafana dashboard', () => {
  const dashboard = JSON.parse(
    readFileSync(new URL('../../docs/grafana-dashboard.json', import.meta.url), 'utf8'),
  ) as Dashboard;

  it('asks only for metrics and labels that there are, and for all of them', () => {
    const metrics = labelsOf(text);
    const asked = new Set<string>();
    for (const { title, targets } of dashboard.panels) {
      for (const { expr, legendFormat } of targets) {
        const [name = ''] = /throughway_\w+/.exec(expr) ?? [];
        asked.add(name);
        const known = metrics.get(name);
        expect(known, `${title}: ${name}`).toBeDefined();
        const named = [
          ...[...expr.matchAll(/(\w+)=~?"/g)].map(([, label]) => label!),
          ...[...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(', ')),
          ...[...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!),
        ].filter((label) => label !== 'instance');
        for (const label of named) expect([...known!], `${title}: ${label}`).toContain(label);
        const [open, closed] = ['(', ')'].map((sign) => expr.split(sign).length);
        expect(open, title).toBe(closed);
      }
    }
    expect([...metrics.keys()].filter((name) => !asked.has(name))).toEqual([]);
  });

  it('has every panel once, in a place of its own', () => {
    const { panels } = dashboard;
    expect(dashboard.uid).toBe('throughway');
    expect(dashboard.templating.list.map(({ name }) => name)).toEqual(['datasource', 'instance']);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const { gridPos: one } of panels) {
      expect(one.x + one.w).toBeLessThanOrEqual(24);
      const overlapping = panels.filter(
        ({ gridPos: other }) =>
          one.x < other.x + other.w &&
          other.x < one.x + one.w &&
          one.y < other.y + other.h &&
          other.y < one.y + one.h,
      );
      expect(overlapping).toHaveLength(1);
    }
  });
});
