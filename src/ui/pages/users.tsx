// Who may log in: accounts, passwords, the second factor, and where somebody is logged in now.
import { useEffect, useState } from 'preact/hooks';
import { me } from '../api/account.ts';
import { addUser, endLogin, getLogins, getUsers, removeUser, setPassword } from '../api/calls.ts';
import type { Login, User } from '../../daemon/api/account.ts';
import { Ago } from '../parts/ago.tsx';
import { Confirm, Dialog, DialogForm } from '../parts/dialog.tsx';
import { Field } from '../parts/field.tsx';
import { LEAST_PASSWORD, useRequest } from '../parts/form.ts';
import { FailureNotice } from '../parts/notice.tsx';
import { Page, Panel } from '../parts/page.tsx';
import { SecondFactor } from '../parts/second-factor.tsx';
import { Table, type TableColumn } from '../parts/table.tsx';
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
        <Table
          label={t('users.accounts')}
          columns={accountColumns(setOpen)}
          rows={users}
          keyOf={({ name }) => name}
        />
      </Panel>
      <Panel title={t('users.logins')} lead={t('users.loginsLead')} flush>
        <Table
          label={t('users.logins')}
          columns={loginColumns((id) => void request.send(() => endLogin(id)).then(load))}
          rows={logins}
          keyOf={({ id }) => id}
        />
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

function accountColumns(onOpen: (open: Open) => void): readonly TableColumn<User>[] {
  return [
    {
      label: t('login.name'),
      cell: ({ name }) => (
        <>
          {name} {name === me.value?.name && <span class="tag">{t('users.you')}</span>}
        </>
      ),
    },
    {
      label: t('users.factor'),
      cell: ({ totp }) => (totp ? t('users.factorOn') : <span class="soft">{t('users.factorOff')}</span>),
    },
    {
      label: t('users.lastLogin'),
      cell: ({ last_login_at }) => (last_login_at ? <Ago at={last_login_at} /> : '–'),
    },
    {
      label: t('users.actions'),
      isActions: true,
      cell: (user) => <UserActions user={user} onOpen={onOpen} />,
    },
  ];
}

function loginColumns(onEnd: (id: string) => void): readonly TableColumn<Login>[] {
  return [
    { label: t('login.name'), cell: ({ user }) => user },
    {
      label: t('users.from'),
      cell: ({ address, current }) => (
        <>
          <code>{address}</code> {current && <span class="tag">{t('users.here')}</span>}
        </>
      ),
    },
    { label: t('sessions.since'), cell: ({ created_at }) => <Ago at={created_at} /> },
    { label: t('users.lastUsed'), cell: ({ last_used_at }) => <Ago at={last_used_at} /> },
    {
      label: t('users.actions'),
      isActions: true,
      cell: ({ id, user, address, current }) =>
        current ? null : (
          <button type="button" class="button small" onClick={() => onEnd(id)}>
            {t('users.endLogin')}
            <span class="hidden-text">
              {' '}
              {user} {address}
            </span>
          </button>
        ),
    },
  ];
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
      <DialogForm
        request={request}
        shown={['name', 'password']}
        yes={t('users.add')}
        onYes={() => addUser({ name, password })}
        onClose={onClose}
      >
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
          hint={t('first.passwordHint', { least: LEAST_PASSWORD })}
          fault={request.about('password')}
          value={password}
          onValue={setPasswordText}
          autocomplete="new-password"
          required
        />
      </DialogForm>
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
      <DialogForm
        request={request}
        shown={['current', 'password']}
        yes={t('action.save')}
        onYes={() => setPassword(user.name, { password, ...(isMe ? { current } : {}) })}
        onClose={onClose}
      >
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
          hint={`${t('first.passwordHint', { least: LEAST_PASSWORD })} ${t('users.passwordHint')}`}
          fault={request.about('password')}
          value={password}
          onValue={setPasswordText}
          autocomplete="new-password"
          required
        />
      </DialogForm>
    </Dialog>
  );
}
