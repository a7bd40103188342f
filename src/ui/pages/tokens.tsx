// API tokens for programs: each with its scope, shown once when it is made.
import { useEffect, useState } from 'preact/hooks';
import { addToken, getTokens, removeToken } from '../api/calls.ts';
import type { Token } from '../../daemon/api/account.ts';
import { Ago } from '../parts/ago.tsx';
import { Confirm, Dialog } from '../parts/dialog.tsx';
import { Choice, Field } from '../parts/field.tsx';
import { useRequest } from '../parts/form.ts';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { Page, Panel } from '../parts/page.tsx';
import { Scroll } from '../parts/scroll.tsx';
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
          <Scroll>
            <table class="plain">
              <thead>
                <tr>
                  <th scope="col">{t('devices.name')}</th>
                  <th scope="col">{t('tokens.scope')}</th>
                  <th scope="col">{t('tokens.made')}</th>
                  <th scope="col">{t('users.lastUsed')}</th>
                  <th scope="col">
                    <span class="hidden-text">{t('users.actions')}</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {tokens?.map((token) => (
                  <tr key={token.id}>
                    <th scope="row">{token.name}</th>
                    <td>{t(`tokens.${token.scope}`)}</td>
                    <td>
                      <Ago at={token.created_at} />
                    </td>
                    <td>{token.last_used_at ? <Ago at={token.last_used_at} /> : t('tokens.never')}</td>
                    <td class="end">
                      <button type="button" class="button small danger" onClick={() => setRevokes(token)}>
                        {t('tokens.revoke')}
                        <span class="hidden-text"> {token.name}</span>
                      </button>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
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
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void request.send(async () => setSecret((await addToken({ name, scope })).token));
        }}
      >
        <FailureNotice error={request.error} shown={['name']} />
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
        <div class="actions">
          <button type="button" class="button" onClick={onClose}>
            {t('action.cancel')}
          </button>
          <button type="submit" class="button primary" disabled={request.isBusy}>
            {t('tokens.add')}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
