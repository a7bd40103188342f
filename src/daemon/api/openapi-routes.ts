// The API's description of itself: as OpenAPI for programs, and as a page for people.
import { z } from 'zod';
import { describeRoutes, type Description } from './openapi.ts';
import { REFERENCE_STYLE, renderReferencePage } from './reference-page.ts';
import { route, type Route } from './route.ts';

const TAG = 'Description';

/** `others` are the routes besides these. */
export function descriptionRoutes(others: () => readonly Route[]): Route[] {
  // Made when it is first asked for: it takes longer than any request, and most daemons are never asked.
  let made: Description | null = null;
  const describe = (): Description => (made ??= describeRoutes([...others(), ...own]));
  const own: Route[] = [
    route({
      method: 'GET',
      path: '/openapi.json',
      permission: 'anybody',
      tag: TAG,
      summary: 'This API in OpenAPI 3.1',
      answer: z.record(z.string(), z.unknown()),
      problems: [],
      handle: () => ({ ...describe() }),
    }),
    route({
      method: 'GET',
      path: '/reference',
      permission: 'anybody',
      tag: TAG,
      summary: 'This API as a page to read',
      answer: { text: 'text/html; charset=utf-8' },
      problems: [],
      handle: () => renderReferencePage(describe()),
    }),
    route({
      method: 'GET',
      path: '/reference.css',
      permission: 'anybody',
      tag: TAG,
      summary: 'How that page looks',
      answer: { text: 'text/css; charset=utf-8' },
      problems: [],
      handle: () => REFERENCE_STYLE,
    }),
  ];
  return own;
}
