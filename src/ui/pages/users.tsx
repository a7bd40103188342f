// Who may log in: accounts, passwords, the second factor, and where somebody is logged in now.
import { useEffect, useState } from 'preact/hooks';
import { me } from '../api/account.ts';
import { addUser, endLogin, getLogins, getUsers, removeUser, setPassword } from '../api/calls.ts';
import type { Login, User } from '../../daemon/api/account.ts';
import { Ago } from '../parts/ago.tsx';
import { Confirm, Dialog } from '../parts/dialog.tsx';
import { Field } from '../parts/field.tsx';
import { useRequest } from '../parts/form.ts';
import { FailureNotice } from '../parts/notice.tsx';
import { Page, Panel } from '../parts/page.tsx';
import { SecondFactor } from '../parts/second-factor.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { t } from '../text/text.ts';

type Open =
  | { readonly kind: 'add' }
  | { readonly kind: 'password' | 'remove' | 'factor'; readonly user: User };

export function UsersPage() {
  const [users, setUsers] = useState<readonly User[]>([]);
  const [logins, setLogins] = useState<readonly Login[]>([]);
  const [open, setOpen] = useState<Open | null>(null);
  const request = useRequest();
  const load = (): Promise<unknown> =>
    request.send(async () => {
      setUsers(await getUsers());
      setLogins(await getLogins());
    });
  useEffect(() => void load(), []);
  const close = (): void => {
    setOpen(null);
    void load();
  };
  return (
    <Page
      title={t('nav.users')}
      trail={t('nav.administration')}
      actions={
        <button type="button" class="button" onClick={() => setOpen({ kind: 'add' })}>
          {t('users.add')}
        </button>
      }
    >
      <FailureNotice error={request.error} />
      <Panel title={t('users.accounts')} flush>
        <Scroll>
          <table class="plain">
            <thead>
              <tr>
                <th scope="col">{t('login.name')}</th>
                <th scope="col">{t('users.factor')}</th>
                <th scope="col">{t('users.lastLogin')}</th>
                <th scope="col">
                  <span class="hidden-text">{t('users.actions')}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {users.map((user) => (
                <tr key={user.name}>
                  <th scope="row">
                    {user.name} {user.name === me.value?.name && <span class="tag">{t('users.you')}</span>}
                  </th>
                  <td>
                    {user.totp ? t('users.factorOn') : <span class="soft">{t('users.factorOff')}</span>}
                  </td>
                  <td>{user.last_login_at ? <Ago at={user.last_login_at} /> : '–'}</td>
                  <td class="end">
                    <UserActions user={user} onOpen={setOpen} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      </Panel>
      <Panel title={t('users.logins')} lead={t('users.loginsLead')} flush>
        <Scroll>
          <table class="plain">
            <thead>
              <tr>
                <th scope="col">{t('login.name')}</th>
                <th scope="col">{t('users.from')}</th>
                <th scope="col">{t('sessions.since')}</th>
                <th scope="col">{t('users.lastUsed')}</th>
                <th scope="col">
                  <span class="hidden-text">{t('users.actions')}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {logins.map((login) => (
                <tr key={login.id}>
                  <th scope="row">{login.user}</th>
                  <td>
                    <code>{login.address}</code> {login.current && <span class="tag">{t('users.here')}</span>}
                  </td>
                  <td>
                    <Ago at={login.created_at} />
                  </td>
                  <td>
                    <Ago at={login.last_used_at} />
                  </td>
                  <td class="end">
                    {!login.current && (
                      <button
                        type="button"
                        class="button small"
                        onClick={() => void request.send(() => endLogin(login.id)).then(load)}
                      >
                        {t('users.endLogin')}
                      </button>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      </Panel>
      {open?.kind === 'add' && <AddUser onClose={close} />}
      {open?.kind === 'password' && <ChangePassword user={open.user} onClose={close} />}
      {open?.kind === 'factor' && <SecondFactor user={open.user} onClose={close} />}
      {open?.kind === 'remove' && (
        <Confirm
          title={t('users.remove')}
          yes={t('users.remove')}
          danger
          onYes={() => removeUser(open.user.name)}
          onClose={close}
        >
          <p>{t('users.removeAsk', { name: open.user.name })}</p>
        </Confirm>
      )}
    </Page>
  );
}

function UserActions({ user, onOpen }: { user: User; onOpen: (open: Open) => void }) {
  const isMe = user.name === me.value?.name;
  return (
    <div class="actions close">
      <button type="button" class="button small" onClick={() => onOpen({ kind: 'password', user })}>
        {t('login.password')}
        <span class="hidden-text"> {user.name}</span>
      </button>
      {isMe && (
        <button type="button" class="button small" onClick={() => onOpen({ kind: 'factor', user })}>
          {t('users.factor')}
        </button>
      )}
      {!isMe && (
        <button type="button" class="button small danger" onClick={() => onOpen({ kind: 'remove', user })}>
          {t('users.remove')}
          <span class="hidden-text"> {user.name}</span>
        </button>
      )}
    </div>
  );
}

function AddUser({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('');
  const [password, setPasswordText] = useState('');
  const request = useRequest();
  return (
    <Dialog title={t('users.add')} onClose={onClose}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void request.send(() => addUser({ name, password })).then((isDone) => isDone && onClose());
        }}
      >
        <FailureNotice error={request.error} shown={['name', 'password']} />
        <Field
          label={t('login.name')}
          fault={request.about('name')}
          value={name}
          onValue={setName}
          autocomplete="off"
          autocapitalize="none"
          required
        />
        <Field
          label={t('login.password')}
          type="password"
          fault={request.about('password')}
          value={password}
          onValue={setPasswordText}
          autocomplete="new-password"
          required
        />
        <DialogButtons yes={t('users.add')} isBusy={request.isBusy} onClose={onClose} />
      </form>
    </Dialog>
  );
}

function ChangePassword({ user, onClose }: { user: User; onClose: () => void }) {
  const isMe = user.name === me.value?.name;
  const [current, setCurrent] = useState('');
  const [password, setPasswordText] = useState('');
  const request = useRequest();
  return (
    <Dialog title={t('users.changePassword', { name: user.name })} onClose={onClose}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void request
            .send(() => setPassword(user.name, { password, ...(isMe ? { current } : {}) }))
            .then((isDone) => isDone && onClose());
        }}
      >
        <FailureNotice error={request.error} shown={['current', 'password']} />
        {isMe && (
          <Field
            label={t('users.current')}
            type="password"
            fault={request.about('current')}
            value={current}
            onValue={setCurrent}
            autocomplete="current-password"
            required
          />
        )}
        <Field
          label={t('first.newPassword')}
          type="password"
          hint={t('users.passwordHint')}
          fault={request.about('password')}
          value={password}
          onValue={setPasswordText}
          autocomplete="new-password"
          required
        />
        <DialogButtons yes={t('action.save')} isBusy={request.isBusy} onClose={onClose} />
      </form>
    </Dialog>
  );
}

interface DialogButtonsProps {
  readonly yes: string;
  readonly isBusy: boolean;
  readonly onClose: () => void;
}

function DialogButtons({ yes, isBusy, onClose }: DialogButtonsProps) {
  return (
    <div class="actions">
      <button type="button" class="button" onClick={onClose}>
        {t('action.cancel')}
      </button>
      <button type="submit" class="button primary" disabled={isBusy}>
        {yes}
      </button>
    </div>
  );
}
