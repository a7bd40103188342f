// The two sides of the gateway, and how long it remembers what is idle. What can cut the administrator
// off is applied on probation; see countdown.tsx.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Config } from '../../core/config/schema.ts';
import type { InterfaceStatus } from '../../daemon/status.ts';
import type { Detected } from '../../daemon/api/config.ts';
import { getConfig, getDetected, putConfig } from '../api/calls.ts';
import { pending } from '../api/pending.ts';
import { refreshStatus, status } from '../api/status.ts';
import { Choice, Field } from '../parts/field.tsx';
import { focusFault, useRequest } from '../parts/form.ts';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { Page, Panel } from '../parts/page.tsx';
import { askBeforeLeaving } from '../router.ts';
import { Scroll } from '../parts/scroll.tsx';
import { t } from '../text/text.ts';

const TIMEOUTS = ['vpn_udp_seconds', 'udp_seconds', 'tcp_established_seconds', 'esp_seconds'] as const;

/** The settings behind the fields that are one line of text. */
const SETTINGS = {
  wan: 'wan',
  lan: 'lan',
  services: 'wan_services',
  listen: 'listen',
  tlsListen: 'tls_listen',
  names: 'names',
  proxies: 'trusted_proxies',
  idle: 'idle_minutes',
} as const satisfies Partial<Record<keyof Draft, string>>;

/** Their faults stand beside them. */
const SHOWN = [...Object.values(SETTINGS), ...TIMEOUTS];

/** The list of the machine's interfaces, which the browser proposes. */
const DETECTED = 'detected-interfaces';

/** The form's fields as they are typed. */
interface Draft {
  readonly wan: string;
  readonly lan: string;
  readonly sourcePort: 'translate' | 'preserve';
  readonly timeouts: Readonly<Record<(typeof TIMEOUTS)[number], string>>;
  readonly ping: boolean;
  readonly services: string;
  readonly listen: string;
  readonly tlsListen: string;
  readonly names: string;
  readonly proxies: string;
  readonly idle: string;
  readonly metrics: boolean;
  readonly mdns: boolean;
  readonly reverseDns: boolean;
  readonly serverNames: boolean;
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
    ping: config.firewall.wan_ping,
    services: config.firewall.wan_services.join(', '),
    listen: config.web.listen.join(', '),
    tlsListen: config.web.tls_listen.join(', '),
    names: config.web.names.join(', '),
    proxies: config.web.trusted_proxies.join(', '),
    idle: String(config.web.idle_minutes),
    metrics: config.web.metrics === 'enabled',
    mdns: config.names.mdns === 'enabled',
    reverseDns: config.names.reverse_dns === 'enabled',
    serverNames: config.names.server_names === 'enabled',
  };
}

const word = (isOn: boolean): string => (isOn ? 'enabled' : 'disabled');

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
    firewall: { wan_ping: draft.ping, wan_services: list(draft.services) },
    web: {
      listen: list(draft.listen),
      tls_listen: list(draft.tlsListen),
      names: list(draft.names),
      trusted_proxies: list(draft.proxies),
      idle_minutes: figure(draft.idle),
      metrics: word(draft.metrics),
    },
    names: {
      mdns: word(draft.mdns),
      reverse_dns: word(draft.reverseDns),
      server_names: word(draft.serverNames),
    },
  };
}

