import * as fc from 'fast-check';
import { z } from 'zod';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Route } from './route.ts';
import { ServedApi } from './served-api.ts';
import { urlOf } from './server.ts';

interface JsonSchema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** Text that a config, a path or a parser could stumble over. */
const text = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(
    '',
    'admin',
    '../../etc/passwd',
    '%00',
    '\u0000',
    "' OR 1=1 --",
    '__proto__',
    'version: 1',
    '1e999',
  ),
  fc.constantFrom(
    'version: 1\ninterfaces: { wan: a, lan: [b] }\n',
    'enabled',
    'lan:80',
    '-----BEGIN CERTIFICATE-----',
  ),
);

/** Values of the schema, near it, and far from it. */
function valueOf(schema: JsonSchema): fc.Arbitrary<unknown> {
  const right = rightValueOf(schema);
  return fc.oneof({ weight: 4, arbitrary: right }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) });
}

function rightValueOf(schema: JsonSchema): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(valueOf));
  switch (schema.type) {
    case 'object':
      return fc
        .tuple(
          fc.record(
            Object.fromEntries(
              Object.entries(schema.properties ?? {}).map(([name, one]) => [name, valueOf(one)]),
            ),
            { requiredKeys: [] },
          ),
          fc.option(
            fc.dictionary(fc.constantFrom('web', 'interfaces', 'passthrough', 'extra'), fc.jsonValue()),
            {
              nil: {},
            },
          ),
        )
        .map(([known, more]) => (schema.properties ? known : { ...known, ...more }));
    case 'array':
      return fc.array(valueOf(schema.items ?? {}), { maxLength: 4 });
    case 'integer':
    case 'number':
      return fc.oneof(fc.integer({ min: schema.minimum ?? -10, max: schema.maximum ?? 1000 }), fc.double());
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'string':
      return text;
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

const schemaOf = (schema: z.ZodType | null): JsonSchema =>
  schema
    ? (z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' }) as JsonSchema)
    : {};

function requestFor(route: Route): fc.Arbitrary<{ url: string; body: string | undefined }> {
  const params = fc.record(
    Object.fromEntries([...route.path.matchAll(/:(\w+)/g)].map((match) => [match[1]!, text])),
  ) as fc.Arbitrary<Record<string, string>>;
  const query = route.query ? valueOf(schemaOf(route.query)) : fc.constant({});
  const body = route.body
    ? fc.oneof(
        { weight: 8, arbitrary: valueOf(schemaOf(route.body)).map((value) => JSON.stringify(value)) },
        { weight: 1, arbitrary: fc.string() },
      )
    : fc.constant(undefined);
  return fc.record({ params, query, body }).map((made) => {
    const path = urlOf(route).replaceAll(/:(\w+)/g, (_all, name: string) =>
      encodeURIComponent((made.params[name] ?? '').toWellFormed()),
    );
    const plain = (value: unknown): string =>
      (typeof value === 'string' ? value : (JSON.stringify(value) ?? '')).toWellFormed();
    const pairs = Object.entries(made.query ?? {}).map(
      ([name, value]) => `${encodeURIComponent(plain(name))}=${encodeURIComponent(plain(value))}`,
    );
    return { url: pairs.length > 0 ? `${path}?${pairs.join('&')}` : path, body: made.body ?? undefined };
  });
}

/** Bodies that no schema leads to. */
const HOSTILE: readonly {
  readonly name: string;
  readonly payload: string | Buffer;
  readonly type?: string;
}[] = [
  { name: 'nothing', payload: '' },
  { name: 'a prototype', payload: '{"__proto__":{"full":true},"constructor":{"prototype":{}}}' },
  { name: 'a deep nest', payload: '['.repeat(30_000) + ']'.repeat(30_000) },
  { name: 'a deep object', payload: '{"a":'.repeat(10_000) + '1' + '}'.repeat(10_000) },
  { name: 'half a pair of surrogates', payload: '{"name":"\\ud800","password":"\\udfff\\u0000"}' },
  { name: 'no UTF-8', payload: Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]) },
  { name: 'a byte order mark', payload: '\ufeff{}' },
  { name: 'broken JSON', payload: '{"pptp":"disabled"' },
  { name: 'another scalar', payload: '0' },
  { name: 'null', payload: 'null' },
  { name: 'a list', payload: '[{}]' },
  { name: 'a figure without end', payload: `{"pptp":${'9'.repeat(400)}}` },
  { name: 'three megabytes', payload: JSON.stringify({ config: 'x'.repeat(3_000_000) }) },
  { name: 'a form', payload: 'pptp=disabled', type: 'application/x-www-form-urlencoded' },
  { name: 'plain text', payload: '{"pptp":"disabled"}', type: 'text/plain' },
  { name: 'XML', payload: '<a/>', type: 'application/xml' },
  { name: 'an odd type', payload: '{}', type: 'application/json; charset=utf-16; \u00e9' },
];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

