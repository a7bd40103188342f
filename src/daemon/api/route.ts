// What a route is: one entry of the table in routes.ts, from which the server, the permissions, the OpenAPI
// description and the tests come. What a caller sends is checked here, before the route sees it; every
// problem is told at once, with its field.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { problemsOf, type Path, type Place } from '../../core/config/problem.ts';
import { Failure, type FailureCode } from '../failure.ts';

/**
 * Who may call a route over TCP: anybody, whoever may read, whoever may change, or nobody at all because
 * it is for the machine's own socket. Over that socket, which only root opens, everything may be called.
 */
export type Permission = 'anybody' | 'read' | 'full' | 'socket';

/** Who calls, as far as routes need to know. */
export interface Caller {
  /** For the history and the log: an account, a token's name, or root at the socket. */
  readonly name: string;
  readonly via: 'socket' | 'login' | 'token' | 'nobody';
  /** The peer's address; null at the socket. */
  readonly address: string | null;
  /** Of the log-in or the token. */
  readonly id: string | null;
  readonly may: 'nothing' | 'read' | 'full';
}

export interface Call<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly caller: Caller;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** What a route answers with: JSON of a schema, nothing at all (204), or text of a media type. */
export type Answer = z.ZodType | 'nothing' | { readonly text: string };

interface RouteFacts {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below /api/v1, with `:name` for a part that varies. */
  readonly path: string;
  /** Not below /api/v1, since others decided where it is. */
  readonly isAtRoot?: true;
  readonly permission: Permission;
  /** Groups the reference. */
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** What the failures' `code` may be, besides those that any route has. */
  readonly problems: readonly FailureCode[];
  /** Other media types that the caller may accept, with what comes then. */
  readonly streams?: Readonly<Record<string, string>>;
  /** The most that a body may have; 64 KiB unless said otherwise. */
  readonly mostBodyBytes?: number;
}

export interface Route extends RouteFacts {
  readonly params: z.ZodType | null;
  readonly query: z.ZodType | null;
  readonly body: z.ZodType | null;
  readonly answer: Answer;
  handle(call: Call<unknown, unknown, unknown>): unknown;
}

type Nothing = z.ZodType<undefined>;
type Sent<A extends Answer> = A extends z.ZodType ? z.input<A> : A extends 'nothing' ? void : string;

/** `handle` may also answer by the reply itself, and then returns it. */
export function route<
  P extends z.ZodType = Nothing,
  Q extends z.ZodType = Nothing,
  B extends z.ZodType = Nothing,
  const A extends Answer = 'nothing',
>(
  given: RouteFacts & {
    readonly params?: P;
    readonly query?: Q;
    readonly body?: B;
    readonly answer: A;
    readonly handle: (
      call: Call<z.output<P>, z.output<Q>, z.output<B>>,
    ) => Sent<A> | FastifyReply | Promise<Sent<A> | FastifyReply>;
  },
): Route {
  return {
    ...given,
    params: given.params ?? null,
    query: given.query ?? null,
    body: given.body ?? null,
    handle: given.handle,
  };
}

const REFUSALS = {
  params: 'The address is not right, so nothing was done.',
  query: 'What was asked for is not allowed, so nothing was done.',
  body: 'The settings are not allowed, so nothing was changed.',
} as const;

/** Throws Failure with every problem. */
export function readPart(part: keyof typeof REFUSALS, schema: z.ZodType | null, sent: unknown): unknown {
  if (schema === null) return undefined;
  const read = schema.safeParse(sent);
  if (read.success) return read.data;
  throw new Failure(
    'bad-request',
    REFUSALS[part],
    problemsOf(read.error, sent, (path) => placeIn(schema, path)),
  );
}

interface JsonSchema {
  readonly properties?: Record<string, JsonSchema>;
  readonly items?: JsonSchema;
  readonly hint?: string;
  readonly format?: string;
}

/** What a schema says of one place in it. */
function placeIn(schema: z.ZodType, path: Path): Place {
  let found: JsonSchema | undefined = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    reused: 'inline',
  }) as JsonSchema;
  for (const step of path) found = typeof step === 'number' ? found?.items : found?.properties?.[step];
  const settings = Object.keys(found?.properties ?? {});
  return {
    settings,
    isSecret: found?.format === 'password',
    ...(found?.hint === undefined ? {} : { hint: found.hint }),
  };
}
