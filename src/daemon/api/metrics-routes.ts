// Where Prometheus reads.
import { Failure } from '../failure.ts';
import type { Metrics } from '../metrics.ts';
import { route, type Route } from './route.ts';

export function metricsRoutes(metrics: Metrics): Route[] {
  return [
    route({
      method: 'GET',
      path: '/metrics',
      isAtRoot: true,
      permission: 'read',
      tag: 'Metrics',
      summary: 'Sessions, traffic, drops and health for Prometheus, where "web.metrics" is enabled',
      answer: { text: 'text/plain; version=0.0.4; charset=utf-8' },
      problems: ['not-found'],
      handle: () => {
        if (metrics.isEnabled) return metrics.render();
        throw new Failure(
          'not-found',
          'The metrics are disabled. Enable them with "web.metrics: enabled" in the configuration.',
        );
      },
    }),
  ];
}
