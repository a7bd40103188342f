// The one table of routes: the server, the permissions, the OpenAPI description and the tests come from it.
import type { Backups } from '../admin/backup.ts';
import type { Doctor } from '../doctor.ts';
import type { Metrics } from '../metrics.ts';
import type { Prober } from '../probe.ts';
import type { Gateway } from '../gateway.ts';
import type { Certificates } from '../tls/certificates.ts';
import { backupRoutes } from './backup-routes.ts';
import { certificateRoutes } from './certificate-routes.ts';
import { configRoutes, type ConfigRoutesOptions } from './config-routes.ts';
import { doctorRoutes } from './doctor-routes.ts';
import { gatewayRoutes, type GatewayRoutesOptions } from './gateway-routes.ts';
import { loginRoutes, type LoginRoutesOptions } from './login-routes.ts';
import { descriptionRoutes } from './openapi-routes.ts';
import { metricsRoutes } from './metrics-routes.ts';
import { probeRoutes } from './probe-routes.ts';
import type { Route } from './route.ts';
import { sessionRoutes, type SessionRecords } from './sessions-routes.ts';
import { userRoutes, type UserRoutesOptions } from './user-routes.ts';

export interface RoutesOptions
  extends GatewayRoutesOptions, LoginRoutesOptions, UserRoutesOptions, ConfigRoutesOptions {
  readonly gateway: Gateway;
  readonly certificates: Certificates;
  readonly metrics: Metrics;
  readonly backups: Backups;
  readonly doctor: Doctor;
  readonly prober: Prober;
  readonly records: SessionRecords;
}

export function createRoutes(options: RoutesOptions): readonly Route[] {
  const routes: Route[] = [
    ...gatewayRoutes(options),
    ...configRoutes(options),
    ...sessionRoutes(options.records),
    ...doctorRoutes(options.doctor),
    ...probeRoutes(options.prober),
    ...loginRoutes(options),
    ...userRoutes(options),
    ...certificateRoutes(options.certificates),
    ...backupRoutes(options.backups),
    ...metricsRoutes(options.metrics),
  ];
  return [...routes, ...descriptionRoutes(() => routes)];
}
