// Why something does not connect: the doctor examines the gateway, a probe asks a server, and the advice
// says in plain words what passthrough can and cannot do.
import { useEffect, useState } from 'preact/hooks';
import type { DoctorReport } from '../../daemon/api/doctor.ts';
import type { ProbeReport } from '../../daemon/api/probe.ts';
import { examine, getTopics, probe, type Topic } from '../api/calls.ts';
import { Field } from '../parts/field.tsx';
import { useRequest } from '../parts/form.ts';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { Page, Panel } from '../parts/page.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { t } from '../text/text.ts';
import '../styles/diagnosis.css';

export function DiagnosisPage() {
  return (
    <Page title={t('nav.diagnosis')} lead={t('diagnosis.lead')}>
      <DoctorPanel />
      <ProbePanel />
      <AdvicePanel />
    </Page>
  );
}

function DoctorPanel() {
  const [report, setReport] = useState<DoctorReport | null>(null);
  const request = useRequest();
  return (
    <Panel
      title={t('diagnosis.doctor')}
      lead={t('diagnosis.doctorLead')}
      actions={
        <button
          type="button"
          class="button primary"
          disabled={request.isBusy}
          onClick={() => void request.send(async () => setReport(await examine()))}
        >
          {request.isBusy ? t('diagnosis.busy') : t('diagnosis.examine')}
        </button>
      }
      flush
    >
      <div role="status" class="findings">
        <FailureNotice error={request.error} />
        {report?.findings.length === 0 && <Notice kind="good">{t('diagnosis.well')}</Notice>}
        {report?.findings.map((finding) => (
          <FindingNotice key={finding.cause + finding.what} finding={finding} />
        ))}
      </div>
    </Panel>
  );
}

function FindingNotice({ finding }: { finding: DoctorReport['findings'][number] }) {
  const { level, what, evidence, remedy, session, manual } = finding;
  return (
    <Notice kind={level === 'fault' ? 'bad' : 'warn'}>
      <div lang="en" class="finding">
        <p>
          <strong>{what}</strong>
        </p>
        <p class="soft">{evidence}</p>
        <p>{remedy}</p>
      </div>
      <p class="row">
        {session !== null && <a href={`/sessions/${encodeURIComponent(session)}`}>{t('session.title')}</a>}
        <a href={manual}>{t('diagnosis.manual')}</a>
      </p>
    </Notice>
  );
}

function ProbePanel() {
  const [host, setHost] = useState('');
  const [report, setReport] = useState<ProbeReport | null>(null);
  const request = useRequest();
  return (
    <Panel title={t('diagnosis.probe')} lead={t('diagnosis.probeLead')}>
      <form
        class="row end-aligned"
        onSubmit={(event) => {
          event.preventDefault();
          setReport(null);
          void request.send(async () => setReport(await probe(host.trim())));
        }}
      >
        <Field
          label={t('diagnosis.server')}
          fault={request.about('host')}
          value={host}
          onValue={setHost}
          placeholder="vpn.example.com"
          spellcheck={false}
          autocapitalize="none"
          autocomplete="off"
          required
        />
        <button type="submit" class="button" disabled={request.isBusy}>
          {request.isBusy ? t('diagnosis.busy') : t('diagnosis.ask')}
        </button>
      </form>
      <FailureNotice error={request.error} shown={['host']} />
      <div role="status" class="stack">
        {report && <ProbeResults report={report} />}
      </div>
    </Panel>
  );
}

function ProbeResults({ report }: { report: ProbeReport }) {
  return (
    <>
      <Notice kind="info">
        <span lang="en">{report.conclusion}</span>
      </Notice>
      <Scroll>
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">{t('sessions.protocol')}</th>
              <th scope="col">{t('diagnosis.answer')}</th>
              <th scope="col">{t('diagnosis.meaning')}</th>
            </tr>
          </thead>
          <tbody lang="en">
            {report.results.map((one) => (
              <tr key={`${one.id} ${one.address} ${one.transport} ${one.port}`}>
                <th scope="row">
                  {one.name}{' '}
                  <span class="small faint">
                    {one.transport}
                    {one.port !== null && `/${one.port}`}
                  </span>
                </th>
                <td>{one.detail}</td>
                <td class="soft">{one.meaning}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </>
  );
}

function AdvicePanel() {
  const [topics, setTopics] = useState<readonly Topic[]>([]);
  useEffect(() => {
    // Advice is not worth an error of its own: the frame says when the daemon does not answer.
    getTopics().then(setTopics, () => undefined);
  }, []);
  if (topics.length === 0) return null;
  return (
    <Panel title={t('diagnosis.advice')} flush>
      <div class="advice" lang="en">
        {topics.map(({ name, title, paragraphs }) => (
          <details key={name}>
            <summary>{title}</summary>
            {paragraphs.map((one) =>
              typeof one === 'string' ? (
                <p key={one}>{one}</p>
              ) : (
                <ul key={one.join()}>
                  {one.map((item) => (
                    <li key={item}>{item}</li>
                  ))}
                </ul>
              ),
            )}
          </details>
        ))}
      </div>
    </Panel>
  );
}
