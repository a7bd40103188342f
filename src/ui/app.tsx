// Which of the three the reader meets: the first run, the door, or the pages.
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { door, whoAmI } from './api/account.ts';
import { Frame } from './frame.tsx';
import { withTexts } from './pages.tsx';
import { Notice } from './parts/notice.tsx';
import { t } from './text/text.ts';

const RETRY_MS = 3000;

const FIRST_RUN = withTexts(async () => (await import('./pages/first-run.tsx')).FirstRunPage);
const LOG_IN = async (): Promise<ComponentType> => (await import('./pages/log-in.tsx')).LogInPage;

export function App() {
  switch (door.value) {
    case 'open':
      return <Frame />;
    case 'first-run':
      return <Late load={FIRST_RUN} key="first-run" />;
    case 'log-in':
      return <Late load={LOG_IN} key="log-in" />;
    case 'closed':
      return <Unreachable />;
  }
}

function Late({ load }: { load: () => Promise<ComponentType> }) {
  const [Shown, setShown] = useState<ComponentType | null>(null);
  const [isOutdated, setOutdated] = useState(false);
  useEffect(
    () =>
      void load().then(
        (page) => setShown(() => page),
        () => setOutdated(true),
      ),
    [],
  );
  if (isOutdated) return <Alone>{t('error.outdated')}</Alone>;
  return Shown ? <Shown /> : null;
}

function Unreachable() {
  useEffect(() => {
    const timer = setInterval(() => void whoAmI(), RETRY_MS);
    return () => clearInterval(timer);
  }, []);
  return <Alone>{t('error.unreachable')}</Alone>;
}

/** A page of nothing but what is wrong. */
function Alone({ children }: { children: string }) {
  return (
    <main class="main">
      <Notice kind="bad" live>
        {children}
      </Notice>
    </main>
  );
}
