// The certificate that the page is served with: the daemon's own, or one that is brought.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { getCertificate, putCertificate, renewCertificate } from '../api/calls.ts';
import type { Certificate } from '../../daemon/api/account.ts';
import { Confirm } from '../parts/dialog.tsx';
import { useRequest } from '../parts/form.ts';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { Page, Panel } from '../parts/page.tsx';
import { TextArea } from '../parts/text-area.tsx';
import { formatDateTime, t } from '../text/text.ts';

export function CertificatePage() {
  const [found, setFound] = useState<Certificate | null>(null);
  const [isDone, setDone] = useState(false);
  const [asks, setAsks] = useState(false);
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
            found.self_made ? (
              <button
                type="button"
                class="button small"
                disabled={request.isBusy}
                onClick={() => void change(renewCertificate)}
              >
                {t('certificate.renew')}
              </button>
            ) : (
              <button type="button" class="button small" onClick={() => setAsks(true)}>
                {t('certificate.back')}
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
              <code class="small">{breakable(found.fingerprint_sha256)}</code>
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
      {asks && (
        <Confirm
          title={t('certificate.back')}
          yes={t('certificate.back')}
          danger
          onYes={() => change(renewCertificate)}
          onClose={() => setAsks(false)}
        >
          <p>{t('certificate.backAsk')}</p>
        </Confirm>
      )}
    </Page>
  );
}

/** A fingerprint breaks between its bytes. */
function breakable(fingerprint: string): ComponentChildren {
  return fingerprint
    .split(':')
    .map((byte, index) => [index > 0 && ':', index > 0 && <wbr key={index} />, byte]);
}
