// What the gateway does right now: health in one line, what needs attention, what passes by protocol and
// by device, and how much passed in the last hour or day.
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Session, SessionProtocol } from '../../daemon/api/session.ts';
import type { Status } from '../../daemon/api/types.ts';
import { isRunning, PROTOCOL_LIST, PROTOCOL_NAMES, SWITCH_NAMES, SWITCHES } from '../api/protocols.ts';
import { sessions, useSessions } from '../api/sessions.ts';
import { refreshStatus, status } from '../api/status.ts';
import { Ago } from '../parts/ago.tsx';
import { Icon } from '../parts/icon.tsx';
import { Notice } from '../parts/notice.tsx';
import { Page, Panel } from '../parts/page.tsx';
import { deviceLabel, serverLabel } from '../parts/session-labels.ts';
import { StateMark } from '../parts/state-mark.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { counted, formatBytes, formatNumber, t } from '../text/text.ts';
import '../styles/overview.css';

const MOST_DEVICES = 8;
const MOST_TROUBLED = 6;

export function OverviewPage() {
  useSessions();
  useEffect(() => void refreshStatus(), []);
  const now = status.value;
  const { list, isKnown } = sessions.value;
  const running = list.filter(({ state }) => isRunning(state));
  const troubled = list.filter((one) => one.trouble !== null && one.state !== 'ended');
  return (
    <Page title={t('nav.overview')} lead={now && <Health status={now} running={running.length} />}>
      {now && (now.problems.length > 0 || troubled.length > 0) && (
        <Attention problems={now.problems} troubled={troubled} />
      )}
      <div class="columns">
        <Panel title={t('overview.byProtocol')} flush>
          <ByProtocol running={running} status={now} />
        </Panel>
        <Panel
          title={t('overview.byDevice')}
          flush
          actions={<a href="/devices">{t('overview.allDevices')}</a>}
        >
          <ByDevice running={running} isKnown={isKnown} />
        </Panel>
      </div>
      <TrafficPanel />
      {now && <Drops status={now} />}
    </Page>
  );
}

function Health({ status, running }: { status: Status; running: number }) {
  const isWell = status.state === 'ok';
  const address = status.wan.addresses[0]?.replace(/\/\d+$/, '');
  return (
    <span class="health">
      <span class={`mark ${isWell ? 'good' : 'warn'}`}>
        <Icon name={isWell ? 'good' : 'warn'} />
        {isWell ? t('health.ok') : t('health.attention')}
      </span>
      <span>
        {t('overview.wan', { name: status.wan.name })}{' '}
        {status.wan.state === 'up' ? (address ?? t('overview.noAddress')) : t(`link.${status.wan.state}`)}
      </span>
      <span>{counted('sessions.count', running)}</span>
      <span>
        {t('overview.since')} <Ago at={status.started_at} />
      </span>
    </span>
  );
}

function Attention({ problems, troubled }: { problems: readonly string[]; troubled: readonly Session[] }) {
  return (
    <section aria-label={t('overview.attention')} class="stack">
      {problems.map((problem) => (
        <Notice key={problem} kind="warn">
          <span lang="en">{problem}</span>
        </Notice>
      ))}
      {troubled.length > 0 && (
        <Panel title={t('overview.troubled')} flush>
          <ul class="troubled">
            {troubled.slice(0, MOST_TROUBLED).map((one) => (
              <li key={one.id}>
                <StateMark state={one.state} />
                <div>
                  <a href={`/sessions/${encodeURIComponent(one.id)}`}>
                    {t('session.heading', { device: deviceLabel(one), server: serverLabel(one) })}
                  </a>{' '}
                  <span class="soft small">{PROTOCOL_NAMES[one.protocol]}</span>
                  <p class="small" lang="en">
                    {one.trouble}
                  </p>
                </div>
              </li>
            ))}
            {troubled.length > MOST_TROUBLED && (
              <li>
                <a href="/sessions?order=state">
                  {counted('passthrough.more', troubled.length - MOST_TROUBLED)}
                </a>
              </li>
            )}
          </ul>
        </Panel>
      )}
    </section>
  );
}

