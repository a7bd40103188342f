// The shapes of log-in, accounts and tokens, as the API takes and gives them. All times are RFC 3339.
import { z } from 'zod';

/** NIST SP 800-63B asks for eight at the least; a gateway's page has no second line of defence. */
const LEAST_PASSWORD = 10;
const MOST_PASSWORD = 256;

export const userNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,31}$/, {
    error:
      'a name has 1 to 32 letters, digits and the signs "_", ".", "@", "-", and begins with a letter or digit',
  })
  .meta({ hint: 'Write for example "admin"' });

const newPassword = z
  .string()
  .refine((text) => text.length >= LEAST_PASSWORD && text.length <= MOST_PASSWORD, {
    error: `a password has ${LEAST_PASSWORD} to ${MOST_PASSWORD} characters`,
  })
  .meta({
    hint: 'Take several words',
    format: 'password',
    minLength: LEAST_PASSWORD,
    maxLength: MOST_PASSWORD,
  });

/** What is compared, never stored: no rule but a bound. */
const anyPassword = z.string().max(MOST_PASSWORD).meta({ format: 'password' });
const time = z.iso.datetime();

export const meSchema = z
  .object({
    name: z.string(),
    via: z.enum(['socket', 'login', 'token', 'nobody']),
    may: z.enum(['nothing', 'read', 'full']),
    totp: z.boolean(),
  })
  .meta({ id: 'Me', description: 'Who is asking.' });
export type Me = z.output<typeof meSchema>;

export const logInSchema = z.strictObject({
  name: z.string().max(64),
  password: anyPassword,
  code: z.string().max(32).optional().meta({
    description: 'The six digits of an authenticator, or a recovery code, where the account asks for it.',
  }),
});
export type LogIn = z.output<typeof logInSchema>;

export const firstRunSchema = z
  .object({
    needed: z.boolean().meta({ description: 'Whether there is no account yet.' }),
    code: z.string().nullable().meta({ description: 'The one-time code that the page asks for.' }),
    addresses: z.array(z.string()).readonly().meta({ description: 'Where the page is served.' }),
  })
  .meta({ id: 'FirstRun' });
export type FirstRun = z.output<typeof firstRunSchema>;

export const firstUserSchema = z.strictObject({
  code: z.string().max(32).meta({ description: 'The one-time code that the daemon printed in its log.' }),
  name: userNameSchema,
  password: newPassword,
});

export const userSchema = z
  .object({
    name: z.string(),
    totp: z.boolean().meta({ description: 'Whether logging in takes a second factor.' }),
    created_at: time,
    last_login_at: time.nullable(),
  })
  .meta({ id: 'User' });
export type User = z.output<typeof userSchema>;

export const newUserSchema = z.strictObject({ name: userNameSchema, password: newPassword });

export const passwordChangeSchema = z.strictObject({
  password: newPassword,
  current: anyPassword.optional().meta({ description: "The present one; needed for one's own account." }),
  remove_totp: z
    .boolean()
    .default(false)
    .meta({ description: 'Also takes the second factor away, for somebody who has lost it.' }),
});

export const totpOfferSchema = z
  .object({ secret: z.string(), uri: z.string() })
  .meta({ id: 'TotpOffer', description: 'To be scanned, and not in force before a code proves it.' });
export type TotpOffer = z.output<typeof totpOfferSchema>;

export const totpProofSchema = z.strictObject({ code: z.string().max(32) });
export const recoveryCodesSchema = z.object({ recovery_codes: z.array(z.string()).readonly() }).meta({
  id: 'RecoveryCodes',
  description: 'Each can be used once instead of a code. They are shown only now.',
});
export const totpRemovalSchema = z.strictObject({ password: anyPassword.optional() });

export const loginSchema = z
  .object({
    id: z.string(),
    user: z.string(),
    address: z.string(),
    agent: z.string(),
    created_at: time,
    last_used_at: time,
    current: z.boolean().meta({ description: 'Whether it is the one that asks.' }),
  })
  .meta({ id: 'Login', description: 'A place where somebody is logged in.' });
export type Login = z.output<typeof loginSchema>;

const tokenScopes = ['read', 'full'] as const;
export const tokenSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    scope: z.enum(tokenScopes),
    created_at: time,
    last_used_at: time.nullable(),
  })
  .meta({ id: 'Token', description: 'A key for a program; its secret is shown only when it is made.' });
export type Token = z.output<typeof tokenSchema>;

export const newTokenSchema = z.strictObject({
  name: z
    .string()
    .trim()
    .min(1, { error: 'a token needs a name' })
    .max(64, { error: 'the name of a token has 64 characters at the most' }),
  scope: z.enum(tokenScopes),
});

export const madeTokenSchema = z
  .object({ id: z.string(), token: z.string() })
  .meta({ id: 'MadeToken', description: 'Sent as "Authorization: Bearer TOKEN".' });
export type MadeToken = z.output<typeof madeTokenSchema>;

export const certificateSchema = z
  .object({
    subject: z.string(),
    issuer: z.string(),
    names: z.array(z.string()).readonly(),
    not_before: time,
    not_after: time,
    fingerprint_sha256: z.string(),
    self_made: z.boolean(),
  })
  .meta({ id: 'Certificate' });
export type Certificate = z.output<typeof certificateSchema>;

export const ownCertificateSchema = z.strictObject({
  certificate: z
    .string()
    .max(65_536)
    .meta({ description: 'PEM: the certificate first, then those above it.' }),
  key: z
    .string()
    .max(65_536)
    .meta({ description: 'PEM: its private key, without a pass phrase.', format: 'password' }),
});
