// Following a part of the kernel's state: join its multicast groups, and dump it afresh whenever
// they say that something changed. What a message says is deliberately not applied: some changes
// are never announced (IPv4 routes vanish in silence with their link), some announcements are lost,
// and a dump is right in all cases.
import type { NetlinkMessage } from '../core/wire/netlink.ts';
import { LinuxError } from './libc.ts';
import { NetlinkSocket } from './netlink.ts';

/** Bursts come within this; a link going down announces some ten changes in under a millisecond. */
const SETTLE_MS = 10;
/** A machine with thousands of links that flap spends at most a fifth of its time in dumps. */
const REST_FACTOR = 4;
const RETRY_MS = 1_000;

export interface FollowOptions<T> {
  protocol: number;
  groups: readonly number[];
  /** Whether a message can mean that the state changed; a router may see thousands that cannot. */
  concerns: (message: NetlinkMessage) => boolean;
  dump: (socket: NetlinkSocket) => Promise<T>;
  /** The state differs from the one before, in its JSON form; a burst of changes is one call. */
  onChange: (state: T) => void;
  /** A dump failed and will be tried again in a second. */
  onError: (error: LinuxError) => void;
}

export interface Follower<T> {
  current(): T;
  close(): void;
}

/** Joins the groups, then dumps: nothing can change unseen in between. */
export async function follow<T>(options: FollowOptions<T>): Promise<Follower<T>> {
  let started = false;
  let dirty = false;
  let closed = false;
  let timer: NodeJS.Timeout | null = null;
  let notBefore = 0;
  let current: T;
  let rendered = '';

  const accept = (state: T): boolean => {
    const before = rendered;
    rendered = JSON.stringify(state);
    current = state;
    return rendered !== before;
  };
  const touch = (): void => {
    dirty = true;
    if (started) schedule();
  };
  const schedule = (): void => {
    if (timer || closed) return;
    timer = setTimeout(() => void refresh(), Math.max(SETTLE_MS, notBefore - performance.now()));
  };
  const refresh = async (): Promise<void> => {
    dirty = false;
    const began = performance.now();
    let changed = false;
    try {
      changed = accept(await options.dump(socket));
      notBefore = performance.now() + (performance.now() - began) * REST_FACTOR;
    } catch (error) {
      if (closed) return;
      if (!(error instanceof LinuxError)) throw error;
      options.onError(error);
      dirty = true;
      notBefore = performance.now() + RETRY_MS;
    }
    timer = null;
    if (dirty) schedule();
    if (changed && !closed) options.onChange(current);
  };

  const socket = new NetlinkSocket(options.protocol, {
    groups: options.groups,
    onMessage: (message) => {
      if (options.concerns(message)) touch();
    },
    onOverrun: touch,
  });
  try {
    accept(await options.dump(socket));
    started = true;
    if (dirty) schedule();
    return {
      current: () => current,
      close: () => {
        closed = true;
        if (timer) clearTimeout(timer);
        socket.close();
      },
    };
  } catch (error) {
    socket.close();
    throw error;
  }
}
