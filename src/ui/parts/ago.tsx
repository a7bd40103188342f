// How long ago something was, kept up to date; the exact time is in the tooltip.
import { formatAgo, formatDateTime } from '../text/text.ts';
import { now } from './now.ts';

export function Ago({ at }: { at: string }) {
  return (
    <time dateTime={at} title={formatDateTime(at)}>
      {formatAgo(at, now.value)}
    </time>
  );
}
