// API tokens for programs: each with its scope, shown once when it is made.
import { useEffect, useState } from 'preact/hooks';
import { addToken, getTokens, removeToken } from '../api/calls.ts';
import type { Token } from '../../daemon/api/account.ts';
import { Ago } from '../parts/ago.tsx';
import { Confirm, Dialog, DialogForm } from '../parts/dialog.tsx';
import { Choice, Field } from '../parts/field.tsx';
import { useRequest } from '../parts/form.ts';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { Page, Panel } from '../parts/page.tsx';
import { Table, type TableColumn } from '../parts/table.tsx';
import { t } from '../text/text.ts';

export function TokensPage() {
  const [tokens, setTokens] = useState<readonly Token[] | null>(null);
  const [isAdding, setAdding] = useState(false);
  const [revokes, setRevokes] = useState<Token | null>(null);
  const request = useRequest();
  const load = (): Promise<unknown> => request.send(async () => setTokens(await getTokens()));
  useEffect(() => void load(), []);
  return (
    <Page
      title={t('nav.tokens')}
      trail={t('nav.administration')}
      lead={t('tokens.lead')}
      actions={
        <button type="button" class="button" onClick={() => setAdding(true)}>
          {t('tokens.add')}
        </button>
      }
    >
      <FailureNotice error={request.error} />
      <Panel title={t('nav.tokens')} flush>
        {tokens?.length === 0 ? (
          <p class="empty">{t('tokens.none')}</p>
        ) : (
          <Table
            label={t('nav.tokens')}
            columns={columns(setRevokes)}
            rows={tokens ?? []}
            keyOf={({ id }) => id}
          />
        )}
      </Panel>
      {isAdding && (
        <AddToken
          onClose={() => {
            setAdding(false);
            void load();
          }}
        />
      )}
      {revokes && (
        <Confirm
          title={t('tokens.revoke')}
          yes={t('tokens.revoke')}
          danger
          onYes={() => removeToken(revokes.id)}
          onClose={() => {
            setRevokes(null);
            void load();
          }}
        >
          <p>{t('tokens.revokeAsk', { name: revokes.name })}</p>
        </Confirm>
      )}
    </Page>
  );
}

function columns(onRevoke: (token: Token) => void): readonly TableColumn<Token>[] {
  return [
    { label: t('devices.name'), cell: ({ name }) => name },
    { label: t('tokens.scope'), cell: ({ scope }) => t(`tokens.${scope}`) },
    { label: t('tokens.made'), cell: ({ created_at }) => <Ago at={created_at} /> },
    {
      label: t('users.lastUsed'),
      cell: ({ last_used_at }) => (last_used_at ? <Ago at={last_used_at} /> : t('tokens.never')),
    },
    {
      label: t('users.actions'),
      isActions: true,
      cell: (token) => (
        <button type="button" class="button small danger" onClick={() => onRevoke(token)}>
          {t('tokens.revoke')}
          <span class="hidden-text"> {token.name}</span>
        </button>
      ),
    },
  ];
}

function AddToken({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('');
  const [scope, setScope] = useState<Token['scope']>('read');
  const [secret, setSecret] = useState<string | null>(null);
  const request = useRequest();
  if (secret !== null) {
    return (
      <Dialog title={t('tokens.isMade')} onClose={onClose}>
        <Notice kind="warn">{t('tokens.once')}</Notice>
        <Field label={t('tokens.token')} value={secret} onValue={() => undefined} readOnly class="mono" />
        <p class="small soft">
          <code>Authorization: Bearer {secret.slice(0, 8)}…</code>
        </p>
        <div class="actions">
          <button type="button" class="button" onClick={() => void navigator.clipboard?.writeText(secret)}>
            {t('tokens.copy')}
          </button>
          <button type="button" class="button primary" onClick={onClose}>
            {t('action.close')}
          </button>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title={t('tokens.add')} onClose={onClose}>
      <DialogForm
        request={request}
        shown={['name']}
        yes={t('tokens.add')}
        onYes={async () => setSecret((await addToken({ name, scope })).token)}
        onClose={onClose}
        onDone={() => undefined}
      >
        <Field
          label={t('devices.name')}
          hint={t('tokens.nameHint')}
          fault={request.about('name')}
          value={name}
          onValue={setName}
          autocomplete="off"
          required
        />
        <Choice
          legend={t('tokens.scope')}
          name="scope"
          value={scope}
          options={[
            { value: 'read', label: t('tokens.read'), hint: t('tokens.readHint') },
            { value: 'full', label: t('tokens.full'), hint: t('tokens.fullHint') },
          ]}
          onValue={setScope}
        />
      </DialogForm>
    </Dialog>
  );
}
