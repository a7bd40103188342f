// What runs here, and where to read more.
import { status } from '../api/status.ts';
import { Ago } from '../parts/ago.tsx';
import { Page, Panel } from '../parts/page.tsx';
import { t } from '../text/text.ts';

export function AboutPage() {
  const now = status.value;
  return (
    <Page title={t('nav.about')} trail={t('nav.administration')} lead={t('about.lead')} width="narrow">
      <Panel title="Throughway">
        <dl class="facts">
          <dt>{t('about.version')}</dt>
          <dd class="num">{now?.version}</dd>
          <dt>{t('overview.since')}</dt>
          <dd>{now && <Ago at={now.started_at} />}</dd>
          <dt>{t('about.nft')}</dt>
          <dd>
            <code>{now?.nft}</code>
          </dd>
          <dt>{t('about.license')}</dt>
          <dd>Apache-2.0</dd>
        </dl>
      </Panel>
      <Panel title={t('about.api')} lead={t('about.apiLead')}>
        <p>
          <a href="/api/v1/reference">{t('about.reference')}</a> ·{' '}
          <a href="/api/v1/openapi.json">OpenAPI 3.1</a>
        </p>
      </Panel>
      <Panel title={t('frame.manual')}>
        <p>
          <a href="/manual/">/manual/</a>
        </p>
      </Panel>
      <Panel title={t('about.limits')}>
        <p>{t('about.limitsText')}</p>
      </Panel>
    </Page>
  );
}
