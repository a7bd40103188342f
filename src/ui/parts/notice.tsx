// A sentence that matters, with its colour, its drawing and its role for a screen reader.
import type { ComponentChildren } from 'preact';
import { ApiError, isAbout, sentence } from '../api/client.ts';
import { t } from '../text/text.ts';
import { Icon, type IconName } from './icon.tsx';

type Kind = 'info' | 'good' | 'warn' | 'bad';

const ICONS: Readonly<Record<Kind, IconName>> = { info: 'about', good: 'good', warn: 'warn', bad: 'bad' };

interface NoticeProps {
  readonly kind: Kind;
  /** `true`: read out when it appears. */
  readonly live?: boolean;
  readonly children: ComponentChildren;
}

export function Notice({ kind, live = false, children }: NoticeProps) {
  const role = live ? (kind === 'bad' ? 'alert' : 'status') : undefined;
  return (
    <div class={`notice ${kind}`} role={role}>
      <Icon name={ICONS[kind]} />
      <div>{children}</div>
    </div>
  );
}

/** What went wrong, with every problem that no field on the page shows. */
export function FailureNotice({ error, shown = [] }: { error: unknown; shown?: readonly string[] }) {
  if (!error) return null;
  const problems =
    error instanceof ApiError
      ? error.problems.filter(({ path }) => !shown.some((one) => isAbout(path, one)))
      : [];
  return (
    <Notice kind="bad" live>
      <p>{error instanceof Error ? error.message : t('error.unknown')}</p>
      {problems.length > 0 && (
        <ul>
          {problems.map((problem) => (
            <li key={problem.path + problem.message}>
              {problem.path && <code>{problem.path}</code>} {sentence(problem)}
            </li>
          ))}
        </ul>
      )}
    </Notice>
  );
}
