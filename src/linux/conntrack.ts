// The kernel's connection tracking table of this network namespace: list, count and delete entries
// and expectations. Knows nothing of which entries a switch ends; the caller says so by a predicate.
// Each call has a socket of its own, so a long list never holds up a deletion.
import {
  CT_DELETE,
  CT_GET,
  CT_GET_STATS,
  type ConntrackEntry,
  type ConntrackExpectation,
  type ConntrackFilter,
  type ConntrackGlance,
  type ConntrackStats,
  EXP_DELETE,
  EXP_GET,
  emitConntrackDelete,
  emitConntrackDump,
  emitConntrackStatsRequest,
  emitExpectationDelete,
  emitExpectationDump,
  glanceAtConntrack,
  parseConntrack,
  parseConntrackStats,
  parseExpectation,
} from '../core/wire/ctnetlink.ts';
import { WireError } from '../core/wire/bytes.ts';
import { NLM_F_DUMP } from '../core/wire/netlink.ts';
import { LinuxError, errnoName } from './libc.ts';
import { NETLINK_NETFILTER, NetlinkSocket, type NetlinkRequest, decodeAll } from './netlink.ts';

/** A table that changes its size is dumped anew this often. */
const FLUSH_ATTEMPTS = 5;

/** All entries that the filter lets through; the kernel does the sifting where it can (Linux 5.8). */
export function listConntrack(filter: ConntrackFilter = {}): Promise<ConntrackEntry[]> {
  return withSocket(async (socket) => {
    // The kernel compares tuples of one family at a time.
    const { family, protocol } = filter;
    const families = family === undefined && protocol !== undefined ? ([4, 6] as const) : [family];
    const entries: ConntrackEntry[] = [];
    for (const family of families) {
      const part = family === undefined ? filter : { ...filter, family };
      for (const entry of await dumpEntries(socket, part)) {
        // Once more here: kernels before 5.8 do not know the filter and send everything.
        if (passes(entry, part)) entries.push(entry);
      }
    }
    return entries;
  });
}

/**
 * Calls `onEntry` with all entries that `wants` takes at a glance, and keeps nothing. Resolves to whether
 * the list is complete: in a table that changes, something may be missing or twice.
 */
export function streamConntrack(
  wants: (glance: ConntrackGlance) => boolean,
  onEntry: (entry: ConntrackEntry) => void,
): Promise<boolean> {
  return withSocket(async (socket) => {
    let isReadable = true;
    const isComplete = await socket.stream(CT_GET, NLM_F_DUMP, emitConntrackDump({}), ({ payload }) => {
      const glance = glanceAtConntrack(payload);
      if (glance !== null && !wants(glance)) return;
      try {
        const entry = parseConntrack(payload);
        if (entry) onEntry(entry);
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        isReadable = false;
      }
    });
    return isComplete && isReadable;
  });
}

/** Deletes exactly these entries and says how many there still were; one already gone is no error. */
export function deleteConntrack(entries: readonly ConntrackEntry[]): Promise<number> {
  return withSocket((socket) => deleteAll(socket, entries.map(deletion)));
}

function deletion(entry: ConntrackEntry): NetlinkRequest {
  return { type: CT_DELETE, flags: 0, payload: emitConntrackDelete(entry) };
}

/** Deletes the entries for which `predicate` holds, and says how many. Keeps nothing of the others. */
export function flushMatching(predicate: (entry: ConntrackEntry) => boolean): Promise<number> {
  return withSocket(async (socket) => {
    let deleted = 0;
    for (let attempt = 1; attempt <= FLUSH_ATTEMPTS; attempt += 1) {
      const requests: NetlinkRequest[] = [];
      const isComplete = await socket.stream(CT_GET, NLM_F_DUMP, emitConntrackDump({}), ({ payload }) => {
        const entry = parseConntrack(payload);
        if (entry && predicate(entry)) requests.push(deletion(entry));
      });
      deleted += await deleteAll(socket, requests);
      // What an interrupted dump has missed is found by the next one.
      if (isComplete) break;
    }
    return deleted;
  });
}

export function listExpectations(): Promise<ConntrackExpectation[]> {
  return withSocket(async (socket) =>
    decodeAll(await socket.request(EXP_GET, NLM_F_DUMP, emitExpectationDump()), ({ payload }) =>
      parseExpectation(payload),
    ),
  );
}

/** As deleteConntrack; an expectation also goes with its master connection. */
export function deleteExpectations(expectations: readonly ConntrackExpectation[]): Promise<number> {
  const requests = expectations.map((expectation) => ({
    type: EXP_DELETE,
    flags: 0,
    payload: emitExpectationDelete(expectation),
  }));
  return withSocket((socket) => deleteAll(socket, requests));
}

/** How full the table is. `maxEntries` is the limit of all namespaces together. */
export function readConntrackStats(): Promise<ConntrackStats> {
  return withSocket(async (socket) => {
    const answers = await socket.request(CT_GET_STATS, 0, emitConntrackStatsRequest());
    const [stats] = decodeAll(answers, ({ payload }) => parseConntrackStats(payload));
    if (!stats) throw new LinuxError('netlink', 'ENODATA', 'conntrack statistics');
    return stats;
  });
}

async function dumpEntries(socket: NetlinkSocket, filter: ConntrackFilter): Promise<ConntrackEntry[]> {
  const dump = async (filter: ConntrackFilter): Promise<ConntrackEntry[]> =>
    decodeAll(await socket.request(CT_GET, NLM_F_DUMP, emitConntrackDump(filter)), ({ payload }) =>
      parseConntrack(payload),
    );
  try {
    return await dump(filter);
  } catch (error) {
    const refused = error instanceof LinuxError && ['EOPNOTSUPP', 'ENOTSUP', 'EINVAL'].includes(error.errno);
    // A kernel that knows filters, but not this one.
    if (refused && filter.protocol !== undefined) {
      return dump(filter.family === undefined ? {} : { family: filter.family });
    }
    throw error;
  }
}

function passes({ original }: ConntrackEntry, filter: ConntrackFilter): boolean {
  return (
    (filter.family === undefined || original.family === filter.family) &&
    (filter.protocol === undefined || original.protocol === filter.protocol) &&
    (filter.destinationPort === undefined || original.destinationPort === filter.destinationPort)
  );
}

async function deleteAll(socket: NetlinkSocket, requests: readonly NetlinkRequest[]): Promise<number> {
  let deleted = 0;
  for (const { errno, text } of await socket.requestAll(requests)) {
    if (errno === 0) deleted += 1;
    else if (errnoName(errno) !== 'ENOENT') {
      throw new LinuxError('netlink', errnoName(errno), 'delete from conntrack', text ?? '');
    }
  }
  return deleted;
}

async function withSocket<T>(use: (socket: NetlinkSocket) => Promise<T>): Promise<T> {
  const socket = new NetlinkSocket(NETLINK_NETFILTER);
  try {
    return await use(socket);
  } finally {
    socket.close();
  }
}
