// Every VPN connection through the gateway, live. Filters stand in the address, so that a view can be
// kept as a bookmark; the order does too.
import { useMemo } from 'preact/hooks';
import type { Session } from '../../daemon/api/session.ts';
import {
  isRunning,
  PROTOCOL_LIST,
  PROTOCOL_NAMES,
  STATES,
  SWITCH_NAMES,
  switchOf,
} from '../api/protocols.ts';
import { isLive, sessions, useSessions } from '../api/sessions.ts';
import { Ago } from '../parts/ago.tsx';
import { Page } from '../parts/page.tsx';
import { deviceLabel, serverLabel } from '../parts/session-labels.ts';
import { StateMark } from '../parts/state-mark.tsx';
import { VirtualList, type Column, type Order } from '../parts/virtual-list.tsx';
import { place, replaceQuery } from '../router.ts';
import { counted, formatBytes, t } from '../text/text.ts';

const byText = (of: (one: Session) => string) => (a: Session, b: Session) => {
  const [left, right] = [of(a), of(b)];
  return left < right ? -1 : left > right ? 1 : 0;
};
const byNumber = (of: (one: Session) => number) => (a: Session, b: Session) => of(a) - of(b);
const lastPacket = ({ last_packet: { out, in: back } }: Session): string =>
  (out ?? '') > (back ?? '') ? out! : (back ?? '');

const addressKeys = new Map<string, string>();

/** Orders addresses as numbers. Kept, since ordering ten thousand rows asks a quarter of a million times. */
function addressKey(address: string): string {
  let key = addressKeys.get(address);
  if (key === undefined) {
    key = address.replaceAll(/\d+/g, (part) => part.padStart(3, '0'));
    if (addressKeys.size > 50_000) addressKeys.clear();
    addressKeys.set(address, key);
  }
  return key;
}

function columns(): readonly Column<Session>[] {
  return [
    {
      key: 'state',
      label: t('sessions.state'),
      compare: byNumber(({ state }) => STATES.indexOf(state)),
      cell: ({ state }) => <StateMark state={state} />,
    },
    {
      key: 'device',
      label: t('sessions.device'),
      compare: byText((one) => one.device.name?.toLowerCase() ?? addressKey(one.device.address)),
      cell: (one) => (
        <a href={`/sessions/${encodeURIComponent(one.id)}`} title={one.device.address}>
          {deviceLabel(one)}
        </a>
      ),
    },
    {
      key: 'protocol',
      label: t('sessions.protocol'),
      compare: byText(({ protocol }) => PROTOCOL_NAMES[protocol]),
      cell: (one) => (
        <>
          {PROTOCOL_NAMES[one.protocol]}
          {one.guessed && (
            <abbr class="guess" title={t('sessions.guessed')}>
              ?
            </abbr>
          )}
        </>
      ),
    },
    {
      key: 'server',
      label: t('sessions.server'),
      compare: byText((one) => one.server.name?.toLowerCase() ?? addressKey(one.server.address)),
      cell: (one) => <span title={one.server.address}>{serverLabel(one)}</span>,
    },
    {
      key: 'since',
      label: t('sessions.since'),
      compare: byText(({ since }) => since),
      cell: ({ since }) => <Ago at={since} />,
    },
    {
      key: 'last',
      label: t('sessions.lastPacket'),
      compare: byText(lastPacket),
      cell: (one) => (lastPacket(one) === '' ? '–' : <Ago at={lastPacket(one)} />),
    },
    {
      key: 'out',
      label: t('sessions.out'),
      end: true,
      compare: byNumber(({ traffic }) => traffic.out.bytes),
      cell: ({ traffic }) => formatBytes(traffic.out.bytes),
    },
    {
      key: 'in',
      label: t('sessions.in'),
      end: true,
      compare: byNumber(({ traffic }) => traffic.in.bytes),
      cell: ({ traffic }) => formatBytes(traffic.in.bytes),
    },
    {
      key: 'trouble',
      label: t('sessions.trouble'),
      cell: ({ trouble }) =>
        trouble && (
          <span lang="en" title={trouble}>
            {trouble}
          </span>
        ),
    },
  ];
}

