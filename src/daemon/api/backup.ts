// The shape of a backup: everything that an administrator has decided, in one file. Passwords and tokens are
// in it only as hashes, second factors and the key of the certificate as they are: it is to be kept safe.
import { z } from 'zod';
import { ownCertificateSchema, userNameSchema } from './account.ts';
import { isPasswordHash } from '../admin/passwords.ts';

const BACKUP_VERSION = 1;
const time = z.iso.datetime();
const hash = z.string().regex(/^[\w-]{43}$/, { error: 'this is no fingerprint' });

const backupUser = z.strictObject({
  name: userNameSchema,
  password: z.string().refine(isPasswordHash, { error: 'this is no argon2id hash' }),
  totp_secret: z
    .string()
    .regex(/^[A-Z2-7]{32}$/, { error: 'this is no secret of an authenticator' })
    .nullable(),
  recovery_codes: z.array(hash).max(64).readonly(),
  created_at: time,
});

const backupToken = z.strictObject({
  name: z.string().min(1).max(64),
  scope: z.enum(['read', 'full']),
  hash,
  created_at: time,
});

const isUnlike = (names: readonly string[]): boolean =>
  new Set(names.map((name) => name.toLowerCase())).size === names.length;

export const backupSchema = z
  .strictObject({
    format: z.literal('throughway-backup'),
    version: z.literal(BACKUP_VERSION),
    made_at: time,
    config: z.string().max(65_536),
    users: z
      .array(backupUser)
      .max(32)
      .readonly()
      .refine((users) => isUnlike(users.map(({ name }) => name)), { error: 'a name is there twice' }),
    tokens: z
      .array(backupToken)
      .max(64)
      .readonly()
      .refine((tokens) => isUnlike(tokens.map((one) => one.hash + one.name)), {
        error: 'a token is there twice',
      }),
    certificate: ownCertificateSchema.nullable(),
    devices: z
      .array(z.strictObject({ id: z.string().max(255), given_name: z.string().max(255) }))
      .max(4096)
      .readonly(),
  })
  .meta({ id: 'Backup', description: 'Without users, the accounts stay as they are.' });
export type Backup = z.output<typeof backupSchema>;

export function emptyBackup(madeAt: Date, config: string): Backup {
  return {
    format: 'throughway-backup',
    version: BACKUP_VERSION,
    made_at: madeAt.toISOString(),
    config,
    users: [],
    tokens: [],
    certificate: null,
    devices: [],
  };
}
