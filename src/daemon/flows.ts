// Which running connections end, and ending them: those of a protocol that is off, and those of a
// WAN address that is gone. The rules block them already; this frees what they hold.
import type { Ipv4Address } from '../core/address.ts';
import type { SessionRecord } from '../core/alg/session-record.ts';
import { PROTOCOLS, type Passthrough, type Protocol } from '../core/config/schema.ts';
import { switchOf, switchOfEntry } from '../core/policy/vpn-flows.ts';
import type { ConntrackEntry } from '../core/wire/ctnetlink.ts';
import { ipProtocols } from '../core/wire/ipv4.ts';
import { deleteExpectations, flushMatching, listExpectations, streamConntrack } from '../linux/conntrack.ts';

/** Conntrack entries that were deleted, by the switch that governs them. */
export type Ended = Partial<Record<Protocol, number>>;

export async function endDisabledFlows(passthrough: Passthrough): Promise<Ended> {
  const off = PROTOCOLS.filter((protocol) => passthrough[protocol] === 'disabled');
  const ended: Ended = {};
  if (off.length === 0) return ended;
  const count = await flushMatching((entry) => {
    const protocol = switchOfEntry(entry);
    if (protocol === null || !off.includes(protocol)) return false;
    ended[protocol] = (ended[protocol] ?? 0) + 1;
    return true;
  });
  collectGarbage(count);
  if (off.includes('pptp')) {
    const expected = await listExpectations();
    await deleteExpectations(
      expected.filter((one) => one.helper === 'pptp' || switchOf(one.master) === 'pptp'),
    );
  }
  return ended;
}

/** How many connections there are of these protocols, more or less where they come and go meanwhile. */
export async function countFlows(protocols: readonly Protocol[]): Promise<Ended> {
  const counted: Ended = {};
  await streamConntrack(
    () => true,
    (entry) => {
      const protocol = switchOfEntry(entry);
      if (protocol !== null && protocols.includes(protocol)) counted[protocol] = (counted[protocol] ?? 0) + 1;
    },
  );
  return counted;
}

/** Resolves to how many there were. */
export async function endFlowsOfAddress(address: Ipv4Address): Promise<number> {
  const ended = await flushMatching((entry) => hadAddress(entry, address) && switchOfEntry(entry) !== null);
  collectGarbage(ended);
  return ended;
}

/** Resolves to how many connections of a session there were. */
export async function endFlowsOfSession({ client, server, flows }: SessionRecord): Promise<number> {
  const wanted = new Set(flows.map((flow) => `${flow.protocol} ${flow.clientPort} ${flow.serverPort}`));
  if (wanted.size === 0) return 0;
  return flushMatching(({ original, reply }) => {
    const { protocol } = original;
    // Either end may have begun; translated addresses stand in the other direction only.
    return (
      (original.source === client &&
        original.destination === server &&
        wanted.has(`${protocol} ${original.sourcePort} ${original.destinationPort}`)) ||
      (reply.source === client &&
        original.source === server &&
        wanted.has(`${protocol} ${reply.sourcePort} ${original.sourcePort}`))
    );
  });
}

/** Whether a device's flow is translated to this address of the WAN, whoever began it. */
function hadAddress({ original, reply }: ConntrackEntry, address: Ipv4Address): boolean {
  return (
    reply.destination === address ||
    (original.destination === address && reply.source !== original.destination)
  );
}

/**
 * ESP that conntrack translates, as it did before this gateway began or as another table has told it:
 * its entries, one for all devices of a server, would overrule the pairs.
 */
export async function endTranslatedEsp(): Promise<void> {
  await flushMatching(
    ({ original, reply }) => original.protocol === ipProtocols.esp && reply.destination !== original.source,
  );
}

/** So many entries leave megabytes behind that V8 would not look at for a long time. */
const MANY_ENTRIES = 1_000;

/** Gives the memory of a large deletion back now: a gateway may be idle for hours after it. */
function collectGarbage(entries: number): void {
  // There with --expose-gc, which bin/throughway gives.
  if (entries >= MANY_ENTRIES) globalThis.gc?.();
}
