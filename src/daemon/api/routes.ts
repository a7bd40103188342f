// The one table of routes: the server, the permissions, the OpenAPI description and the tests come from it.
import type { Doctor } from '../doctor.ts';
import type { Prober } from '../probe.ts';
import { doctorRoutes } from './doctor-routes.ts';
import { gatewayRoutes, type GatewayRoutesOptions } from './gateway-routes.ts';
import { descriptionRoutes } from './openapi-routes.ts';
import { probeRoutes } from './probe-routes.ts';
import type { Route } from './route.ts';
import { sessionRoutes, type SessionRecords } from './sessions-routes.ts';

export interface RoutesOptions extends GatewayRoutesOptions {
  readonly doctor: Doctor;
  readonly prober: Prober;
  readonly records: SessionRecords;
}

export function createRoutes(options: RoutesOptions): readonly Route[] {
  const routes: Route[] = [
    ...gatewayRoutes(options),
    ...sessionRoutes(options.records),
    ...doctorRoutes(options.doctor),
    ...probeRoutes(options.prober),
  ];
  return [...routes, ...descriptionRoutes(() => routes)];
}
