// The two sides of the gateway, and how long it remembers what is idle. What can cut the administrator
// off is applied on probation; see countdown.tsx.
import { useEffect, useState } from 'preact/hooks';
import type { Config } from '../../core/config/schema.ts';
import type { InterfaceStatus } from '../../daemon/status.ts';
import { getConfig, putConfig } from '../api/calls.ts';
import { pending } from '../api/pending.ts';
import { refreshStatus, status } from '../api/status.ts';
import { Choice, Field } from '../parts/field.tsx';
import { useRequest } from '../parts/form.ts';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { Page, Panel } from '../parts/page.tsx';
import { askBeforeLeaving } from '../router.ts';
import { Scroll } from '../parts/scroll.tsx';
import { t } from '../text/text.ts';

const TIMEOUTS = ['vpn_udp_seconds', 'udp_seconds', 'tcp_established_seconds', 'esp_seconds'] as const;

/** The form's fields as they are typed. */
interface Draft {
  readonly wan: string;
  readonly lan: string;
  readonly sourcePort: 'translate' | 'preserve';
  readonly timeouts: Readonly<Record<(typeof TIMEOUTS)[number], string>>;
  readonly ping: 'yes' | 'no';
  readonly services: string;
  readonly listen: string;
  readonly tlsListen: string;
  readonly names: string;
  readonly proxies: string;
  readonly idle: string;
  readonly metrics: 'enabled' | 'disabled';
}

const list = (text: string): string[] => text.split(/[\s,]+/).filter((one) => one !== '');

/** An empty or odd figure is sent as it is typed, so that the daemon's own answer names it. */
const figure = (text: string): number | string => (/^\d+$/.test(text.trim()) ? Number(text) : text);

function draftOf(config: Config): Draft {
  return {
    wan: config.interfaces.wan,
    lan: config.interfaces.lan.join(', '),
    sourcePort: config.ike.source_port,
    timeouts: {
      vpn_udp_seconds: String(config.timeouts.vpn_udp_seconds),
      udp_seconds: String(config.timeouts.udp_seconds),
      tcp_established_seconds: String(config.timeouts.tcp_established_seconds),
      esp_seconds: String(config.timeouts.esp_seconds),
    },
    ping: config.firewall.wan_ping ? 'yes' : 'no',
    services: config.firewall.wan_services.join(', '),
    listen: config.web.listen.join(', '),
    tlsListen: config.web.tls_listen.join(', '),
    names: config.web.names.join(', '),
    proxies: config.web.trusted_proxies.join(', '),
    idle: String(config.web.idle_minutes),
    metrics: config.web.metrics,
  };
}

type Settings = Record<string, Record<string, unknown>>;

/** Only what differs, so that the file gets no line that nobody asked for. */
function changesOf(config: Config, draft: Draft): Settings {
  const before = settingsOf(draftOf(config));
  const changes: Settings = {};
  for (const [group, settings] of Object.entries(settingsOf(draft))) {
    const changed = Object.entries(settings).filter(
      ([name, value]) => JSON.stringify(before[group]?.[name]) !== JSON.stringify(value),
    );
    if (changed.length > 0) changes[group] = Object.fromEntries(changed);
  }
  return changes;
}

function settingsOf(draft: Draft): Settings {
  return {
    interfaces: { wan: draft.wan.trim(), lan: list(draft.lan) },
    ike: { source_port: draft.sourcePort },
    timeouts: Object.fromEntries(TIMEOUTS.map((one) => [one, figure(draft.timeouts[one])])),
    firewall: { wan_ping: draft.ping === 'yes', wan_services: list(draft.services) },
    web: {
      listen: list(draft.listen),
      tls_listen: list(draft.tlsListen),
      names: list(draft.names),
      trusted_proxies: list(draft.proxies),
      idle_minutes: figure(draft.idle),
      metrics: draft.metrics,
    },
  };
}