let served: ServedApi;
beforeAll(() => {
  served = new ServedApi();
  return () => served.close();
});
afterAll(() => undefined);

const DEADLINE_MS = 10_000;

describe('whatever is sent, every route answers, and never with a fault of ours', () => {
  // The list is known only once the API stands; its length is checked below.
  const PARTS = 4;
  it.each(Array.from({ length: PARTS }, (_, part) => part))(
    'part %i',
    async (part) => {
      const { token } = served.keys.makeToken(`fuzz ${part}`, 'full');
      const routes = served.routes.filter((_route, index) => index % PARTS === part);
      for (const route of routes) {
        await fc.assert(
          fc.asyncProperty(requestFor(route), async ({ url, body }) => {
            const answered = served.web.inject({
              method: route.method,
              url,
              remoteAddress: '192.168.1.11',
              headers: {
                host: '192.168.1.1',
                authorization: `Bearer ${token}`,
                ...(body === undefined ? {} : { 'content-type': 'application/json' }),
              },
              ...(body === undefined ? {} : { payload: body }),
            });
            let timer: NodeJS.Timeout | undefined;
            const late = new Promise<'late'>((resolve) => {
              timer = setTimeout(() => resolve('late'), DEADLINE_MS);
            });
            const response = await Promise.race([answered, late]);
            clearTimeout(timer);
            if (response === 'late') throw new Error('no answer');
            const what = `${route.method} ${url} ${body ?? ''}: ${response.body}`;
            expect(response.statusCode, what).toBeLessThan(500);
            if (response.statusCode < 400) return;
            // Refused, with a sentence and where it can with the fields.
            const problem = response.json<{
              code: string;
              detail: string;
              problems: { message: string }[];
            }>();
            expect(problem.detail, what).toMatch(/[.?]$|\.$/);
            for (const { message } of problem.problems) expect(message, what).not.toBe('');
          }),
          { numRuns: route.body ? 25 : 10 },
        );
      }
    },
    120_000,
  );
});

describe('what no schema foresees', () => {
  const token = (name: string): string => `Bearer ${served.keys.makeToken(name, 'full').token}`;
  const own = { host: '192.168.1.1' };

  it('hostile bodies to every route that takes one are refused, and change nothing', async () => {
    const authorization = token('hostile');
    const state = (): unknown => [served.gateway.text, served.accounts.list(), served.keys.tokens().length];
    const before = state();
    for (const route of served.routes.filter(({ method }) => method === 'POST' || method === 'PUT')) {
      for (const { name, payload, type = 'application/json' } of HOSTILE) {
        const { statusCode, body } = await served.web.inject({
          method: route.method,
          url: urlOf(route).replaceAll(/:(\w+)/g, 'no-such'),
          headers: { ...own, authorization, 'content-type': type },
          payload,
        });
        const what = `${route.method} ${route.path} with ${name}: ${statusCode} ${body.slice(0, 200)}`;
        expect(statusCode, what).toBeLessThan(500);
        if (route.body !== null && !route.body.safeParse({}).success)
          expect(statusCode, what).toBeGreaterThanOrEqual(400);
      }
    }
    expect(state()).toEqual(before);
  }, 120_000);

  it('other methods, long and odd addresses find nothing', async () => {
    const authorization = token('odd');
    const known = new Set(served.routes.map((route) => `${route.method} ${urlOf(route)}`));
    const odd = [
      '%',
      '%ff',
      '%2e%2e%2f',
      'a'.repeat(5000),
      '%F0%9F%94%92',
      '\u00e9',
      '?a[__proto__]=1',
      '//',
      '*',
    ];
    for (const route of served.routes) {
      for (const method of METHODS.filter((one) => !known.has(`${one} ${urlOf(route)}`))) {
        const { statusCode } = await served.web.inject({
          method,
          url: urlOf(route).replaceAll(/:(\w+)/g, 'x'),
          headers: { ...own, authorization },
        });
        expect(statusCode, `${method} ${route.path}`).toBe(404);
      }
      // Beside what is at the root there are the pages, which are not built for a test.
      for (const part of route.isAtRoot ? [] : odd) {
        const { statusCode, body } = await served.web.inject({
          method: 'GET',
          url: `${urlOf(route).replace(/:.*/, '')}${part}`,
          headers: { ...own, authorization },
        });
        expect(statusCode, `${route.path} ${part}: ${body.slice(0, 200)}`).toBeLessThan(500);
      }
    }
  }, 120_000);
});