function ByProtocol({ running, status }: { running: readonly Session[]; status: Status | null }) {
  const of = Map.groupBy(running, ({ protocol }) => protocol);
  const shown = PROTOCOL_LIST.filter((one) => of.has(one));
  return (
    <Scroll>
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">{t('sessions.protocol')}</th>
            <th scope="col" class="end">
              {t('nav.sessions')}
            </th>
            <th scope="col" class="end">
              {t('sessions.out')}
            </th>
            <th scope="col" class="end">
              {t('sessions.in')}
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((one) => (
            <ProtocolRow key={one} protocol={one} running={of.get(one) ?? []} />
          ))}
          {status &&
            SWITCHES.filter((one) => status.passthrough[one] === 'disabled').map((one) => (
              <tr key={`off-${one}`}>
                <th scope="row">
                  <a href="/security/vpn-passthrough">{SWITCH_NAMES[one]}</a>
                </th>
                <td colSpan={3} class="end soft">
                  {t('word.disabled')}
                </td>
              </tr>
            ))}
          {shown.length === 0 && (
            <tr>
              <td colSpan={4} class="soft">
                {t('sessions.none')}
              </td>
            </tr>
          )}
        </tbody>
      </table>
    </Scroll>
  );
}

function ProtocolRow({ protocol, running }: { protocol: SessionProtocol; running: readonly Session[] }) {
  return (
    <tr>
      <th scope="row">
        <a href={`/sessions?state=running&protocol=${protocol}`}>{PROTOCOL_NAMES[protocol]}</a>
      </th>
      <td class="end num">{formatNumber(running.length)}</td>
      <td class="end num">{formatBytes(sum(running, 'out'))}</td>
      <td class="end num">{formatBytes(sum(running, 'in'))}</td>
    </tr>
  );
}

function sum(list: readonly Session[], way: 'out' | 'in'): number {
  return list.reduce((total, { traffic }) => total + traffic[way].bytes, 0);
}

function ByDevice({ running, isKnown }: { running: readonly Session[]; isKnown: boolean }) {
  if (running.length === 0) return <p class="empty">{isKnown ? t('sessions.none') : t('word.loading')}</p>;
  const rows = [...Map.groupBy(running, ({ device }) => device.id).values()]
    .map((list) => ({ list, bytes: sum(list, 'out') + sum(list, 'in') }))
    .toSorted((a, b) => b.bytes - a.bytes);
  const most = Math.max(1, rows[0]?.bytes ?? 1);
  return (
    <Scroll>
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">{t('sessions.device')}</th>
            <th scope="col">{t('sessions.protocol')}</th>
            <th scope="col" class="end">
              {t('overview.carried')}
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, MOST_DEVICES).map(({ list, bytes }) => (
            <tr key={list[0]!.device.id}>
              <th scope="row">
                <a href={`/sessions?device=${encodeURIComponent(list[0]!.device.id)}`}>
                  {deviceLabel(list[0]!)}
                </a>
              </th>
              <td class="soft small">
                {[...new Set(list.map(({ protocol }) => PROTOCOL_NAMES[protocol]))].join(', ')}
              </td>
              <td class="end num">
                {formatBytes(bytes)}
                <meter class="share" min={0} max={most} value={bytes} aria-hidden="true" />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

/** Its library is as large as the rest of the page, so it comes when the page already stands. */
function TrafficPanel() {
  const [Chart, setChart] = useState<ComponentType | null>(null);
  useEffect(() => {
    import('../parts/traffic-chart.tsx').then(
      (loaded) => setChart(() => loaded.TrafficChart),
      () => undefined,
    );
  }, []);
  return (
    <Panel title={t('overview.traffic')}>
      <div class="chart-room">{Chart && <Chart />}</div>
    </Panel>
  );
}

function Drops({ status }: { status: Status }) {
  const drops = status.drops.filter(({ packets }) => packets > 0);
  if (drops.length === 0) return null;
  return (
    <Panel title={t('overview.drops')} lead={t('overview.dropsLead')} flush>
      <Scroll>
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">{t('overview.reason')}</th>
              <th scope="col" class="end">
                {t('session.packets')}
              </th>
            </tr>
          </thead>
          <tbody>
            {drops.map(({ name, sentence, packets }) => (
              <tr key={name}>
                <td lang="en">{sentence}</td>
                <td class="end num">{formatNumber(packets)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </Panel>
  );
}
