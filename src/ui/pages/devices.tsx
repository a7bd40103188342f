// The devices behind the gateway: how they are called, what each used and when, and a name of one's own
// for each.
import { useEffect, useState } from 'preact/hooks';
import type { Device, SessionProtocol } from '../../daemon/api/session.ts';
import { getDevices, nameDevice } from '../api/calls.ts';
import { PROTOCOL_LIST, PROTOCOL_NAMES } from '../api/protocols.ts';
import { Ago } from '../parts/ago.tsx';
import { Dialog, DialogForm } from '../parts/dialog.tsx';
import { useRequest } from '../parts/form.ts';
import { Field } from '../parts/field.tsx';
import { Icon } from '../parts/icon.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import { Page } from '../parts/page.tsx';
import { place, replaceQuery } from '../router.ts';
import { counted, formatAgo, t } from '../text/text.ts';
import { now } from '../parts/now.ts';
import '../styles/devices.css';

const REFRESH_MS = 10_000;

export function DevicesPage() {
  const [devices, setDevices] = useState<readonly Device[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [renames, setRenames] = useState<Device | null>(null);
  const load = (): Promise<void> =>
    getDevices().then((list) => {
      setDevices(list);
      setError(null);
    }, setError);
  useEffect(() => {
    void load();
    const timer = setInterval(() => void load(), REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  const { query } = place.value;
  const used = query.get('used') ?? '';
  const text = (query.get('q') ?? '').toLowerCase();
  const shown = (devices ?? [])
    .filter((one) => used === '' || one.used.some(({ protocol }) => protocol === used))
    .filter((one) => text === '' || searched(one).some((field) => field?.toLowerCase().includes(text)))
    .toSorted((a, b) => b.sessions - a.sessions || (a.last_seen < b.last_seen ? 1 : -1));
  const set = (name: string, value: string): void => {
    const next = new URLSearchParams(query);
    if (value === '') next.delete(name);
    else next.set(name, value);
    replaceQuery(next);
  };
  return (
    <Page title={t('nav.devices')} lead={t('devices.lead')}>
      <FailureNotice error={error} />
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <input
          type="search"
          aria-label={t('devices.find')}
          placeholder={t('devices.find')}
          value={query.get('q') ?? ''}
          onInput={(event) => set('q', event.currentTarget.value)}
        />
        <select
          aria-label={t('devices.used')}
          value={used}
          onChange={(event) => set('used', event.currentTarget.value)}
        >
          <option value="">{t('devices.anyProtocol')}</option>
          {PROTOCOL_LIST.map((one) => (
            <option key={one} value={one}>
              {t('devices.usedOne', { protocol: PROTOCOL_NAMES[one] })}
            </option>
          ))}
        </select>
        <output class="soft small">{devices && counted('devices.count', shown.length)}</output>
      </form>
      <section class="panel" aria-label={t('nav.devices')}>
        {shown.length === 0 ? (
          <p class="empty">{devices === null ? t('word.loading') : none(used, devices.length)}</p>
        ) : (
          <ul class="devices">
            {shown.map((one) => (
              <DeviceRow key={one.id} device={one} onRename={() => setRenames(one)} />
            ))}
          </ul>
        )}
      </section>
      {renames && (
        <Rename
          device={renames}
          onClose={(changed) => {
            setRenames(null);
            if (changed) void load();
          }}
        />
      )}
    </Page>
  );
}

function none(used: string, known: number): string {
  if (known === 0) return t('devices.none');
  const name = PROTOCOL_NAMES[used as SessionProtocol];
  return name ? t('devices.noneUsed', { protocol: name }) : t('sessions.noMatch');
}

function searched({ name, addresses, mac, maker }: Device): (string | null)[] {
  return [name, ...addresses, mac, maker];
}

function DeviceRow({ device, onRename }: { device: Device; onRename: () => void }) {
  const label = device.name ?? device.address;
  return (
    <li class="device">
      <div class="who-is">
        <strong>{label}</strong>
        <button type="button" class="button plain small" onClick={onRename}>
          <Icon name="edit" size={14} />
          <span class="hidden-text">{t('devices.renameOne', { device: label })}</span>
        </button>
        <p class="small soft">
          <code>{device.addresses.filter((one) => one !== label).join(' · ')}</code>
        </p>
        <p class="small faint">
          {device.mac && <code>{device.mac}</code>} {device.maker}
        </p>
      </div>
      <ul class="used" aria-label={t('devices.used')}>
        {device.used.map(({ protocol, last }) => (
          <li
            key={protocol}
            class={`tag ${protocol === 'pptp' ? 'risky' : ''}`}
            title={formatAgo(last, now.value)}
          >
            {PROTOCOL_NAMES[protocol]} <span class="faint">{formatAgo(last, now.value)}</span>
          </li>
        ))}
      </ul>
      <div class="seen">
        <a href={`/sessions?device=${encodeURIComponent(device.id)}`}>
          {counted('devices.sessions', device.sessions)}
        </a>
        <span class="small faint">
          {t('devices.seen')} <Ago at={device.last_seen} />
        </span>
      </div>
    </li>
  );
}

function Rename({ device, onClose }: { device: Device; onClose: (changed: boolean) => void }) {
  const [name, setName] = useState(device.given_name ?? '');
  const request = useRequest();
  const found = device.given_name === null ? device.name : null;
  const wanted = name.trim();
  return (
    <Dialog title={t('devices.rename')} onClose={() => onClose(false)}>
      <DialogForm
        request={request}
        shown={['given_name']}
        yes={t('action.save')}
        onYes={() => nameDevice(device.id, wanted === '' ? null : wanted)}
        onClose={() => onClose(false)}
        onDone={() => onClose(true)}
      >
        <Field
          label={t('devices.name')}
          hint={
            found
              ? t('devices.nameFound', { name: found })
              : t('devices.nameHint', { address: device.address })
          }
          fault={request.about('given_name')}
          value={name}
          onValue={setName}
          autocomplete="off"
          maxLength={64}
        />
      </DialogForm>
    </Dialog>
  );
}
