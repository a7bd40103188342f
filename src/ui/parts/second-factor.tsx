// The second factor of one's own account: scan, prove it with a code, keep the recovery codes; or turn
// it off, proved by the password.
import { useEffect, useState } from 'preact/hooks';
import { beginTotp, confirmTotp, removeTotp } from '../api/calls.ts';
import type { User } from '../../daemon/api/account.ts';
import { t } from '../text/text.ts';
import { Dialog, DialogForm } from './dialog.tsx';
import { Field } from './field.tsx';
import { useRequest } from './form.ts';
import { Notice } from './notice.tsx';
import type { QrCode } from './qr-code.tsx';
import { saveFile } from './save-file.ts';
import '../styles/second-factor.css';

export function SecondFactor({ user, onClose }: { user: User; onClose: () => void }) {
  return (
    <Dialog title={t('users.factor')} onClose={onClose}>
      {user.totp ? <TurnOff user={user} onClose={onClose} /> : <TurnOn user={user} onClose={onClose} />}
    </Dialog>
  );
}

interface Offer {
  readonly secret: string;
  readonly uri: string;
  readonly Drawn: typeof QrCode;
}

function TurnOn({ user, onClose }: { user: User; onClose: () => void }) {
  const [offer, setOffer] = useState<Offer | null>(null);
  const [code, setCode] = useState('');
  const [recovery, setRecovery] = useState<readonly string[] | null>(null);
  const request = useRequest();
  useEffect(
    () =>
      void request.send(async () => {
        // What draws the code is needed nowhere else, so it comes now.
        const [made, { QrCode: Drawn }] = await Promise.all([beginTotp(user.name), import('./qr-code.tsx')]);
        setOffer({ ...made, Drawn });
      }),
    [],
  );
  if (recovery) return <RecoveryCodes codes={recovery} onClose={onClose} />;
  return (
    <DialogForm
      request={request}
      shown={['code']}
      yes={t('factor.turnOn')}
      isReady={offer !== null}
      onYes={async () => setRecovery((await confirmTotp(user.name, code.trim())).recovery_codes)}
      onClose={onClose}
      onDone={() => undefined}
    >
      <p class="soft">{t('factor.scan')}</p>
      {offer && (
        <div class="scan">
          <offer.Drawn text={offer.uri} label={t('factor.qr')} />
          <div class="stack">
            <p class="small soft">{t('factor.byHand')}</p>
            <code class="secret">{offer.secret.replaceAll(/.{4}(?=.)/g, '$& ')}</code>
          </div>
        </div>
      )}
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
    </DialogForm>
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
    <DialogForm
      request={request}
      shown={['password']}
      yes={t('factor.turnOff')}
      danger
      onYes={() => removeTotp(user.name, password)}
      onClose={onClose}
    >
      <p>{t('factor.offAsk')}</p>
      <Field
        label={t('users.current')}
        type="password"
        fault={request.about('password')}
        value={password}
        onValue={setPassword}
        autocomplete="current-password"
        required
      />
    </DialogForm>
  );
}
