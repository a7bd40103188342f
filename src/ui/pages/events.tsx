// What happened: sessions, switches, drops, the system, log-ins, changes of the configuration. Live,
// filterable, and exported as it is shown.
import { useMemo } from 'preact/hooks';
import type { GatewayEvent } from '../../daemon/api/session.ts';
import { events, eventsError, useEvents } from '../api/events.ts';
import { saveFile } from '../parts/save-file.ts';
import { FailureNotice } from '../parts/notice.tsx';
import { Icon } from '../parts/icon.tsx';
import { Page } from '../parts/page.tsx';
import { VirtualList, type Column } from '../parts/virtual-list.tsx';
import { place, replaceQuery } from '../router.ts';
import { counted, formatDateTime, t } from '../text/text.ts';

const KINDS = ['session', 'switch', 'drop', 'system', 'login', 'config'] as const;
const LEVELS = ['info', 'warn', 'error'] as const;
const MARKS = { info: null, warn: 'warn', error: 'bad' } as const;

function columns(): readonly Column<GatewayEvent>[] {
  return [
    {
      key: 'at',
      label: t('events.at'),
      cell: ({ at }) => <time dateTime={at}>{formatDateTime(at)}</time>,
    },
    { key: 'kind', label: t('events.kind'), cell: ({ kind }) => t(`events.kind.${kind}`) },
    {
      key: 'what',
      label: t('events.what'),
      cell: ({ what, level, session }) => (
        <span class={`mark ${MARKS[level] ?? ''}`}>
          {MARKS[level] && (
            <>
              <Icon name={MARKS[level]} size={14} />
              <span class="hidden-text">{t(`events.level.${level}`)}</span>
            </>
          )}
          {session ? (
            <a href={`/sessions/${encodeURIComponent(session)}`} lang="en" title={what}>
              {what}
            </a>
          ) : (
            <span lang="en" title={what}>
              {what}
            </span>
          )}
        </span>
      ),
    },
  ];
}

export function EventsPage() {
  useEvents();
  const { query } = place.value;
  const kind = query.get('kind') ?? '';
  const level = query.get('level') ?? '';
  const text = query.get('q') ?? '';
  const list = events.value;
  const rows = useMemo(() => {
    const needle = text.toLowerCase();
    const least = LEVELS.findIndex((one) => one === level);
    return (list ?? []).filter(
      (one) =>
        (kind === '' || one.kind === kind) &&
        LEVELS.indexOf(one.level) >= least &&
        (needle === '' || one.what.toLowerCase().includes(needle)),
    );
  }, [list, kind, level, text]);
  const set = (name: string, value: string): void => {
    const next = new URLSearchParams(query);
    if (value === '') next.delete(name);
    else next.set(name, value);
    replaceQuery(next);
  };
  return (
    <Page
      title={t('nav.events')}
      width="wide"
      actions={
        <>
          <button type="button" class="button" disabled={rows.length === 0} onClick={() => exportCsv(rows)}>
            <Icon name="backup" /> CSV
          </button>
          <button type="button" class="button" disabled={rows.length === 0} onClick={() => exportJson(rows)}>
            <Icon name="backup" /> JSON
          </button>
        </>
      }
    >
      <FailureNotice error={eventsError.value} />
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <input
          type="search"
          aria-label={t('events.find')}
          placeholder={t('events.find')}
          value={text}
          onInput={(event) => set('q', event.currentTarget.value)}
        />
        <select
          aria-label={t('events.kind')}
          value={kind}
          onChange={(event) => set('kind', event.currentTarget.value)}
        >
          <option value="">{t('events.allKinds')}</option>
          {KINDS.map((one) => (
            <option key={one} value={one}>
              {t(`events.kind.${one}`)}
            </option>
          ))}
        </select>
        <select
          aria-label={t('events.level')}
          value={level}
          onChange={(event) => set('level', event.currentTarget.value)}
        >
          <option value="">{t('events.allLevels')}</option>
          <option value="warn">{t('events.fromWarn')}</option>
          <option value="error">{t('events.level.error')}</option>
        </select>
        <output class="soft small">{counted('events.count', rows.length)}</output>
      </form>
      <VirtualList
        kind="events"
        label={t('nav.events')}
        columns={columns()}
        rows={rows}
        keyOf={({ id }) => id}
        empty={
          list === null ? t('word.loading') : list.length === 0 ? t('events.none') : t('sessions.noMatch')
        }
      />
    </Page>
  );
}

function exportJson(rows: readonly GatewayEvent[]): void {
  saveFile('throughway-events.json', 'application/json', `${JSON.stringify(rows, null, 2)}\n`);
}

function exportCsv(rows: readonly GatewayEvent[]): void {
  const field = (value: string | number | null): string => {
    const text = String(value ?? '');
    // A spreadsheet would take these for the start of a formula.
    const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return `"${safe.replaceAll('"', '""')}"`;
  };
  const lines = rows.map(({ id, at, kind, level, what, session, device }) =>
    [id, at, kind, level, what, session, device].map(field).join(','),
  );
  saveFile(
    'throughway-events.csv',
    'text/csv',
    `${['id,at,kind,level,what,session,device', ...lines].join('\r\n')}\r\n`,
  );
}
