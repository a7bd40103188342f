// The first run: the one-time code that the daemon printed proves that whoever is here has the machine;
// then a password, then the two sides of the gateway as they were detected.
import { useEffect, useState } from 'preact/hooks';
import { createFirstUser, finishFirstRun, getDetected } from '../api/calls.ts';
import type { Detected } from '../../daemon/api/config.ts';
import { Field } from '../parts/field.tsx';
import { LEAST_PASSWORD, useRequest } from '../parts/form.ts';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { t } from '../text/text.ts';
import { whoAmI } from '../api/account.ts';
import { Door } from './log-in.tsx';

const STEPS = ['password', 'interfaces', 'done'] as const;
type Step = (typeof STEPS)[number];

export function FirstRunPage() {
  const [step, setStep] = useState<Step>('password');
  return (
    <Door title={t(`first.${step}`)} wide>
      <ol class="steps" aria-label={t('first.steps')}>
        {STEPS.map((one) => (
          <li key={one} aria-current={one === step ? 'step' : undefined}>
            {t(`first.step.${one}`)}
          </li>
        ))}
      </ol>
      {step === 'password' && <PasswordStep onDone={() => setStep('interfaces')} />}
      {step === 'interfaces' && <InterfacesStep onDone={() => setStep('done')} />}
      {step === 'done' && (
        <div class="stack">
          <p>{t('first.doneText')}</p>
          <p class="soft">{t('first.doneMore')}</p>
          <button type="button" class="button primary" onClick={() => void whoAmI()}>
            {t('first.open')}
          </button>
        </div>
      )}
    </Door>
  );
}

function PasswordStep({ onDone }: { onDone: () => void }) {
  const [code, setCode] = useState('');
  const [name, setName] = useState('admin');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const [fault, setFault] = useState<'short' | 'differs' | null>(null);
  const request = useRequest();
  const send = async (): Promise<void> => {
    const found = password.length < LEAST_PASSWORD ? 'short' : password === again ? null : 'differs';
    setFault(found);
    if (found) return;
    if (await request.send(() => createFirstUser({ code: code.trim(), name, password }))) onDone();
  };
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <p class="soft">{t('first.welcome')}</p>
      <FailureNotice error={request.error} shown={['code', 'name', 'password']} />
      <Field
        label={t('first.code')}
        hint={t('first.codeHint')}
        fault={request.about('code')}
        value={code}
        onValue={setCode}
        autocomplete="off"
        spellcheck={false}
        autocapitalize="none"
        required
      />
      <Field
        label={t('login.name')}
        fault={request.about('name')}
        value={name}
        onValue={setName}
        autocomplete="username"
        autocapitalize="none"
        required
      />
      <Field
        label={t('first.newPassword')}
        type="password"
        hint={t('first.passwordHint', { least: LEAST_PASSWORD })}
        fault={fault === 'short' ? t('first.short', { least: LEAST_PASSWORD }) : request.about('password')}
        value={password}
        onValue={setPassword}
        autocomplete="new-password"
        required
      />
      <Field
        label={t('first.again')}
        type="password"
        fault={fault === 'differs' ? t('first.differs') : undefined}
        value={again}
        onValue={setAgain}
        autocomplete="new-password"
        required
      />
      <button type="submit" class="button primary" disabled={request.isBusy}>
        {t('first.next')}
      </button>
    </form>
  );
}

function InterfacesStep({ onDone }: { onDone: () => void }) {
  const [found, setFound] = useState<readonly Detected[] | null>(null);
  const [wan, setWan] = useState('');
  const [lan, setLan] = useState<readonly string[]>([]);
  const request = useRequest();
  useEffect(() => {
    void request.send(async () => {
      const list = await getDetected();
      setFound(list);
      setWan(list.find(({ suggestion }) => suggestion === 'wan')?.name ?? '');
      setLan(list.filter(({ suggestion }) => suggestion === 'lan').map(({ name }) => name));
    });
  }, []);
  const isComplete = wan !== '' && lan.length > 0 && !lan.includes(wan);
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void request
          .send(() => finishFirstRun({ wan, lan }))
          .then((isDone) => {
            if (isDone) onDone();
          });
      }}
    >
      <p class="soft">{t('first.interfacesText')}</p>
      <FailureNotice error={request.error} />
      <InterfaceTable found={found ?? []} wan={wan} lan={lan} onWan={setWan} onLan={setLan} />
      {wan !== '' && lan.includes(wan) && (
        <Notice kind="warn">{t('network.bothSides', { name: wan })}</Notice>
      )}
      <button type="submit" class="button primary" disabled={request.isBusy || !isComplete}>
        {t('first.next')}
      </button>
    </form>
  );
}

interface InterfaceTableProps {
  readonly found: readonly Detected[];
  readonly wan: string;
  readonly lan: readonly string[];
  readonly onWan: (name: string) => void;
  readonly onLan: (names: readonly string[]) => void;
}

function InterfaceTable({ found, wan, lan, onWan, onLan }: InterfaceTableProps) {
  return (
    <Scroll>
      <table class="plain ports">
        <thead>
          <tr>
            <th scope="col">{t('network.interface')}</th>
            <th scope="col">WAN</th>
            <th scope="col">LAN</th>
          </tr>
        </thead>
        <tbody>
          {found.map(({ name, state, addresses }) => (
            <tr key={name}>
              <th scope="row">
                <code>{name}</code>{' '}
                <span class="small soft">
                  {t(`link.${state}`)} {addresses.join(', ')}
                </span>
              </th>
              <td>
                <input
                  type="radio"
                  name="wan"
                  aria-label={t('network.isWan', { name })}
                  checked={wan === name}
                  onChange={() => onWan(name)}
                />
              </td>
              <td>
                <input
                  type="checkbox"
                  aria-label={t('network.isLan', { name })}
                  checked={lan.includes(name)}
                  onChange={() =>
                    onLan(lan.includes(name) ? lan.filter((one) => one !== name) : [...lan, name])
                  }
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
