// Every configuration that was in force, what each changed, and the way back to it.
import { useEffect, useState } from 'preact/hooks';
import { getVersionDiff, getVersions, restoreVersion } from '../api/calls.ts';
import { pending } from '../api/pending.ts';
import type { Version } from '../../daemon/api/config.ts';
import { Confirm } from '../parts/dialog.tsx';
import { useRequest } from '../parts/form.ts';
import { FailureNotice } from '../parts/notice.tsx';
import { Page, Panel } from '../parts/page.tsx';
import { formatDateTime, t } from '../text/text.ts';
import '../styles/history.css';

export function HistoryPage() {
  const [versions, setVersions] = useState<readonly Version[] | null>(null);
  const [restores, setRestores] = useState<Version | null>(null);
  const request = useRequest();
  const load = (): Promise<unknown> => request.send(async () => setVersions(await getVersions()));
  useEffect(() => void load(), []);
  return (
    <Page title={t('history.title')} trail={t('nav.administration')} lead={t('history.lead')}>
      <FailureNotice error={request.error} />
      <Panel title={t('history.versions')} flush>
        {versions?.length === 0 && <p class="empty">{t('history.none')}</p>}
        <ol class="versions" reversed>
          {versions?.map((version, index) => (
            <VersionRow
              key={version.id}
              version={version}
              isInForce={index === 0}
              onRestore={() => setRestores(version)}
            />
          ))}
        </ol>
      </Panel>
      {restores && (
        <Confirm
          title={t('history.restore')}
          yes={t('history.restore')}
          onYes={async () => {
            pending.value = (await restoreVersion(restores.id)).pending;
          }}
          onClose={() => {
            setRestores(null);
            void load();
          }}
        >
          <p>{t('history.restoreAsk', { at: formatDateTime(restores.at) })}</p>
        </Confirm>
      )}
    </Page>
  );
}

interface VersionRowProps {
  readonly version: Version;
  readonly isInForce: boolean;
  readonly onRestore: () => void;
}

function VersionRow({ version, isInForce, onRestore }: VersionRowProps) {
  const [diff, setDiff] = useState<string | null>(null);
  const request = useRequest();
  const show = (isOpen: boolean): void => {
    if (isOpen && diff === null) void request.send(async () => setDiff(await getVersionDiff(version.id)));
  };
  return (
    <li class="version">
      <details onToggle={(event) => show(event.currentTarget.open)}>
        <summary>
          <time dateTime={version.at}>{formatDateTime(version.at)}</time>
          <span lang="en">{version.what}</span>
          <span class="soft">{version.who}</span>
        </summary>
        <FailureNotice error={request.error} />
        {diff !== null && <Diff text={diff} />}
      </details>
      {isInForce ? (
        <span class="tag">{t('history.inForce')}</span>
      ) : (
        <button type="button" class="button small" onClick={onRestore}>
          {t('history.restore')}
          <span class="hidden-text"> {formatDateTime(version.at)}</span>
        </button>
      )}
    </li>
  );
}

/** A unified diff: what went and what came, told apart by sign and by colour. */
function Diff({ text }: { text: string }) {
  const lines = text.split('\n').filter((line) => line !== '' && !/^(---|\+\+\+)/.test(line));
  if (lines.length === 0) return <p class="soft small">{t('history.same')}</p>;
  return (
    <pre class="diff" tabIndex={0} aria-label={t('history.diff')}>
      {lines.map((line, index) => (
        <div
          key={`${index} ${line}`}
          class={line.startsWith('+') ? 'came' : line.startsWith('-') ? 'went' : ''}
        >
          {line}
        </div>
      ))}
    </pre>
  );
}
