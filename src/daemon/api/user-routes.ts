// Accounts, their second factor, and tokens for programs.
import { z } from 'zod';
import type { Accounts } from '../admin/accounts.ts';
import type { Keys } from '../admin/keys.ts';
import { Failure } from '../failure.ts';
import {
  madeTokenSchema,
  newTokenSchema,
  newUserSchema,
  passwordChangeSchema,
  recoveryCodesSchema,
  tokenSchema,
  totpOfferSchema,
  totpProofSchema,
  totpRemovalSchema,
  userSchema,
} from './account.ts';
import { addressOf } from './login-routes.ts';
import { route, type Caller, type Route } from './route.ts';

const nameParam = z.strictObject({ name: z.string().min(1).max(64) });
const idParam = z.strictObject({ id: z.string().min(1).max(64) });

const isOwn = (caller: Caller, name: string): boolean =>
  caller.via === 'login' && caller.name.toLowerCase() === name.toLowerCase();

export interface UserRoutesOptions {
  readonly accounts: Accounts;
  readonly keys: Keys;
  /** What an authenticator shows beside the code. */
  readonly issuer: string;
}

export function userRoutes({ accounts, keys, issuer }: UserRoutesOptions): Route[] {
  return [
    route({
      method: 'GET',
      path: '/users',
      permission: 'read',
      tag: 'Accounts',
      summary: 'The accounts',
      answer: z.array(userSchema),
      problems: [],
      handle: () => accounts.list(),
    }),
    route({
      method: 'POST',
      path: '/users',
      permission: 'full',
      tag: 'Accounts',
      summary: 'Make an account',
      body: newUserSchema,
      answer: userSchema,
      problems: ['exists', 'busy', 'too-many-requests', 'state-unwritable'],
      handle: ({ body }) => accounts.add(body.name, body.password),
    }),
    route({
      method: 'DELETE',
      path: '/users/:name',
      permission: 'full',
      tag: 'Accounts',
      summary: 'Remove an account and end its log-ins',
      params: nameParam,
      answer: 'nothing',
      problems: ['not-found', 'last-user', 'state-unwritable'],
      handle: ({ params }) => accounts.remove(params.name),
    }),
    route({
      method: 'PUT',
      path: '/users/:name/password',
      permission: 'full',
      tag: 'Accounts',
      summary: 'Change a password, which ends every other log-in of the account',
      params: nameParam,
      body: passwordChangeSchema,
      answer: 'nothing',
      problems: ['not-found', 'locked-out', 'too-many-requests', 'state-unwritable'],
      handle: async ({ params: { name }, body, caller }) => {
        const own = isOwn(caller, name);
        if (own) await accounts.requirePassword(name, body.current, 'current', addressOf(caller));
        await accounts.setPassword(name, body.password, own ? caller.id : null, body.remove_totp);
      },
    }),
    route({
      method: 'POST',
      path: '/users/:name/totp',
      permission: 'full',
      tag: 'Accounts',
      summary: "Offer a second factor for one's own account",
      params: nameParam,
      answer: totpOfferSchema,
      problems: ['not-found', 'forbidden', 'state-unwritable'],
      handle: ({ params: { name }, caller }) => {
        requireOwn(caller, name);
        return accounts.offerTotp(name, issuer);
      },
    }),
    route({
      method: 'PUT',
      path: '/users/:name/totp',
      permission: 'full',
      tag: 'Accounts',
      summary: 'Prove the second factor with a code; it is in force from then on',
      params: nameParam,
      body: totpProofSchema,
      answer: recoveryCodesSchema,
      problems: ['not-found', 'forbidden', 'state-unwritable'],
      handle: ({ params: { name }, body, caller }) => {
        requireOwn(caller, name);
        return { recovery_codes: accounts.proveTotp(name, body.code) };
      },
    }),
    route({
      method: 'DELETE',
      path: '/users/:name/totp',
      permission: 'full',
      tag: 'Accounts',
      summary: "Take the second factor of one's own account away",
      params: nameParam,
      body: totpRemovalSchema.optional(),
      answer: 'nothing',
      problems: ['not-found', 'forbidden', 'locked-out', 'too-many-requests', 'state-unwritable'],
      handle: async ({ params: { name }, body, caller }) => {
        requireOwn(caller, name);
        if (caller.via === 'login')
          await accounts.requirePassword(name, body?.password, 'password', addressOf(caller));
        accounts.removeTotp(name);
      },
    }),
    route({
      method: 'GET',
      path: '/tokens',
      permission: 'full',
      tag: 'Tokens',
      summary: 'The tokens',
      answer: z.array(tokenSchema),
      problems: [],
      handle: () => keys.tokens(),
    }),
    route({
      method: 'POST',
      path: '/tokens',
      permission: 'full',
      tag: 'Tokens',
      summary: 'Make a token; its secret is in this answer and nowhere else',
      body: newTokenSchema,
      answer: madeTokenSchema,
      problems: ['exists', 'busy', 'state-unwritable'],
      handle: ({ body }) => keys.makeToken(body.name, body.scope),
    }),
    route({
      method: 'DELETE',
      path: '/tokens/:id',
      permission: 'full',
      tag: 'Tokens',
      summary: 'Revoke a token, by its id or its name',
      params: idParam,
      answer: 'nothing',
      problems: ['not-found', 'state-unwritable'],
      handle: ({ params }) => keys.revokeToken(params.id),
    }),
  ];
}

/** The second factor is in the hands of whoever has the account; at the machine itself everything may be done. */
function requireOwn(caller: Caller, name: string): void {
  if (caller.via === 'socket' || isOwn(caller, name)) return;
  throw new Failure(
    'forbidden',
    `The second factor of ${JSON.stringify(name)} can be changed by that account alone. Who has lost it gets a new password at the machine: throughway user reset-password NAME.`,
  );
}
