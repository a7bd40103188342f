// The OpenAPI 3.1 description, made from the table of routes, so that it cannot say anything else.
import { z } from 'zod';
import { quote } from '../../core/config/problem.ts';
import type { FailureCode } from '../failure.ts';
import { VERSION } from '../version.ts';
import { PROBLEM_CODES, statusOf } from './problem-status.ts';
import type { Permission, Route } from './route.ts';

type Json = Readonly<Record<string, unknown>>;

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly required: boolean;
  readonly description?: string;
  readonly schema: Json;
}

export interface Operation {
  readonly tags: readonly string[];
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly security: readonly Json[];
  readonly 'x-permission': Permission;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: Json;
  readonly responses: Readonly<Record<string, Json>>;
}

export interface Description {
  readonly openapi: '3.1.1';
  readonly info: Json;
  readonly servers: readonly Json[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Json & { readonly schemas: Json };
}

const WHO: Readonly<Record<Permission, string>> = {
  anybody: 'Anybody may call it.',
  read: 'For whoever is logged in, and any token.',
  full: 'For whoever is logged in, and tokens of full scope.',
  socket: "Only over the machine's own socket.",
};

const SECURITY: Readonly<Record<Permission, readonly Json[]>> = {
  anybody: [],
  read: [{ cookie: [] }, { token: [] }],
  full: [{ cookie: [] }, { token: [] }],
  socket: [],
};

const EVERYWHERE: readonly FailureCode[] = ['wrong-host', 'too-many-requests', 'internal'];

export function describeRoutes(routes: readonly Route[]): Description {
  const schemas: Record<string, unknown> = { Failure: FAILURE };
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of routes) {
    const path = `${route.isAtRoot ? '' : '/api/v1'}${route.path.replaceAll(/:(\w+)/g, '{$1}')}`;
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = describeRoute(route, schemas);
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Throughway',
      version: VERSION,
      description:
        'The API of the VPN passthrough gateway. Over the unix socket of the machine, which only root opens, nobody logs in. Over TCP a request carries the cookie of a log-in, or a token in the header "Authorization: Bearer TOKEN".',
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas,
      securitySchemes: {
        cookie: { type: 'apiKey', in: 'cookie', name: 'throughway' },
        token: { type: 'http', scheme: 'bearer' },
      },
    },
  };
}

const FAILURE = {
  type: 'object',
  description: 'RFC 9457. "detail" is a sentence for a person; "code" is stable, for programs.',
  required: ['title', 'status', 'code', 'detail', 'problems'],
  properties: {
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', enum: Object.keys(PROBLEM_CODES) },
    detail: { type: 'string' },
    problems: {
      type: 'array',
      items: {
        type: 'object',
        required: ['path', 'message', 'hint'],
        properties: {
          path: { type: 'string' },
          message: { type: 'string' },
          hint: { type: 'string' },
          line: { type: 'integer' },
        },
      },
    },
  },
};

function describeRoute(route: Route, schemas: Record<string, unknown>): Operation {
  const { answer } = route;
  const codes = [...new Set([...refusals(route), ...route.problems, ...EVERYWHERE])];
  const responses: Record<string, Json> = {};
  if (answer === 'nothing') responses['204'] = { description: 'Done.' };
  else {
    const content =
      'text' in answer
        ? { [answer.text.split(';')[0]!]: { schema: { type: 'string' } } }
        : { 'application/json': { schema: asJsonSchema(answer, 'output', schemas) } };
    for (const [type, description] of Object.entries(route.streams ?? {}))
      Object.assign(content, { [type]: { schema: { type: 'string', description } } });
    responses['200'] = { description: 'Done.', content };
  }
  for (const status of [...new Set(codes.map(statusOf))].toSorted((a, b) => a - b)) {
    const meant = codes.filter((code) => statusOf(code) === status);
    responses[String(status)] = {
      description: meant.map((code) => `${code}: ${PROBLEM_CODES[code]?.meaning ?? ''}`).join(' '),
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Failure' } } },
    };
  }
  return {
    tags: [route.tag],
    operationId: `${route.method.toLowerCase()}${route.path.replaceAll(/[/:.-]+(\w)?/g, (_all, letter: string) => letter?.toUpperCase() ?? '')}`,
    summary: route.summary,
    description: [route.description, WHO[route.permission]].filter(Boolean).join(' '),
    security: SECURITY[route.permission],
    'x-permission': route.permission,
    parameters: [
      ...parametersOf(route.params, 'path', schemas),
      ...parametersOf(route.query, 'query', schemas),
    ],
    ...(route.body && {
      requestBody: {
        required: !route.body.safeParse(undefined).success,
        content: { 'application/json': { schema: asJsonSchema(route.body, 'input', schemas) } },
      },
    }),
    responses,
  };
}

/** What any route of this permission may answer. */
function refusals({ permission, method, params, query, body }: Route): FailureCode[] {
  return [
    ...(params || query || body ? (['bad-request'] as const) : []),
    ...(permission === 'read' || permission === 'full' ? (['not-logged-in', 'first-run'] as const) : []),
    ...(permission === 'full' || permission === 'socket' ? (['forbidden'] as const) : []),
    ...(method === 'GET' ? [] : (['wrong-origin'] as const)),
  ];
}

function parametersOf(
  schema: z.ZodType | null,
  place: 'path' | 'query',
  schemas: Record<string, unknown>,
): Parameter[] {
  if (schema === null) return [];
  const { properties = {}, required = [] } = asJsonSchema(schema, 'input', schemas) as {
    properties?: Record<string, Json & { description?: string }>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: rest,
  }));
}

/** Named schemas go into `schemas`, and are referred to. */
function asJsonSchema(schema: z.ZodType, io: 'input' | 'output', schemas: Record<string, unknown>): Json {
  const made = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json & {
    $defs?: Record<string, unknown>;
    id?: string;
  };
  const { $schema: _schema, $defs: definitions = {}, ...rest } = refer(made) as typeof made;
  for (const [name, definition] of Object.entries(definitions)) keep(schemas, name, definition);
  if (rest.id === undefined) return rest;
  keep(schemas, rest.id, rest);
  return { $ref: `#/components/schemas/${rest.id}` };
}

function keep(schemas: Record<string, unknown>, name: string, definition: unknown): void {
  const before = schemas[name];
  if (before !== undefined && JSON.stringify(before) !== JSON.stringify(definition))
    throw new Error(`two schemas are called ${quote(name)}`);
  schemas[name] = definition;
}

/** References point to the components; what is only read-only for TypeScript is not told. */
function refer(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(refer);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'readOnly' && key !== 'hint')
      .map(([key, one]) =>
        key === '$ref' && typeof one === 'string'
          ? [key, one.replace('#/$defs/', '#/components/schemas/')]
          : [key, refer(one)],
      ),
  );
}
