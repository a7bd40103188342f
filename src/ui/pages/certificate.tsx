// The certificate that the page is served with: the daemon's own, or one that is brought.
import { useEffect, useState } from 'preact/hooks';
import { getCertificate, putCertificate, renewCertificate } from '../api/calls.ts';
import type { Certificate } from '../../daemon/api/account.ts';
import { useRequest } from '../parts/form.ts';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { Page, Panel } from '../parts/page.tsx';
import { TextArea } from '../parts/text-area.tsx';
import { formatDateTime, t } from '../text/text.ts';

export function CertificatePage() {
  const [found, setFound] = useState<Certificate | null>(null);
  const [isDone, setDone] = useState(false);
  const [chain, setChain] = useState('');
  const [key, setKey] = useState('');
  const request = useRequest();
  const load = (): Promise<unknown> => request.send(async () => setFound(await getCertificate()));
  useEffect(() => void load(), []);
  const change = async (work: () => Promise<unknown>): Promise<void> => {
    setDone(false);
    if (!(await request.send(work))) return;
    setDone(true);
    setChain('');
    setKey('');
    await load();
  };
  return (
    <Page
      title={t('nav.certificate')}
      trail={t('nav.administration')}
      lead={t('certificate.lead')}
      width="narrow"
    >
      <FailureNotice error={request.error} shown={['certificate', 'key']} />
      <div role="status">{isDone && <Notice kind="good">{t('certificate.done')}</Notice>}</div>
      {found && (
        <Panel
          title={t('certificate.inUse')}
          actions={
            found.self_made && (
              <button type="button" class="button small" onClick={() => void change(renewCertificate)}>
                {t('certificate.renew')}
              </button>
            )
          }
        >
          <dl class="facts">
            <dt>{t('certificate.subject')}</dt>
            <dd>{found.subject}</dd>
            <dt>{t('certificate.issuer')}</dt>
            <dd>{found.self_made ? t('certificate.selfMade') : found.issuer}</dd>
            <dt>{t('certificate.names')}</dt>
            <dd>{found.names.join(', ')}</dd>
            <dt>{t('certificate.until')}</dt>
            <dd class="num">{formatDateTime(found.not_after)}</dd>
            <dt>SHA-256</dt>
            <dd>
              <code class="small">{found.fingerprint_sha256}</code>
            </dd>
          </dl>
        </Panel>
      )}
      <Panel title={t('certificate.bring')} lead={t('certificate.bringLead')}>
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault();
            void change(() => putCertificate({ certificate: chain, key }));
          }}
        >
          <TextArea
            label={t('certificate.chain')}
            hint="-----BEGIN CERTIFICATE-----"
            fault={request.about('certificate')}
            value={chain}
            onValue={setChain}
          />
          <TextArea
            label={t('certificate.key')}
            hint="-----BEGIN PRIVATE KEY-----"
            fault={request.about('key')}
            value={key}
            onValue={setKey}
          />
          <div class="actions">
            <button
              type="submit"
              class="button primary"
              disabled={request.isBusy || chain === '' || key === ''}
            >
              {t('certificate.use')}
            </button>
          </div>
        </form>
      </Panel>
    </Page>
  );
}
