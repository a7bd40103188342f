// A change that could cut the administrator off is in force on probation: it goes back by itself unless
// this page, still connected, confirms it. The countdown stands above every page until then.
import { useEffect, useState } from 'preact/hooks';
import { confirmChange, getPending, revertChange } from '../api/calls.ts';
import { reachable } from '../api/client.ts';
import { pending } from '../api/pending.ts';
import { counted, formatSpan, t } from '../text/text.ts';
import { useRequest } from './form.ts';
import { Icon } from './icon.tsx';
import { FailureNotice } from './notice.tsx';
import { now } from './now.ts';
import '../styles/countdown.css';

const ASK_EVERY_MS = 5000;
/** A screen reader hears the time at these seconds, not at each. */
const SAID_SECONDS = [60, 30, 10];

export function Countdown() {
  const request = useRequest();
  const [outcome, setOutcome] = useState<'kept' | 'reverted' | null>(null);
  const change = pending.value;
  useEffect(() => {
    const ask = async (): Promise<void> => {
      try {
        const before = pending.peek();
        pending.value = await getPending();
        if (before && !pending.value) setOutcome((known) => known ?? 'reverted');
      } catch {
        // Cut off, perhaps by this very change: the daemon takes it back when the time is up.
      }
    };
    void ask();
    const timer = setInterval(() => void ask(), ASK_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  const left = change ? Math.max(0, Math.ceil((Date.parse(change.reverts_at) - now.value) / 1000)) : 0;
  const decide = async (keep: boolean): Promise<void> => {
    const isDone = await request.send(() => (keep ? confirmChange() : revertChange()));
    if (!isDone) return;
    setOutcome(keep ? 'kept' : 'reverted');
    pending.value = null;
  };
  if (!change) {
    return (
      <div role="status">
        {outcome && (
          <div class="countdown over">
            <Icon name="good" />
            <p>{t(outcome === 'kept' ? 'countdown.kept' : 'countdown.reverted')}</p>
            <button type="button" class="button small plain" onClick={() => setOutcome(null)}>
              {t('action.close')}
            </button>
          </div>
        )}
      </div>
    );
  }
  return (
    <section class="countdown" aria-label={t('countdown.title')}>
      <Icon name="warn" size={20} />
      <div>
        <p>
          <strong>{t('countdown.title')}</strong> {t('countdown.text')}
        </p>
        <p class="num" aria-hidden="true">
          {t('countdown.left', { time: formatSpan(left) })}
        </p>
        <p class="hidden-text" role="status">
          {SAID_SECONDS.includes(left) ? counted('countdown.said', left) : ''}
        </p>
        <progress class="left" max={90} value={left} aria-hidden="true" />
        {!reachable.value && <p>{t('countdown.elsewhere')}</p>}
        <FailureNotice error={request.error} />
      </div>
      <div class="actions">
        <button
          type="button"
          class="button primary"
          disabled={request.isBusy}
          onClick={() => void decide(true)}
        >
          {t('countdown.keep')}
        </button>
        <button type="button" class="button" disabled={request.isBusy} onClick={() => void decide(false)}>
          {t('countdown.revert')}
        </button>
      </div>
    </section>
  );
}
