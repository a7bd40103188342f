// What is around every page once somebody is logged in: navigation, the bar of a narrow screen, the
// countdown of a change that wants to be confirmed, and the word when the daemon does not answer.
import { useEffect, useState } from 'preact/hooks';
import type { ComponentType } from 'preact';
import { logOut, me } from './api/account.ts';
import { reachable } from './api/client.ts';
import { sessions } from './api/sessions.ts';
import { status, useStatus } from './api/status.ts';
import { isRunning } from './api/protocols.ts';
import { PAGES, pageAt, type PageEntry } from './pages.tsx';
import { Icon } from './parts/icon.tsx';
import { FailureNotice, Notice } from './parts/notice.tsx';
import { Page } from './parts/page.tsx';
import { Countdown } from './parts/countdown.tsx';
import { place } from './router.ts';
import { formatNumber, t } from './text/text.ts';

export function Frame() {
  useStatus();
  const [isOpen, setOpen] = useState(false);
  const { path } = place.value;
  useEffect(() => setOpen(false), [path]);
  useEffect(() => {
    if (!isOpen) return undefined;
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === 'Escape') setOpen(false);
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [isOpen]);
  return (
    <div class="frame">
      <a class="skip" href="#main">
        {t('frame.skip')}
      </a>
      <header class="bar">
        <Brand />
        <button
          type="button"
          class="button plain"
          aria-expanded={isOpen}
          aria-controls="side"
          onClick={() => setOpen(!isOpen)}
        >
          <Icon name={isOpen ? 'close' : 'menu'} size={18} />
          <span class="hidden-text">{t('frame.menu')}</span>
        </button>
      </header>
      <div class={`side ${isOpen ? 'open' : ''}`} id="side">
        <Brand />
        <Navigation path={path} />
        <div class="who">
          <span>{me.value?.name}</span>
          <a href="/manual/">{t('frame.manual')}</a>
          <button type="button" class="button plain small" onClick={() => void logOut()}>
            {t('frame.logOut')}
          </button>
        </div>
      </div>
      <main class="main" id="main" tabIndex={-1}>
        <div role="alert">{!reachable.value && <Notice kind="bad">{t('error.unreachable')}</Notice>}</div>
        <Countdown />
        <CurrentPage entry={pageAt(path)} key={path} />
      </main>
    </div>
  );
}

function Brand() {
  return (
    <a class="brand" href="/">
      <img src="/icon.svg" alt="" />
      Throughway
    </a>
  );
}

function Navigation({ path }: { path: string }) {
  const current = pageAt(path);
  const running = sessions.value.list.filter(({ state }) => isRunning(state)).length;
  const groups = Map.groupBy(PAGES, ({ group }) => group);
  return (
    <nav class="nav" aria-label={t('frame.navigation')}>
      {[...groups].map(([group, entries]) => (
        <div key={group ?? ''}>
          {group && (
            <p class="group" id={`group-${group}`}>
              {t(group)}
            </p>
          )}
          <ul aria-labelledby={group && `group-${group}`}>
            {entries.map((entry) => (
              <li key={entry.path}>
                <a href={entry.path} aria-current={isSame(entry, current) ? 'page' : undefined}>
                  <Icon name={entry.icon} />
                  {t(entry.title)}
                  {entry.path === '/sessions' && running > 0 && (
                    <span class="count">{formatNumber(running)}</span>
                  )}
                  {entry.path === '/' && status.value?.state === 'attention' && (
                    <span class="count attention">
                      <Icon name="warn" />
                      <span class="hidden-text">{t('health.attention')}</span>
                    </span>
                  )}
                </a>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </nav>
  );
}

function isSame(entry: PageEntry, current: PageEntry | undefined): boolean {
  return current !== undefined && entry.title === current.title;
}

const loaded = new Map<PageEntry['load'], ComponentType>();

function CurrentPage({ entry }: { entry: PageEntry | undefined }) {
  const [, setLoads] = useState(0);
  const [error, setError] = useState<unknown>(null);
  const load = entry?.load;
  useEffect(() => {
    if (!load || loaded.has(load)) return;
    load().then(
      (page) => {
        loaded.set(load, page);
        setLoads((count) => count + 1);
      },
      () => setError(new Error(t('error.outdated'))),
    );
  }, [load]);
  if (!load) {
    return (
      <Page title={t('error.noPage')} width="narrow">
        <p>{t('error.noPageHelp')}</p>
      </Page>
    );
  }
  const Shown = loaded.get(load);
  if (error) return <FailureNotice error={error} />;
  return Shown ? <Shown /> : null;
}
