// The door: name and password, then the code of an authenticator where the account has one. A lock-out
// says how long it lasts.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { hasEnded, logIn } from '../api/account.ts';
import { ApiError } from '../api/client.ts';
import { Field } from '../parts/field.tsx';
import { useRequest } from '../parts/form.ts';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { now } from '../parts/now.ts';
import { Page } from '../parts/page.tsx';
import { formatSpan, t } from '../text/text.ts';
import '../styles/door.css';

export function LogInPage() {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const [needsCode, setNeedsCode] = useState(false);
  const [lockedUntil, setLockedUntil] = useState(0);
  const form = useRef<HTMLFormElement>(null);
  const request = useRequest();
  useEffect(() => form.current?.querySelector('input')?.focus(), [needsCode]);
  const lockedSeconds = Math.max(0, Math.ceil((lockedUntil - now.value) / 1000));
  const send = async (): Promise<void> => {
    await request.send(async () => {
      try {
        await logIn({ name, password, ...(needsCode ? { code } : {}) });
      } catch (error) {
        if (error instanceof ApiError && error.code === 'totp-required') {
          setNeedsCode(true);
          return;
        }
        if (error instanceof ApiError && error.retryAfterSeconds !== null)
          setLockedUntil(Date.now() + error.retryAfterSeconds * 1000);
        throw error;
      }
    });
  };
  const startOver = (): void => {
    setNeedsCode(false);
    setPassword('');
    setCode('');
    request.clear();
  };
  return (
    <Door title={t('login.title')}>
      <form
        ref={form}
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        {hasEnded.value && !request.error && <Notice kind="info">{t('login.ended')}</Notice>}
        {lockedSeconds === 0 && <FailureNotice error={request.error} shown={['code']} />}
        {lockedSeconds > 0 && (
          <Notice kind="bad" live>
            <p>{t('login.locked')}</p>
            <p class="num" aria-live="off">
              {t('login.lockedFor', { time: formatSpan(lockedSeconds) })}
            </p>
          </Notice>
        )}
        {needsCode ? (
          <Field
            label={t('login.code')}
            hint={t('login.codeHint')}
            fault={request.about('code')}
            value={code}
            onValue={setCode}
            inputMode="text"
            autocomplete="one-time-code"
            required
          />
        ) : (
          <>
            <Field
              label={t('login.name')}
              value={name}
              onValue={setName}
              autocomplete="username"
              autocapitalize="none"
              spellcheck={false}
              required
            />
            <Field
              label={t('login.password')}
              type="password"
              value={password}
              onValue={setPassword}
              autocomplete="current-password"
              required
            />
          </>
        )}
        <div class="actions">
          <button type="submit" class="button primary" disabled={request.isBusy || lockedSeconds > 0}>
            {t('login.enter')}
          </button>
          {needsCode && (
            <button type="button" class="button" onClick={startOver}>
              {t('login.other')}
            </button>
          )}
        </div>
      </form>
    </Door>
  );
}

/** What is around a page before anybody is logged in. */
export function Door({
  title,
  children,
  wide,
}: {
  title: string;
  children: ComponentChildren;
  wide?: boolean;
}) {
  return (
    <main class={`door ${wide ? 'wide' : ''}`}>
      <p class="brand">
        <img src="/icon.svg" alt="" />
        Throughway
      </p>
      <div class="panel">
        <Page title={title}>{children}</Page>
      </div>
    </main>
  );
}