export function NetworkPage() {
  const [config, setConfig] = useState<Config | null>(null);
  const [draft, setDraft] = useState<Draft | null>(null);
  const [isSaved, setSaved] = useState(false);
  const request = useRequest();
  const isOnProbation = pending.value !== null;
  const load = (): Promise<unknown> =>
    request.send(async () => {
      const found = await getConfig();
      setConfig(found);
      setDraft(draftOf(found));
    });
  useEffect(() => void load(), [isOnProbation]);
  const isDirty = config !== null && JSON.stringify(draftOf(config)) !== JSON.stringify(draft);
  useEffect(() => {
    askBeforeLeaving(isDirty ? t('passthrough.leave') : null);
    return () => askBeforeLeaving(null);
  }, [isDirty]);
  const save = async (): Promise<void> => {
    setSaved(false);
    const isDone = await request.send(async () => {
      pending.value = (await putConfig(changesOf(config!, draft!))).pending;
    });
    if (!isDone) return;
    setSaved(pending.value === null);
    await load();
    await refreshStatus();
  };
  const set = (change: Partial<Draft>): void => {
    setSaved(false);
    setDraft(draft && { ...draft, ...change });
  };
  return (
    <Page title={t('nav.network')} lead={t('network.lead')}>
      <Interfaces />
      {!draft && <FailureNotice error={request.error} />}
      {draft && (
        <form
          class="stack form"
          onSubmit={(event) => {
            event.preventDefault();
            void save();
          }}
        >
          <div class="columns">
            <Panel title={t('network.sides')}>
              <Field
                label={t('network.wan')}
                hint={t('network.wanHint')}
                fault={request.about('wan')}
                value={draft.wan}
                onValue={(wan) => set({ wan })}
              />
              <Field
                label={t('network.lan')}
                hint={t('network.lanHint')}
                fault={request.about('lan')}
                value={draft.lan}
                onValue={(lan) => set({ lan })}
              />
            </Panel>
            <Panel title={t('network.ike')}>
              <Choice
                legend={t('network.ike')}
                hidesLegend
                name="source-port"
                value={draft.sourcePort}
                options={[
                  { value: 'translate', label: t('network.translate'), hint: t('network.translateHint') },
                  { value: 'preserve', label: t('network.preserve'), hint: t('network.preserveHint') },
                ]}
                onValue={(sourcePort) => set({ sourcePort })}
              />
            </Panel>
            <div class="column">
              <Panel title={t('network.timeouts')} lead={t('network.timeoutsLead')}>
                {TIMEOUTS.map((one) => (
                  <Field
                    key={one}
                    label={t(`network.${one}`)}
                    hint={t(`network.${one}.hint`)}
                    fault={request.about(one)}
                    class="short"
                    inputMode="numeric"
                    value={draft.timeouts[one]}
                    onValue={(value) => set({ timeouts: { ...draft.timeouts, [one]: value } })}
                  />
                ))}
              </Panel>
              <Panel title={t('network.own')}>
                <Choice
                  legend={t('network.ping')}
                  name="ping"
                  value={draft.ping}
                  options={[
                    { value: 'yes', label: t('word.enabled') },
                    { value: 'no', label: t('word.disabled') },
                  ]}
                  onValue={(ping) => set({ ping })}
                />
                <Field
                  label={t('network.services')}
                  hint={t('network.servicesHint')}
                  fault={request.about('wan_services') ?? request.about('wan_services[0]')}
                  value={draft.services}
                  onValue={(services) => set({ services })}
                />
              </Panel>
            </div>
            <PagePanel draft={draft} set={set} about={request.about} />
          </div>
          <FailureNotice error={request.error} shown={['wan', 'lan', 'idle_minutes', ...TIMEOUTS]} />
          <div role="status">{isSaved && <Notice kind="good">{t('network.saved')}</Notice>}</div>
          <div class="actions">
            <button
              type="submit"
              class="button primary"
              disabled={request.isBusy || !isDirty || isOnProbation}
            >
              {t('passthrough.save')}
            </button>
            <button
              type="button"
              class="button"
              disabled={request.isBusy || !isDirty}
              onClick={() => {
                request.clear();
                setDraft(config && draftOf(config));
              }}
            >
              {t('passthrough.cancel')}
            </button>
          </div>
        </form>
      )}
    </Page>
  );
}

interface PagePanelProps {
  readonly draft: Draft;
  readonly set: (change: Partial<Draft>) => void;
  readonly about: (field: string) => string | undefined;
}

/** Where and how these pages are served. */
function PagePanel({ draft, set, about }: PagePanelProps) {
  return (
    <Panel title={t('network.page')}>
      <Field
        label={t('network.listen')}
        hint={t('network.listenHint')}
        fault={about('listen') ?? about('listen[0]')}
        value={draft.listen}
        onValue={(listen) => set({ listen })}
      />
      <Field
        label={t('network.tlsListen')}
        hint={t('network.tlsListenHint')}
        fault={about('tls_listen') ?? about('tls_listen[0]')}
        value={draft.tlsListen}
        onValue={(tlsListen) => set({ tlsListen })}
      />
      <Field
        label={t('network.names')}
        hint={t('network.namesHint')}
        fault={about('names') ?? about('names[0]')}
        value={draft.names}
        onValue={(names) => set({ names })}
      />
      <Field
        label={t('network.proxies')}
        hint={t('network.proxiesHint')}
        fault={about('trusted_proxies') ?? about('trusted_proxies[0]')}
        value={draft.proxies}
        onValue={(proxies) => set({ proxies })}
      />
      <Field
        label={t('network.idle')}
        hint={t('network.idleHint')}
        fault={about('idle_minutes')}
        class="short"
        inputMode="numeric"
        value={draft.idle}
        onValue={(idle) => set({ idle })}
      />
      <Choice
        legend={t('network.metrics')}
        name="metrics"
        value={draft.metrics}
        options={[
          { value: 'enabled', label: t('word.enabled') },
          { value: 'disabled', label: t('word.disabled') },
        ]}
        onValue={(metrics) => set({ metrics })}
      />
    </Panel>
  );
}

function Interfaces() {
  const now = status.value;
  if (!now) return null;
  const rows: (readonly [string, InterfaceStatus])[] = [
    ['WAN', now.wan],
    ...now.lan.map((one) => ['LAN', one] as const),
  ];
  return (
    <Panel title={t('network.interfaces')} flush>
      <Scroll>
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">{t('network.side')}</th>
              <th scope="col">{t('network.interface')}</th>
              <th scope="col">{t('sessions.state')}</th>
              <th scope="col">{t('network.addresses')}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(([side, one]) => (
              <tr key={side + one.name}>
                <th scope="row">{side}</th>
                <td>
                  <code>{one.name}</code>
                </td>
                <td>{t(`link.${one.state}`)}</td>
                <td>
                  {one.addresses.map((address) => (
                    <div key={address}>
                      <code>{address}</code>
                    </div>
                  ))}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </Panel>
  );
}
