// Logging in and out, the first account, and where somebody is logged in.
import { z } from 'zod';
import type { Accounts } from '../admin/accounts.ts';
import type { Keys } from '../admin/keys.ts';
import {
  firstRunSchema,
  firstUserSchema,
  logInSchema,
  loginSchema,
  meSchema,
  type Me,
  type User,
} from './account.ts';
import { setLoginCookie } from './cookie.ts';
import { route, type Call, type Caller, type Route } from './route.ts';

const TAG = 'Log-in';
const idSchema = z.strictObject({ id: z.string().min(1).max(64) });

export interface LoginRoutesOptions {
  readonly accounts: Accounts;
  readonly keys: Keys;
  /** Where the page is served, as addresses for a browser. */
  readonly pageAddresses: () => readonly string[];
}

/** What is not behind TCP is the machine's own socket. */
export const addressOf = (caller: Caller): string => caller.address ?? 'the machine itself';

export function loginRoutes({ accounts, keys, pageAddresses }: LoginRoutesOptions): Route[] {
  const describe = ({ name, via, may }: Caller): Me => ({
    name,
    via,
    may,
    totp: via === 'login' && accounts.get(name).totp,
  });
  const open = (user: User, { caller, request, reply }: Call<unknown, unknown, unknown>): Me => {
    const { secret } = keys.logIn(user.name, addressOf(caller), request.headers['user-agent'] ?? '');
    setLoginCookie(request, reply, secret);
    return { name: user.name, via: 'login', may: 'full', totp: user.totp };
  };
  return [
    route({
      method: 'GET',
      path: '/login',
      permission: 'read',
      tag: TAG,
      summary: 'Who is asking',
      answer: meSchema,
      problems: [],
      handle: ({ caller }) => describe(caller),
    }),
    route({
      method: 'POST',
      path: '/login',
      permission: 'anybody',
      tag: TAG,
      summary: 'Log in; the answer sets a cookie',
      description:
        'Five failures lock the address and the account for fifteen minutes. Programs take a token instead.',
      body: logInSchema,
      answer: meSchema,
      problems: [
        'login-failed',
        'totp-required',
        'first-run',
        'locked-out',
        'too-many-requests',
        'state-unwritable',
      ],
      handle: async (call) => open(await accounts.verify(call.body, addressOf(call.caller)), call),
    }),
    route({
      method: 'DELETE',
      path: '/login',
      permission: 'read',
      tag: TAG,
      summary: 'Log out',
      answer: 'nothing',
      problems: [],
      handle: ({ caller, request, reply }) => {
        if (caller.via === 'login' && caller.id !== null) keys.endLogin(caller.id);
        setLoginCookie(request, reply, null);
      },
    }),
    route({
      method: 'GET',
      path: '/first-run',
      permission: 'socket',
      tag: TAG,
      summary: 'Whether there is no account yet, and the one-time code for the first one',
      answer: firstRunSchema,
      problems: [],
      handle: () => ({
        needed: accounts.isFirstRun,
        code: accounts.firstRunCode,
        addresses: pageAddresses(),
      }),
    }),
    route({
      method: 'POST',
      path: '/first-run',
      permission: 'anybody',
      tag: TAG,
      summary: 'Make the first account and log in',
      body: firstUserSchema,
      answer: meSchema,
      problems: ['login-failed', 'not-first-run', 'locked-out', 'state-unwritable'],
      handle: async (call) => {
        const { code, name, password } = call.body;
        return open(await accounts.createFirst(code, name, password, addressOf(call.caller)), call);
      },
    }),
    route({
      method: 'GET',
      path: '/logins',
      permission: 'full',
      tag: TAG,
      summary: 'Where somebody is logged in',
      answer: z.array(loginSchema),
      problems: [],
      handle: ({ caller }) => keys.logins(caller.via === 'login' ? caller.id : null),
    }),
    route({
      method: 'DELETE',
      path: '/logins/:id',
      permission: 'full',
      tag: TAG,
      summary: 'End a log-in',
      params: idSchema,
      answer: 'nothing',
      problems: ['not-found'],
      handle: ({ params }) => keys.endLogin(params.id),
    }),
  ];
}
