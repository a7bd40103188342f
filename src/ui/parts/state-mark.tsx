// A session's state as a word with a drawing: the shape alone tells it, the colour only helps.
import type { SessionState } from '../../daemon/api/session.ts';
import { t } from '../text/text.ts';

const LOOKS: Readonly<Record<SessionState, { readonly kind: string; readonly path: string }>> = {
  up: { kind: 'good', path: 'M6 11A5 5 0 1 0 6 1a5 5 0 0 0 0 10' },
  idle: {
    kind: 'faint',
    path: 'M6 11A5 5 0 1 0 6 1a5 5 0 0 0 0 10M6 9.2A3.2 3.2 0 1 1 6 2.8a3.2 3.2 0 0 1 0 6.4',
  },
  negotiating: { kind: 'calm', path: 'M6 1a5 5 0 0 1 0 10zM6 11A5 5 0 0 1 6 1v1.8a3.2 3.2 0 0 0 0 6.4' },
  blocked: { kind: 'warn', path: 'M1.5 1.5h9v9h-9zM3 5.1v1.8h6V5.1' },
  failing: { kind: 'bad', path: 'M6 .8 11.6 11H.4zM5.3 4.4v3.2h1.4V4.4zM5.3 8.4v1.3h1.4V8.4z' },
  ended: { kind: 'faint', path: 'M2 5.2h8v1.6H2z' },
};

export function StateMark({ state }: { state: SessionState }) {
  const { kind, path } = LOOKS[state];
  return (
    <span class={`mark ${kind}`}>
      <svg
        width="10"
        height="10"
        viewBox="0 0 12 12"
        fill="currentColor"
        fill-rule="evenodd"
        aria-hidden="true"
      >
        <path d={path} />
      </svg>
      {t(`state.${state}`)}
    </span>
  );
}
