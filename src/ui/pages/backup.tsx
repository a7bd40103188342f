// The whole state as one file, to keep and to bring back.
import { useState } from 'preact/hooks';
import { getBackup, restoreBackup } from '../api/calls.ts';
import { pending } from '../api/pending.ts';
import { Confirm } from '../parts/dialog.tsx';
import { useRequest } from '../parts/form.ts';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { Page, Panel } from '../parts/page.tsx';
import { saveFile } from '../parts/save-file.ts';
import { t } from '../text/text.ts';

export function BackupPage() {
  const [file, setFile] = useState<File | null>(null);
  const [asks, setAsks] = useState(false);
  const [isDone, setDone] = useState(false);
  const request = useRequest();
  const save = (): Promise<boolean> =>
    request.send(async () => {
      const day = new Date().toISOString().slice(0, 10);
      saveFile(`throughway-${location.hostname}-${day}.json`, 'application/json', await getBackup());
    });
  return (
    <Page title={t('nav.backup')} trail={t('nav.administration')} width="narrow">
      <FailureNotice error={request.error} />
      <div role="status">{isDone && <Notice kind="good">{t('backup.restored')}</Notice>}</div>
      <Panel title={t('backup.save')} lead={t('backup.saveLead')}>
        <div class="actions">
          <button type="button" class="button primary" disabled={request.isBusy} onClick={() => void save()}>
            {t('backup.saveNow')}
          </button>
        </div>
      </Panel>
      <Panel title={t('backup.restore')} lead={t('backup.restoreLead')}>
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault();
            setAsks(true);
          }}
        >
          <input
            type="file"
            accept="application/json,.json"
            aria-label={t('backup.file')}
            onChange={(event) => setFile(event.currentTarget.files?.[0] ?? null)}
          />
          <div class="actions">
            <button type="submit" class="button" disabled={!file}>
              {t('backup.restore')}
            </button>
          </div>
        </form>
      </Panel>
      {asks && file && (
        <Confirm
          title={t('backup.restore')}
          yes={t('backup.restore')}
          danger
          onYes={async () => {
            const text = await file.text();
            const { pending: change } = await restoreBackup(text).catch((failure: unknown) => {
              throw failure instanceof SyntaxError
                ? new Error(t('backup.noBackup', { name: file.name }))
                : failure;
            });
            pending.value = change;
            setDone(change === null);
          }}
          onClose={() => setAsks(false)}
        >
          <p>{t('backup.restoreAsk', { name: file.name })}</p>
        </Confirm>
      )}
    </Page>
  );
}
