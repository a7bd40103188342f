// Who is using the page: nobody yet, somebody logged in, or the owner of a new gateway.
import { signal } from '@preact/signals';
import { navigate } from '../router.ts';
import { ApiError, call, whenLoggedOut } from './client.ts';
import { close } from './sessions.ts';

export interface Me {
  readonly name: string;
}

export type Door = 'first-run' | 'log-in' | 'open' | 'closed';

export const me = signal<Me | null>(null);
/** `closed`: the daemon does not answer. */
export const door = signal<Door>('log-in');

/** The log-in ended by itself, or somebody ended it: the door says so. */
export const hasEnded = signal(false);

export async function whoAmI(): Promise<void> {
  try {
    me.value = await call<Me>('GET', '/login');
    door.value = 'open';
    hasEnded.value = false;
  } catch (error) {
    me.value = null;
    const code = error instanceof ApiError ? error.code : '';
    door.value = code === 'first-run' ? 'first-run' : code === 'unreachable' ? 'closed' : 'log-in';
  }
}

export async function logIn(proof: { name: string; password: string; code?: string }): Promise<void> {
  await call('POST', '/login', proof);
  await whoAmI();
}

export async function logOut(): Promise<void> {
  await call('DELETE', '/login').catch(() => undefined);
  forget();
  navigate('/');
}

function forget(): void {
  close();
  me.value = null;
  door.value = 'log-in';
}

whenLoggedOut(() => {
  if (door.value !== 'open') return;
  hasEnded.value = true;
  forget();
});
