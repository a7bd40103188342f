// Who is using the page: nobody yet, somebody logged in, or the first-run wizard.
import { signal } from '@preact/signals';
import { navigate } from '../router.ts';
import { whenLoggedOut } from './client.ts';
import { close } from './sessions.ts';

export interface Me {
  readonly name: string;
}

export const me = signal<Me | null>(null);

export async function whoAmI(): Promise<void> {
  me.value = { name: 'admin' };
}

export async function logOut(): Promise<void> {
  close();
  me.value = null;
  navigate('/');
}

whenLoggedOut(() => {
  close();
  me.value = null;
});
