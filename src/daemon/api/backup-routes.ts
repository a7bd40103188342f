// Backup and restore: everything that an administrator has decided, as one file.
import type { Backups } from '../admin/backup.ts';
import { backupSchema } from './backup.ts';
import { appliedSchema } from './config.ts';
import { route, type Route } from './route.ts';

const TAG = 'Backup';
/** Four thousand named devices, and accounts and tokens as many as there can be. */
const MOST_BYTES = 2 << 20;

export function backupRoutes(backups: Backups): Route[] {
  return [
    route({
      method: 'GET',
      path: '/backup',
      permission: 'full',
      tag: TAG,
      summary: 'The configuration, accounts, tokens, names of devices and own certificate, as one file',
      description:
        'It holds hashes of passwords, second factors and the key of the certificate: keep it safe.',
      answer: backupSchema,
      problems: ['config-unreadable'],
      handle: () => backups.make(),
    }),
    route({
      method: 'POST',
      path: '/restore',
      permission: 'full',
      tag: TAG,
      summary: 'Bring a backup back, as a whole or not at all',
      description:
        'What can cut the administrator off is on probation, as with /config/apply. Without users in it, the accounts stay.',
      body: backupSchema,
      answer: appliedSchema,
      problems: [
        'change-pending',
        'config-unreadable',
        'config-unwritable',
        'state-unwritable',
        'kernel-refused',
      ],
      mostBodyBytes: MOST_BYTES,
      handle: ({ body, caller }) =>
        backups.restore(body, {
          who: caller.name,
          confirmWithin: undefined,
          overNetwork: caller.via !== 'socket',
        }),
    }),
  ];
}
