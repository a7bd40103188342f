// One session: everything known of it, the evidence of its pairing, its history, and "End session".
import { useEffect, useState } from 'preact/hooks';
import type { Session, SessionStory } from '../../daemon/api/session.ts';
import { endSession, getSession } from '../api/calls.ts';
import { isRunning, PROTOCOL_NAMES } from '../api/protocols.ts';
import { sessions, useSessions } from '../api/sessions.ts';
import { Ago } from '../parts/ago.tsx';
import { Confirm } from '../parts/dialog.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { now } from '../parts/now.ts';
import { Page, Panel } from '../parts/page.tsx';
import { deviceLabel, serverLabel } from '../parts/session-labels.ts';
import { StateMark } from '../parts/state-mark.tsx';
import { place } from '../router.ts';
import { Scroll } from '../parts/scroll.tsx';
import { counted, formatBytes, formatDateTime, formatNumber, formatSpan, t } from '../text/text.ts';
import '../styles/session.css';

const REFRESH_MS = 5000;

export function SessionPage() {
  useSessions();
  const id = decodeURIComponent(place.value.path.slice('/sessions/'.length));
  const [story, setStory] = useState<SessionStory | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [asks, setAsks] = useState(false);
  const load = (): Promise<void> =>
    getSession(id).then((found) => {
      setStory(found);
      setError(null);
    }, setError);
  const live = sessions.value.byId.get(id);
  useEffect(() => {
    void load();
    const timer = setInterval(() => void load(), REFRESH_MS);
    return () => clearInterval(timer);
  }, [id]);
  useEffect(() => {
    // A change of state is the start of a new line in the history.
    if (story && live && live.state !== story.state) void load();
  }, [live?.state]);
  if (!story) {
    return (
      <Page title={t('session.title')} trail={t('nav.sessions')}>
        {error ? <FailureNotice error={error} /> : <p class="soft">{t('word.loading')}</p>}
        <p>
          <a href="/sessions">{t('session.back')}</a>
        </p>
      </Page>
    );
  }
  const session: Session = live ?? story;
  return (
    <Page
      title={t('session.heading', { device: deviceLabel(session), server: serverLabel(session) })}
      trail={PROTOCOL_NAMES[session.protocol]}
      lead={
        <>
          <StateMark state={session.state} /> · {t('session.since')} <Ago at={session.since} />
        </>
      }
      actions={
        isRunning(session.state) && (
          <button type="button" class="button danger" onClick={() => setAsks(true)}>
            {t('session.end')}
          </button>
        )
      }
    >
      <FailureNotice error={error} />
      {session.trouble && (
        <Notice kind={session.state === 'failing' || session.state === 'blocked' ? 'bad' : 'warn'}>
          <span lang="en">{session.trouble}</span>
        </Notice>
      )}
      <div class="columns">
        <Known session={session} />
        <Carried session={session} />
      </div>
      {story.pairs.length > 0 && <Pairs pairs={story.pairs} />}
      <Panel title={t('session.history')} flush>
        {story.history.length === 0 ? (
          <p class="empty">{t('session.noHistory')}</p>
        ) : (
          <ol class="story" lang="en">
            {story.history.map(({ at, what }, index) => (
              <li key={`${at} ${index}`}>
                <time dateTime={at}>{formatDateTime(at)}</time>
                <span>{what}</span>
              </li>
            ))}
          </ol>
        )}
      </Panel>
      {asks && (
        <Confirm
          title={t('session.end')}
          yes={t('session.end')}
          danger
          onYes={async () => {
            await endSession(id);
            await load();
          }}
          onClose={() => setAsks(false)}
        >
          <p>
            {t('session.endAsk', {
              device: deviceLabel(session),
              server: serverLabel(session),
              protocol: PROTOCOL_NAMES[session.protocol],
            })}
          </p>
          <p class="soft">{t('session.endMore')}</p>
        </Confirm>
      )}
    </Page>
  );
}

