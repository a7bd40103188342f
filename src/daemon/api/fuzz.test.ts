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
