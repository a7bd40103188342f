import { EventEmitter } from 'node:events';
import { expect, it, vi } from 'vitest';
import { callDaemon } from './client.ts';

// Root may open any socket, so the kernel's refusal is played.
vi.mock('node:http', () => ({
  request: () => {
    const call = new EventEmitter();
    return Object.assign(call, {
      end: () => call.emit('error', Object.assign(new Error('connect EACCES'), { code: 'EACCES' })),
    });
  },
}));

it('a socket that may not be opened is status 4', async () => {
  await expect(callDaemon('/run/t.sock', 'GET', '/')).rejects.toMatchObject({
    exitStatus: 4,
    message: `The daemon's socket "/run/t.sock" may not be opened. Run this as root, for example with sudo.`,
  });
});