function Known({ session }: { session: Session }) {
  const { device, server } = session;
  return (
    <Panel title={t('session.known')}>
      <dl class="facts">
        <dt>{t('sessions.device')}</dt>
        <dd>
          <a href={`/sessions?device=${encodeURIComponent(device.id)}`}>{device.name ?? device.address}</a>{' '}
          {device.name !== null && <code>{device.address}</code>}{' '}
          {device.mac && <code class="faint">{device.mac}</code>}
        </dd>
        <dt>{t('sessions.server')}</dt>
        <dd>
          {server.name} <code>{server.address}</code>{' '}
          {server.port !== null && (
            <span class="soft">
              {t('session.port')} <span class="num">{server.port}</span>
            </span>
          )}
        </dd>
        <dt>{t('sessions.protocol')}</dt>
        <dd>
          {PROTOCOL_NAMES[session.protocol]}
          {session.guessed && <span class="soft"> ({t('sessions.guessed')})</span>}
        </dd>
        {session.details.map(({ name, value }) => (
          <Detail key={name + value} name={name} value={value} />
        ))}
        {session.pairing && (
          <>
            <dt>{t('session.pairing')}</dt>
            <dd>
              {t(`pairing.${session.pairing}`)}{' '}
              <span class="soft small">{t(`pairing.${session.pairing}.means`)}</span>
            </dd>
          </>
        )}
      </dl>
    </Panel>
  );
}

function Detail({ name, value }: { name: string; value: string }) {
  return (
    <>
      <dt lang="en">{name}</dt>
      <dd>
        <code>{value}</code>
      </dd>
    </>
  );
}

function Carried({ session }: { session: Session }) {
  const { traffic, last_packet } = session;
  return (
    <Panel title={t('session.carried')} flush>
      <Scroll>
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">
                <span class="hidden-text">{t('session.direction')}</span>
              </th>
              <th scope="col" class="end">
                {t('session.bytes')}
              </th>
              <th scope="col" class="end">
                {t('session.packets')}
              </th>
              <th scope="col" class="end">
                {t('sessions.lastPacket')}
              </th>
            </tr>
          </thead>
          <tbody>
            {(['out', 'in'] as const).map((way) => (
              <tr key={way}>
                <th scope="row">{t(`session.${way}`)}</th>
                <td class="end num">{formatBytes(traffic[way].bytes)}</td>
                <td class="end num">{formatNumber(traffic[way].packets)}</td>
                <td class="end">{last_packet[way] ? <Ago at={last_packet[way]} /> : '–'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      <p class="under soft small">
        <Lasting session={session} />
      </p>
    </Panel>
  );
}

function Lasting({ session }: { session: Session }) {
  if (session.ended_at) return <>{t('session.ended', { at: formatDateTime(session.ended_at) })}</>;
  const age = formatSpan((now.value - Date.parse(session.since)) / 1000);
  const left = session.expires_in_seconds;
  return (
    <>
      {t('session.age', { age })} {left !== null && t('session.expires', { time: formatSpan(left) })}
    </>
  );
}

function Pairs({ pairs }: { pairs: SessionStory['pairs'] }) {
  return (
    <Panel title={t('session.pairs')} lead={counted('session.pairsLead', pairs.length)} flush>
      <Scroll>
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">SPI</th>
              <th scope="col">{t('session.confidence')}</th>
              <th scope="col">{t('session.evidence')}</th>
              <th scope="col">{t('sessions.since')}</th>
            </tr>
          </thead>
          <tbody>
            {pairs.map((pair) => (
              <tr key={pair.spi + pair.since}>
                <td>
                  <code>{pair.spi}</code>
                </td>
                <td>{t(`pairing.${pair.confidence}`)}</td>
                <td lang="en">{pair.evidence}</td>
                <td>
                  <Ago at={pair.since} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </Panel>
  );
}
