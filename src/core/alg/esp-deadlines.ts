// When a server of the pairing machine has to be looked at again, and how long a device keeps others
// waiting. RFC 2409 5.5, RFC 7296 1.2 and 1.3: when an exchange is over.
import { exchangeTypes } from '../wire/isakmp.ts';
import { answerWithinMs, REACTION_MS } from './esp-evidence.ts';
import type { Party, Server } from './esp-state.ts';
import { RENEW_MS, TURN_MS } from './esp-turns.ts';
import type { Instant } from './machine.ts';

/** How long a packet waits for evidence; then all devices that may be meant get it. */
export const MOST_WAIT_MS = 200;
/** After this long without proof the likeliest device keeps it. */
export const TRIAL_MS = 60_000;
/** So long several devices may get its packets. */
export const MOST_SHARED_MS = 3_600_000;
/** How long after an exchange its device's or the server's first packet is waited for, while others wait. */
const AFTERMATH_MS = { least: 1000, most: 1200 };
/** Between two looks at a server that nothing has happened at. */
const LEAST_PAUSE_MS = 5;

/** Until when this device keeps others waiting: an exchange runs, or its first answer is due. */
export function busyUntil(party: Party, now: Instant): Instant {
  let until = -Infinity;
  const { server } = party;
  const afterMath = Math.min(AFTERMATH_MS.most, Math.max(AFTERMATH_MS.least, answerWithinMs(server)));
  const its = [...server.unsettled.values()].filter(({ on }) => on === party);
  const given = its.filter(({ firstAt }) => firstAt >= server.turns.since).length;
  let left = party.open.size - given;
  for (const child of [...party.open].toReversed()) {
    if (left <= 0) break;
    left -= 1;
    // The server had spoken first.
    if (child.out !== null && its.some((one) => one.child === child)) continue;
    const { exchange, out } = child;
    if (exchange !== null) {
      const done =
        exchange.type === exchangeTypes.quickMode && exchange.by === 'lan'
          ? exchange.confirmedAt
          : exchange.answeredAt;
      if (done === null) until = Math.max(until, exchange.askedAt + TURN_MS);
      else until = Math.max(until, done + afterMath);
    }
    const first = out?.sentAt[0];
    if (first !== undefined) until = Math.max(until, first + answerWithinMs(server));
  }
  return until > now ? until : -Infinity;
}

export function deadline(server: Server): Instant | null {
  let at = Infinity;
  for (const unsettled of server.unsettled.values()) {
    const { on, shared, firstAt, onSince } = unsettled;
    const sharedUntil = firstAt + (server.wokenAt < firstAt + TRIAL_MS ? TRIAL_MS : MOST_SHARED_MS);
    const nobodys = shared.size === 0 ? firstAt + MOST_WAIT_MS : sharedUntil;
    at = Math.min(at, on === null ? nobodys : onSince + TRIAL_MS);
    for (const deliveredAt of unsettled.awaited.values()) at = Math.min(at, deliveredAt + REACTION_MS);
  }
  const { turns } = server;
  if (turns.holder !== null) {
    const party = server.parties.get(turns.holder);
    const busy = party ? busyUntil(party, -Infinity) : -Infinity;
    const lapse = turns.renewedAt + (turns.waiting > 0 ? RENEW_MS : TURN_MS);
    at = Math.min(at, Math.max(turns.since, Math.min(busy, lapse)));
  }
  return at === Infinity ? null : Math.max(at, server.wokenAt + LEAST_PAUSE_MS);
}
