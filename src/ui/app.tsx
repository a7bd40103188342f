// Which of the three the reader meets: the first run, the door, or the pages.
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { door, whoAmI } from './api/account.ts';
import { Frame } from './frame.tsx';
import { Notice } from './parts/notice.tsx';
import { t } from './text/text.ts';

const RETRY_MS = 3000;

export function App() {
  switch (door.value) {
    case 'open':
      return <Frame />;
    case 'first-run':
      return <Late load={async () => (await import('./pages/first-run.tsx')).FirstRunPage} key="first-run" />;
    case 'log-in':
      return <Late load={async () => (await import('./pages/log-in.tsx')).LogInPage} key="log-in" />;
    case 'closed':
      return <Unreachable />;
  }
}

function Late({ load }: { load: () => Promise<ComponentType> }) {
  const [Shown, setShown] = useState<ComponentType | null>(null);
  useEffect(() => void load().then((page) => setShown(() => page)), []);
  return Shown ? <Shown /> : null;
}

function Unreachable() {
  useEffect(() => {
    const timer = setInterval(() => void whoAmI(), RETRY_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <main class="main">
      <Notice kind="bad" live>
        {t('error.unreachable')}
      </Notice>
    </main>
  );
}
