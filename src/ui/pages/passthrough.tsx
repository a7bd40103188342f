// Security > VPN Passthrough: the three switches as every router has them, and what a router does not
// say: what each protocol is, what would end, and what the saved setting did to running sessions.
import { useEffect, useState } from 'preact/hooks';
import type { Passthrough, Protocol } from '../../core/config/schema.ts';
import type { Session, SessionProtocol } from '../../daemon/api/session.ts';
import type { PassthroughChange } from '../../daemon/api/types.ts';
import { getPassthrough, putPassthrough } from '../api/calls.ts';
import { isRunning, PROTOCOL_NAMES, SWITCH_NAMES, SWITCHES, switchOf } from '../api/protocols.ts';
import { sessions, useSessions } from '../api/sessions.ts';
import { status } from '../api/status.ts';
import { Choice } from '../parts/field.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { Page, Panel } from '../parts/page.tsx';
import { deviceLabel, serverLabel } from '../parts/session-labels.ts';
import { askBeforeLeaving } from '../router.ts';
import { counted, t, type TextKey } from '../text/text.ts';
import '../styles/passthrough.css';

/** Named one by one up to here; the rest is counted. */
const MOST_NAMED = 6;

const WIRE: Readonly<Record<Protocol, string>> = {
  ipsec: 'UDP 500 · UDP 4500 · ESP · AH',
  pptp: 'TCP 1723 · GRE',
  l2tp: 'UDP 1701 · IP 115',
};

const FREE = [
  ['OpenVPN', 'UDP/TCP 1194', 'free.openvpn'],
  ['SoftEther', 'TCP 443, 992, 5555', 'free.softether'],
  ['SSTP', 'TCP 443', 'free.sstp'],
  ['WireGuard', 'UDP 51820', 'free.wireguard'],
  ['AnyConnect', 'TCP/UDP 443', 'free.anyconnect'],
] as const satisfies readonly (readonly [string, string, TextKey])[];

export function PassthroughPage() {
  useSessions();
  const [saved, setSaved] = useState<Passthrough | null>(null);
  const [wanted, setWanted] = useState<Passthrough | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [done, setDone] = useState<readonly string[]>([]);
  const [ended, setEnded] = useState<PassthroughChange['ended_sessions']>([]);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    getPassthrough().then((now) => {
      setSaved(now);
      setWanted(now);
    }, setError);
  }, []);
  const changed = saved && wanted ? SWITCHES.filter((one) => saved[one] !== wanted[one]) : [];
  const isDirty = changed.length > 0;
  // Somebody at the command line, or at another page, may switch too.
  const inForce = status.value?.passthrough;
  const inForceText = JSON.stringify(inForce);
  useEffect(() => {
    if (!inForce || isDirty || busy) return;
    setError(null);
    setSaved(inForce);
    setWanted(inForce);
  }, [inForceText]);
  useEffect(() => {
    askBeforeLeaving(isDirty ? t('passthrough.leave') : null);
    return () => askBeforeLeaving(null);
  }, [isDirty]);

  const save = async (): Promise<void> => {
    if (!wanted || !isDirty) return;
    setBusy(true);
    setError(null);
    setDone([]);
    try {
      const {
        ended,
        ended_sessions: sessions,
        ...inForce
      } = await putPassthrough(Object.fromEntries(changed.map((one) => [one, wanted[one]])));
      setEnded(sessions);
      setSaved(inForce);
      setWanted(inForce);
      setDone(changed.map((one) => outcome(one, inForce[one], ended[one] ?? 0)));
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  };
  const cancel = (): void => {
    setWanted(saved);
    setError(null);
    setDone([]);
  };

  return (
    <Page title={t('nav.passthrough')} trail={t('nav.security')} lead={t('passthrough.lead')}>
      <FailureNotice error={error} />
      <form
        class="panel switches"
        aria-label={t('nav.passthrough')}
        aria-busy={wanted === null}
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        {SWITCHES.map((one) => (
          <SwitchRow
            key={one}
            protocol={one}
            saved={saved?.[one] ?? null}
            wanted={wanted?.[one] ?? null}
            onWanted={(value) => {
              setDone([]);
              setWanted(wanted && { ...wanted, [one]: value });
            }}
          />
        ))}
        <footer>
          <div class="actions">
            <button type="submit" class="button primary" disabled={busy || !isDirty}>
              {t('passthrough.save')}
            </button>
            <button type="button" class="button" disabled={busy || !isDirty} onClick={cancel}>
              {t('passthrough.cancel')}
            </button>
          </div>
          <div class="outcome" role="status">
            {done.length > 0 && (
              <Notice kind="good">
                {done.map((line) => (
                  <p key={line}>{line}</p>
                ))}
                <Ended sessions={ended} />
              </Notice>
            )}
            {isDirty && <span class="soft small">{t('passthrough.unsaved')}</span>}
          </div>
        </footer>
      </form>
      <Panel title={t('free.title')} lead={t('free.lead')} flush>
        <ul class="free">
          {FREE.map(([name, wire, what]) => (
            <li key={name}>
              <strong>{name}</strong>
              <span class="soft">{t(what)}</span>
              <span class="wire">{wire}</span>
              <span class="needs">{t('free.none')}</span>
            </li>
          ))}
        </ul>
      </Panel>
    </Page>
  );
}

