// The second factor of one's own account: scan, prove it with a code, keep the recovery codes; or turn
// it off, proved by the password.
import { useEffect, useState } from 'preact/hooks';
import { beginTotp, confirmTotp, removeTotp } from '../api/calls.ts';
import type { User } from '../../daemon/api/account.ts';
import { t } from '../text/text.ts';
import { Dialog } from './dialog.tsx';
import { Field } from './field.tsx';
import { useRequest } from './form.ts';
import { FailureNotice, Notice } from './notice.tsx';
import { QrCode } from './qr-code.tsx';
import { saveFile } from './save-file.ts';
import '../styles/second-factor.css';

export function SecondFactor({ user, onClose }: { user: User; onClose: () => void }) {
  return (
    <Dialog title={t('users.factor')} onClose={onClose}>
      {user.totp ? <TurnOff user={user} onClose={onClose} /> : <TurnOn user={user} onClose={onClose} />}
    </Dialog>
  );
}

function TurnOn({ user, onClose }: { user: User; onClose: () => void }) {
  const [offer, setOffer] = useState<{ secret: string; uri: string } | null>(null);
  const [code, setCode] = useState('');
  const [recovery, setRecovery] = useState<readonly string[] | null>(null);
  const request = useRequest();
  useEffect(() => void request.send(async () => setOffer(await beginTotp(user.name))), []);
  if (recovery) return <RecoveryCodes codes={recovery} onClose={onClose} />;
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void request.send(async () =>
          setRecovery((await confirmTotp(user.name, code.trim())).recovery_codes),
        );
      }}
    >
      <p class="soft">{t('factor.scan')}</p>
      {offer && (
        <div class="scan">
          <QrCode text={offer.uri} label={t('factor.qr')} />
          <div class="stack">
            <p class="small soft">{t('factor.byHand')}</p>
            <code class="secret">{offer.secret.replaceAll(/.{4}(?=.)/g, '$& ')}</code>
          </div>
        </div>
      )}
      <FailureNotice error={request.error} shown={['code']} />
      <Field
        label={t('factor.code')}
        fault={request.about('code')}
        value={code}
        onValue={setCode}
        class="short"
        inputMode="numeric"
        autocomplete="one-time-code"
        required
      />
      <div class="actions">
        <button type="button" class="button" onClick={onClose}>
          {t('action.cancel')}
        </button>
        <button type="submit" class="button primary" disabled={request.isBusy || !offer}>
          {t('factor.turnOn')}
        </button>
      </div>
    </form>
  );
}

function RecoveryCodes({ codes, onClose }: { codes: readonly string[]; onClose: () => void }) {
  return (
    <div class="stack">
      <Notice kind="good" live>
        {t('factor.isOn')}
      </Notice>
      <p>{t('factor.keep')}</p>
      <ul class="codes">
        {codes.map((one) => (
          <li key={one}>
            <code>{one}</code>
          </li>
        ))}
      </ul>
      <div class="actions">
        <button
          type="button"
          class="button"
          onClick={() => saveFile('throughway-recovery-codes.txt', 'text/plain', `${codes.join('\n')}\n`)}
        >
          {t('factor.saveCodes')}
        </button>
        <button type="button" class="button primary" onClick={onClose}>
          {t('action.close')}
        </button>
      </div>
    </div>
  );
}

function TurnOff({ user, onClose }: { user: User; onClose: () => void }) {
  const [password, setPassword] = useState('');
  const request = useRequest();
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void request.send(() => removeTotp(user.name, password)).then((isDone) => isDone && onClose());
      }}
    >
      <p>{t('factor.offAsk')}</p>
      <FailureNotice error={request.error} shown={['password']} />
      <Field
        label={t('users.current')}
        type="password"
        fault={request.about('password')}
        value={password}
        onValue={setPassword}
        autocomplete="current-password"
        required
      />
      <div class="actions">
        <button type="button" class="button" onClick={onClose}>
          {t('action.cancel')}
        </button>
        <button type="submit" class="button danger" disabled={request.isBusy}>
          {t('factor.turnOff')}
        </button>
      </div>
    </form>
  );
}