export function SessionsPage() {
  useSessions();
  const { query } = place.value;
  const filter = readFilter(query);
  const order: Order = readOrder(query);
  const { list, isKnown } = sessions.value;
  const all = columns();
  const rows = useMemo(() => {
    const found = list.filter((one) => passes(one, filter));
    const compare = all.find(({ key }) => key === order.key)?.compare;
    if (compare) found.sort(order.isDown ? (a, b) => compare(b, a) : compare);
    return found;
  }, [list, query]);
  const set = (name: string, value: string): void => {
    const next = new URLSearchParams(query);
    if (value === '') next.delete(name);
    else next.set(name, value);
    replaceQuery(next);
  };
  return (
    <Page
      title={t('nav.sessions')}
      width="wide"
      actions={
        <span class={`mark ${isLive.value ? 'good' : 'faint'} small`}>
          <svg width="8" height="8" viewBox="0 0 8 8" fill="currentColor" aria-hidden="true">
            <circle cx="4" cy="4" r="4" />
          </svg>
          {isLive.value ? t('sessions.live') : t('sessions.notLive')}
        </span>
      }
    >
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <input
          type="search"
          aria-label={t('sessions.find')}
          placeholder={t('sessions.find')}
          value={filter.text}
          onInput={(event) => set('q', event.currentTarget.value)}
        />
        <select
          aria-label={t('sessions.protocol')}
          value={filter.protocol}
          onChange={(event) => set('protocol', event.currentTarget.value)}
        >
          <option value="">{t('sessions.allProtocols')}</option>
          {PROTOCOL_LIST.map((one) => (
            <option key={one} value={one}>
              {PROTOCOL_NAMES[one]}
            </option>
          ))}
        </select>
        <select
          aria-label={t('sessions.state')}
          value={filter.state}
          onChange={(event) => set('state', event.currentTarget.value)}
        >
          <option value="">{t('sessions.allStates')}</option>
          <option value="running">{t('sessions.running')}</option>
          {STATES.map((one) => (
            <option key={one} value={one}>
              {t(`state.${one}`)}
            </option>
          ))}
        </select>
        <select
          class="narrow-only"
          aria-label={t('sessions.order')}
          value={`${order.isDown ? '-' : ''}${order.key}`}
          onChange={(event) => set('order', event.currentTarget.value)}
        >
          {all
            .filter(({ compare }) => compare)
            .flatMap(({ key, label }) => [
              <option key={key} value={key}>
                {label} ↑
              </option>,
              <option key={`-${key}`} value={`-${key}`}>
                {label} ↓
              </option>,
            ])}
        </select>
        {filter.governed !== '' && (
          <button type="button" class="button small" onClick={() => set('switch', '')}>
            {SWITCH_NAMES[filter.governed]} ×<span class="hidden-text">{t('sessions.removeFilter')}</span>
          </button>
        )}
        {filter.device !== '' && (
          <button type="button" class="button small" onClick={() => set('device', '')}>
            {t('sessions.oneDevice')} ×<span class="hidden-text">{t('sessions.removeFilter')}</span>
          </button>
        )}
        <output class="soft small">
          {rows.length === list.length
            ? counted('sessions.count', rows.length)
            : counted('sessions.countOf', rows.length, { all: list.length })}
        </output>
      </form>
      <VirtualList
        kind="sessions"
        label={t('nav.sessions')}
        columns={all}
        rows={rows}
        keyOf={({ id }) => id}
        order={order}
        onOrder={({ key, isDown }) => {
          const next = new URLSearchParams(query);
          next.set('order', `${isDown ? '-' : ''}${key}`);
          replaceQuery(next);
        }}
        empty={isKnown ? (list.length === 0 ? t('sessions.none') : t('sessions.noMatch')) : t('word.loading')}
      />
    </Page>
  );
}

interface Filter {
  readonly text: string;
  readonly protocol: string;
  readonly state: string;
  readonly governed: keyof typeof SWITCH_NAMES | '';
  readonly device: string;
}

function readFilter(query: URLSearchParams): Filter {
  const governed = query.get('switch') ?? '';
  return {
    text: query.get('q') ?? '',
    protocol: query.get('protocol') ?? '',
    state: query.get('state') ?? '',
    governed: governed === 'ipsec' || governed === 'pptp' || governed === 'l2tp' ? governed : '',
    device: query.get('device') ?? '',
  };
}

function readOrder(query: URLSearchParams): Order {
  const text = query.get('order') ?? '-since';
  return text.startsWith('-') ? { key: text.slice(1), isDown: true } : { key: text, isDown: false };
}

function passes(one: Session, { text, protocol, state, governed, device }: Filter): boolean {
  if (protocol !== '' && one.protocol !== protocol) return false;
  if (state === 'running' ? !isRunning(one.state) : state !== '' && one.state !== state) return false;
  if (governed !== '' && switchOf(one.protocol) !== governed) return false;
  if (device !== '' && one.device.id !== device) return false;
  if (text === '') return true;
  const needle = text.toLowerCase();
  return [
    one.device.name,
    one.device.address,
    one.device.mac,
    one.server.name,
    one.server.address,
    one.trouble,
  ].some((field) => field?.toLowerCase().includes(needle));
}