/** Which they were, so that nobody has to wonder whose connection is gone. */
function Ended({ sessions }: { sessions: PassthroughChange['ended_sessions'] }) {
  if (sessions.length === 0) return null;
  return (
    <ul>
      {sessions.slice(0, MOST_NAMED).map(({ id, device, server, protocol }) => (
        <li key={id}>
          <a href={`/sessions/${encodeURIComponent(id)}`}>
            {t('passthrough.ending', {
              device,
              server,
              protocol: PROTOCOL_NAMES[protocol as SessionProtocol] ?? protocol,
            })}
          </a>
        </li>
      ))}
      {sessions.length > MOST_NAMED && <li>{counted('passthrough.more', sessions.length - MOST_NAMED)}</li>}
    </ul>
  );
}

interface SwitchRowProps {
  readonly protocol: Protocol;
  readonly saved: 'enabled' | 'disabled' | null;
  readonly wanted: 'enabled' | 'disabled' | null;
  readonly onWanted: (value: 'enabled' | 'disabled') => void;
}

function SwitchRow({ protocol, saved, wanted, onWanted }: SwitchRowProps) {
  const running = sessions.value.list.filter(
    (one) => switchOf(one.protocol) === protocol && isRunning(one.state),
  );
  const willEnd = saved === 'enabled' && wanted === 'disabled' ? running : [];
  return (
    <div class="switch">
      <div class="about">
        <h2>{SWITCH_NAMES[protocol]}</h2>
        <p class="soft">{t(`passthrough.${protocol}`)}</p>
        <p class="small faint">
          <span class="wire">{WIRE[protocol]}</span>
          {running.length > 0 && (
            <a href={`/sessions?switch=${protocol}`}>{counted('passthrough.running', running.length)}</a>
          )}
        </p>
      </div>
      {wanted !== null && (
        <Choice
          legend={SWITCH_NAMES[protocol]}
          hidesLegend
          name={protocol}
          value={wanted}
          options={[
            { value: 'enabled', label: t('word.enabled') },
            { value: 'disabled', label: t('word.disabled') },
          ]}
          onValue={onWanted}
        />
      )}
      {protocol === 'pptp' && (
        <Notice kind={wanted === 'disabled' ? 'info' : 'warn'}>
          <strong>{t('passthrough.pptp.title')}</strong> {t('passthrough.pptp.warning')}{' '}
          <a href="/devices?used=pptp">{t('passthrough.pptp.who')}</a>
        </Notice>
      )}
      <div role="status" class="ending">
        {willEnd.length > 0 && (
          <Notice kind="warn">
            <p>{counted('passthrough.ends', willEnd.length)}</p>
            <ul>
              {willEnd.slice(0, MOST_NAMED).map((one) => (
                <li key={one.id}>{ending(one)}</li>
              ))}
              {willEnd.length > MOST_NAMED && (
                <li>{counted('passthrough.more', willEnd.length - MOST_NAMED)}</li>
              )}
            </ul>
          </Notice>
        )}
      </div>
    </div>
  );
}

function ending(session: Session): string {
  return t('passthrough.ending', {
    device: deviceLabel(session),
    server: serverLabel(session),
    protocol: PROTOCOL_NAMES[session.protocol],
  });
}

function outcome(protocol: Protocol, now: 'enabled' | 'disabled', ended: number): string {
  const name = SWITCH_NAMES[protocol];
  if (now === 'enabled') return t('passthrough.nowEnabled', { name });
  return ended === 0
    ? t('passthrough.nowDisabledQuiet', { name })
    : counted('passthrough.nowDisabled', ended, { name });
}
