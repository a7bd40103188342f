// The certificate that the page is served with.
import type { Certificates } from '../tls/certificates.ts';
import { certificateSchema, ownCertificateSchema } from './account.ts';
import { route, type Route } from './route.ts';

const TAG = 'Certificate';

export function certificateRoutes(certificates: Certificates): Route[] {
  return [
    route({
      method: 'GET',
      path: '/certificate',
      permission: 'read',
      tag: TAG,
      summary: 'The certificate that the page is served with',
      answer: certificateSchema,
      problems: [],
      handle: () => certificates.describe(),
    }),
    route({
      method: 'PUT',
      path: '/certificate',
      permission: 'full',
      tag: TAG,
      summary: "Serve the page with a certificate of one's own",
      body: ownCertificateSchema,
      answer: 'nothing',
      problems: ['state-unwritable'],
      mostBodyBytes: 262_144,
      handle: ({ body }) => certificates.use(body),
    }),
    route({
      method: 'POST',
      path: '/certificate/renew',
      permission: 'full',
      tag: TAG,
      summary: 'Make a new certificate and serve the page with it',
      answer: 'nothing',
      problems: [],
      handle: () => certificates.renew(),
    }),
  ];
}
