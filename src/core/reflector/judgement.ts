// What the two ends have counted becomes a word and a sentence: what comes through, and if not, which way it
// is lost. The far end's count is what tells the directions apart.
import { whereOf, type Crossing } from './crossings.ts';

/** `lost`: TCP does not tell which way. */
export type Outcome = 'passes' | 'losses' | 'lost there' | 'lost back' | 'lost' | 'refused' | 'not tried';

export interface Counts {
  readonly sent: number;
  /** At the far end. */
  readonly arrived: number;
  /** Of the far end's answers. */
  readonly back: number;
}

export interface Result {
  readonly id: string;
  readonly name: string;
  readonly where: string;
  readonly outcome: Outcome;
  readonly sentence: string;
  readonly sent: number;
  readonly arrived: number;
  readonly back: number;
  /** Where it seemed to come from at the far end, such as `198.51.100.2:500`, or null. */
  readonly from: string | null;
}

export interface Seen extends Counts {
  readonly from: string | null;
  /** The port it left from, or null. */
  readonly sourcePort: number | null;
  /** The errno of a TCP connection that failed, or null. */
  readonly refusal: string | null;
  /** Why it was not tried, as a sentence, or null. */
  readonly untried: string | null;
  /** It is the gateway that asks: it keeps ESP for its devices, so answers cannot be waited for. */
  readonly onlyThere: boolean;
}

const NOTHING: Counts = { sent: 0, arrived: 0, back: 0 };

export function judgeCrossing(crossing: Crossing, seen: Seen): Result {
  const { sent, arrived, back } = seen.untried === null ? seen : NOTHING;
  const result = (outcome: Outcome, sentence: string): Result => ({
    id: crossing.id,
    name: crossing.name,
    where: whereOf(crossing),
    outcome,
    sentence,
    sent,
    arrived,
    back,
    from: seen.from,
  });
  if (seen.untried !== null) return result('not tried', seen.untried);
  if (crossing.carrier === 'tcp') return judgeTcp(seen, result);
  if (seen.onlyThere && arrived > 0) {
    return result(
      arrived === sent ? 'passes' : 'losses',
      `${arrived} of ${sent} arrived; the way back can only be tried from a device, since the gateway keeps ESP for devices.`,
    );
  }
  if (back === sent) return result('passes', `${sent} of ${sent} went there and back.${portOf(seen)}`);
  if (back > 0) {
    return result(
      'losses',
      `Of ${sent} sent, ${arrived} arrived and ${back} answers came back.${portOf(seen)}`,
    );
  }
  const what = remedy(crossing);
  return arrived === 0
    ? result(
        'lost there',
        `None of ${sent} arrived at the far end: something on the way there drops ${what}.`,
      )
    : result(
        'lost back',
        `${arrived} of ${sent} arrived, and no answer came back: something on the way back drops ${what}.`,
      );
}

function judgeTcp(
  { arrived, back, refusal }: Seen,
  result: (outcome: Outcome, sentence: string) => Result,
): Result {
  if (back > 0) return result('passes', 'The connection was made, and data passed both ways.');
  if (arrived > 0)
    return result(
      'lost back',
      'The far end got the data, and its answer was lost or changed on the way back.',
    );
  if (refusal === 'ECONNREFUSED' || refusal === 'ECONNRESET')
    return result(
      'refused',
      `Something on the way refused the connection (${refusal}); the far end listens there.`,
    );
  return result(
    'lost',
    'The connection was not made: something on the way drops it. Of TCP it cannot be told in which direction.',
  );
}

function remedy({ id, carrier, port }: Crossing): string {
  if (id.endsWith('fragments')) return 'fragments';
  if (id.endsWith('large')) return 'large packets, without a word of it';
  return carrier === 'udp'
    ? `UDP ${port}`
    : carrier === 'esp'
      ? 'ESP (IP protocol 50)'
      : 'GRE (IP protocol 47)';
}

/** What a translator on the way has made of the source port. */
function portOf({ from, sourcePort }: Seen): string {
  const arrivedFrom = from?.includes(':') ? Number(from.slice(from.lastIndexOf(':') + 1)) : null;
  if (arrivedFrom === null || sourcePort === null || arrivedFrom === sourcePort) return '';
  return ` Source port ${sourcePort} became ${arrivedFrom}.`;
}

/** The whole in one sentence. */
export function concludePath(results: readonly Result[]): string {
  const bad = results.filter(({ outcome }) => outcome !== 'passes' && outcome !== 'not tried');
  const tried = results.filter(({ outcome }) => outcome !== 'not tried');
  if (tried.length === 0) return 'Nothing could be tried.';
  if (bad.length === 0) return 'All that was tried comes through in both directions.';
  const list = bad.map((one) => `${one.name} (${one.where}): ${one.outcome}`).join('; ');
  return `${bad.length} of ${tried.length} do not come through as they should: ${list}.`;
}

export function comesThrough(results: readonly Result[]): boolean {
  return (
    results.some(({ outcome }) => outcome === 'passes') &&
    results.every(({ outcome }) => outcome === 'passes' || outcome === 'not tried')
  );
}
