// A session's record in the shape of the API: instants become times of the world, codes become text.
import { expiryOf, pairingOf, trafficOf, type SessionRecord } from '../core/alg/session-record.ts';
import type { Session, SessionStory } from './api/session.ts';
import type { HistoryLine } from './journal.ts';

export interface ShapeContext {
  readonly device: { readonly id: string; readonly name: string | null; readonly mac: string | null };
  readonly serverName: string | null;
  readonly now: number;
  /** What is added to an instant to give milliseconds since 1970. */
  readonly epoch: number;
  readonly espIdleMs: number;
}

const time = (ms: number): string => new Date(Math.round(ms)).toISOString();

const hex = (spi: number): string => `0x${spi.toString(16).padStart(8, '0')}`;

/** More SPIs than this make no readable line; the session's story has them all. */
const MOST_SPIS_SHOWN = 8;

export function describeSession(record: Readonly<SessionRecord>, context: ShapeContext): Session {
  const { now, epoch, espIdleMs, device } = context;
  const at = (instant: number | null): string | null => (instant === null ? null : time(instant + epoch));
  const hasEnded = record.endedAt !== null;
  const expiry = hasEnded ? null : expiryOf(record, espIdleMs);
  return {
    id: String(record.id),
    device: { id: device.id, name: device.name, address: record.client, mac: device.mac },
    protocol: record.protocol,
    guessed: record.guessed,
    server: {
      address: record.server,
      name: record.serverName ?? context.serverName,
      port: record.serverPort,
    },
    state: record.state,
    since: time(record.since + epoch),
    ended_at: at(record.endedAt),
    last_packet: { out: at(record.lastOut), in: at(record.lastIn) },
    traffic: trafficOf(record),
    expires_in_seconds: expiry === null ? null : Math.max(0, Math.round((expiry - now) / 1000)),
    details: detailsOf(record),
    pairing: pairingOf(record),
    trouble: record.trouble,
  };
}

function detailsOf(record: Readonly<SessionRecord>): Session['details'] {
  const details = Object.entries(record.details).map(([name, value]) => ({ name, value }));
  for (const direction of ['out', 'in'] as const) {
    const spis = record.sas.filter((sa) => sa.direction === direction).map((sa) => hex(sa.spi));
    if (spis.length === 0) continue;
    const more = spis.length > MOST_SPIS_SHOWN ? ` and ${spis.length - MOST_SPIS_SHOWN} older` : '';
    const name = direction === 'out' ? 'SPI towards the server' : 'SPI towards the device';
    details.push({ name, value: `${spis.slice(-MOST_SPIS_SHOWN).join(', ')}${more}` });
  }
  const port = record.flows.find((flow) => flow.clientPort !== null && flow.protocol !== 47)?.clientPort;
  if (port !== undefined && port !== null) details.push({ name: 'port of the device', value: String(port) });
  return details;
}

export function describeStory(
  record: Readonly<SessionRecord>,
  session: Session,
  history: readonly HistoryLine[],
  epoch: number,
): SessionStory {
  return {
    ...session,
    pairs: record.sas.flatMap((sa) =>
      sa.confidence === null
        ? []
        : [
            {
              spi: hex(sa.spi),
              confidence: sa.confidence,
              evidence: sa.evidence ?? '',
              since: time(sa.since + epoch),
            },
          ],
    ),
    history: history.map(({ at, what }) => ({ at: time(at), what })),
  };
}