export function NetworkPage() {
  const [config, setConfig] = useState<Config | null>(null);
  const [draft, setDraft] = useState<Draft | null>(null);
  const [isSaved, setSaved] = useState(false);
  const [warnings, setWarnings] = useState<readonly string[]>([]);
  const [detected, setDetected] = useState<readonly Detected[]>([]);
  const form = useRef<HTMLFormElement>(null);
  const request = useRequest();
  const isOnProbation = pending.value !== null;
  const load = (): Promise<unknown> =>
    request.send(async () => {
      const found = await getConfig();
      setConfig(found);
      setDraft(draftOf(found));
    });
  useEffect(() => {
    if (!isOnProbation) setWarnings([]);
    void load();
  }, [isOnProbation]);
  // Only proposals: without them a name is typed.
  useEffect(() => void getDetected().then(setDetected, () => undefined), []);
  const isDirty = config !== null && JSON.stringify(draftOf(config)) !== JSON.stringify(draft);
  useEffect(() => {
    askBeforeLeaving(isDirty ? t('passthrough.leave') : null);
    return () => askBeforeLeaving(null);
  }, [isDirty]);
  const save = async (): Promise<void> => {
    setSaved(false);
    setWarnings([]);
    const isDone = await request.send(async () => {
      const applied = await putConfig(changesOf(config!, draft!));
      setWarnings(applied.warnings);
      pending.value = applied.pending;
    });
    if (!isDone) return focusFault(form.current);
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
          ref={form}
          class="stack form"
          onSubmit={(event) => {
            event.preventDefault();
            void save();
          }}
        >
          <datalist id={DETECTED}>
            {detected.map(({ name, addresses }) => (
              <option key={name} value={name}>
                {addresses.join(', ')}
              </option>
            ))}
          </datalist>
          <Panels draft={draft} set={set} about={request.about} />
          <FailureNotice error={request.error} shown={SHOWN} />
          <div role="status">
            {warnings.map((warning) => (
              <Notice key={warning} kind="warn">
                <span lang="en">{warning}</span>
              </Notice>
            ))}
            {isSaved && <Notice kind="good">{t('network.saved')}</Notice>}
          </div>
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

interface FormProps {
  readonly draft: Draft;
  readonly set: (change: Partial<Draft>) => void;
  readonly about: (field: string) => string | undefined;
}

function Panels(form: FormProps) {
  const { draft, set, about } = form;
  return (
    <div class="columns">
      <Panel title={t('network.sides')}>
        <DraftField of="wan" {...form} list={DETECTED} />
        <DraftField of="lan" {...form} list={DETECTED} />
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
              fault={about(one)}
              class="short"
              inputMode="numeric"
              value={draft.timeouts[one]}
              onValue={(value) => set({ timeouts: { ...draft.timeouts, [one]: value } })}
            />
          ))}
        </Panel>
        <Panel title={t('network.own')}>
          <OnOff legend={t('network.ping')} name="ping" isOn={draft.ping} onValue={(ping) => set({ ping })} />
          <DraftField of="services" {...form} />
        </Panel>
      </div>
      <Panel title={t('network.page')}>
        <DraftField of="listen" {...form} />
        <DraftField of="tlsListen" {...form} />
        <DraftField of="names" {...form} />
        <DraftField of="proxies" {...form} />
        <DraftField of="idle" {...form} class="short" inputMode="numeric" />
        <OnOff
          legend={t('network.metrics')}
          name="metrics"
          isOn={draft.metrics}
          onValue={(metrics) => set({ metrics })}
        />
      </Panel>
      <Panel title={t('network.naming')} lead={t('network.namingLead')}>
        <OnOff legend={t('network.mdns')} name="mdns" isOn={draft.mdns} onValue={(mdns) => set({ mdns })} />
        <OnOff
          legend={t('network.reverseDns')}
          name="reverse-dns"
          isOn={draft.reverseDns}
          onValue={(reverseDns) => set({ reverseDns })}
        />
        <OnOff
          legend={t('network.serverNames')}
          name="server-names"
          isOn={draft.serverNames}
          onValue={(serverNames) => set({ serverNames })}
        />
      </Panel>
    </div>
  );
}

interface DraftFieldProps extends FormProps {
  readonly of: keyof typeof SETTINGS;
  readonly list?: string;
  readonly class?: string;
  readonly inputMode?: 'numeric';
}

/** A field of the draft, with the fault of its setting. */
function DraftField({ of, draft, set, about, ...input }: DraftFieldProps) {
  return (
    <Field
      {...input}
      label={t(`network.${of}`)}
      hint={t(`network.${of}Hint`)}
      fault={about(SETTINGS[of])}
      value={draft[of]}
      onValue={(value) => set({ [of]: value })}
      spellcheck={false}
      autocapitalize="none"
      autocomplete="off"
    />
  );
}

interface OnOffProps {
  readonly legend: string;
  readonly name: string;
  readonly isOn: boolean;
  readonly onValue: (isOn: boolean) => void;
}

function OnOff({ legend, name, isOn, onValue }: OnOffProps) {
  return (
    <Choice
      legend={legend}
      name={name}
      value={isOn ? 'enabled' : 'disabled'}
      options={[
        { value: 'enabled', label: t('word.enabled') },
        { value: 'disabled', label: t('word.disabled') },
      ]}
      onValue={(value) => onValue(value === 'enabled')}
    />
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
