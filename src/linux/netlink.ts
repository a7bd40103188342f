// A netlink socket: requests with their answers, and the kernel's multicast messages. Knows frames
// and outcomes; what is asked and what the answers mean is known to links.ts, conntrack.ts and
// xfrm.ts. The kernel answers within sendto(2), so most requests end without a turn of the event
// loop. One request is in flight at a time. linux/netlink.h, netlink(7).
import { setImmediate } from 'node:timers/promises';
import {
  NLM_F_ACK,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  type NetlinkMessage,
  type NetlinkOutcome,
  emitMessage,
  isOutcome,
  parseHostU32,
  parseMessages,
  parseOutcome,
} from '../core/wire/netlink.ts';
import { WireError } from '../core/wire/bytes.ts';
import {
  AF_NETLINK,
  LinuxError,
  SOCK_RAW,
  SOL_SOCKET,
  bindSocket,
  closeDescriptor,
  errnoName,
  openSocket,
  receiveInto,
  sendTo,
  setSocketInt,
  socketName,
  watchReadable,
} from './libc.ts';

export const NETLINK_ROUTE = 0;
export const NETLINK_XFRM = 6;
export const NETLINK_NETFILTER = 12;

// asm-generic/socket.h
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
// linux/netlink.h, linux/socket.h
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_NO_ENOBUFS = 5;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

// linux/netfilter/nfnetlink.h
const NFNL_MSG_BATCH_BEGIN = 16;
const NFNL_MSG_BATCH_END = 17;

/** The kernel fills at most 32 KiB for each read of a dump; a single larger message has not been seen. */
const LARGEST_DATAGRAM = 65_536;
/** Then the event loop gets its turn: whoever asks the daemon something waits for a few of these. */
const TURN_MS = 4;
const DUMP_ATTEMPTS = 5;
/** So that the acknowledgements of one batch (about 800 bytes each as the kernel counts) fit any receive buffer. */
const BATCH_LENGTH = 128;
const RECEIVE_BUFFER_BYTES = 4 << 20;

export interface NetlinkRequest {
  type: number;
  flags: number;
  payload: Uint8Array;
}

export interface NetlinkSocketOptions {
  /** Multicast groups by number (not as a bit mask). */
  groups?: readonly number[];
  onMessage?: (message: NetlinkMessage) => void;
  /** Messages were lost: what is known of the kernel's state must be dumped afresh. */
  onOverrun?: () => void;
  receiveBufferBytes?: number;
  /** False where the messages are numbered, so that the reader sees by itself what is lost. */
  isLossTold?: boolean;
}

/** A datagram of one or more requests, and what came back so far. */
interface Job {
  datagram: Uint8Array;
  attempted: string;
  firstSequence: number;
  outcomes: (NetlinkOutcome | null)[];
  outstanding: number;
  /** Begins and ends with a bracket. */
  isBatch: boolean;
  replies: NetlinkMessage[];
  /** Takes the answers instead of `replies`; their bytes are gone when it returns. */
  onReply: ((message: NetlinkMessage) => void) | null;
  interrupted: boolean;
  settle: (failure: LinuxError | null) => void;
}

export class NetlinkSocket {
  readonly #fd: number;
  readonly #portId: number;
  readonly #protocol: number;
  readonly #options: NetlinkSocketOptions;
  readonly #buffer = new Uint8Array(LARGEST_DATAGRAM);
  readonly #sender = new Uint8Array(12);
  readonly #unwatch: () => void;
  readonly #waiting: Job[] = [];
  #current: Job | null = null;
  #nextSequence = 1;
  #receiving = false;
  #closed = false;

  /** Opens in the network namespace of the calling thread. Throws LinuxError (EPROTONOSUPPORT: not in this kernel). */
  constructor(protocol: number, options: NetlinkSocketOptions = {}) {
    this.#protocol = protocol;
    this.#options = options;
    this.#fd = openSocket(AF_NETLINK, SOCK_RAW, protocol);
    try {
      setReceiveBuffer(this.#fd, options.receiveBufferBytes ?? RECEIVE_BUFFER_BYTES);
      // Each is missing on some kernel (4.20 has them all) and none is needed for correct answers.
      for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK]) {
        tryOption(() => setSocketInt(this.#fd, SOL_NETLINK, option, 1));
      }
      if (options.isLossTold === false) setSocketInt(this.#fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, 1);
      bindSocket(this.#fd, netlinkAddress(), `netlink protocol ${protocol}`);
      for (const group of options.groups ?? []) {
        setSocketInt(this.#fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
      }
      this.#portId = parseHostU32(socketName(this.#fd, 12), 4);
      this.#unwatch = watchReadable(this.#fd, () => this.#receive());
    } catch (error) {
      closeDescriptor(this.#fd);
      throw error;
    }
  }

  /**
   * Sends one request and gives its answers, those of a dump complete and consistent. Rejects with
   * LinuxError: the kernel's errno, ENOBUFS if an answer was lost, ECANCELED after close().
   */
  async request(type: number, flags: number, payload: Uint8Array): Promise<NetlinkMessage[]> {
    for (let attempt = 1; ; attempt += 1) {
      const job = await this.#submit([{ type, flags, payload }]);
      throwRefusal(job);
      if (!job.interrupted) return job.replies;
      // What was dumped changed meanwhile, so something may be missing or twice in it.
      if (attempt === DUMP_ATTEMPTS) {
        throw new LinuxError('netlink', 'EINTR', job.attempted, `${attempt} dumps were interrupted`);
      }
    }
  }

  /**
   * As `request`, but hands each answer on as it comes and keeps none: a dump of 100,000 entries would
   * be 30 MB. The bytes of an answer are gone when `onReply` returns. Resolves to whether the dump is
   * consistent; if not, something may be missing or twice in it.
   */
  async stream(
    type: number,
    flags: number,
    payload: Uint8Array,
    onReply: (message: NetlinkMessage) => void,
  ): Promise<boolean> {
    const job = await this.#submit([{ type, flags, payload }], onReply);
    throwRefusal(job);
    return !job.interrupted;
  }

  /** Sends many requests that have no answer but their outcome; the outcomes are in the same order. */
  async requestAll(requests: readonly NetlinkRequest[]): Promise<NetlinkOutcome[]> {
    const outcomes: NetlinkOutcome[] = [];
    let turnEnds = performance.now() + TURN_MS;
    for (let from = 0; from < requests.length; from += BATCH_LENGTH) {
      if (performance.now() > turnEnds) {
        await setImmediate();
        turnEnds = performance.now() + TURN_MS;
      }
      const job = await this.#submit(requests.slice(from, from + BATCH_LENGTH));
      for (const outcome of job.outcomes) outcomes.push(outcome!);
    }
    return outcomes;
  }

  /** Reads what has come by now, without waiting for the event loop. */
  receiveNow(): void {
    this.#receive();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unwatch();
    closeDescriptor(this.#fd);
    const open = this.#current ? [this.#current, ...this.#waiting] : this.#waiting;
    for (const job of open)
      job.settle(new LinuxError('netlink', 'ECANCELED', job.attempted, 'socket closed'));
    this.#current = null;
    this.#waiting.length = 0;
  }

  /**
   * Sends requests that the kernel takes or refuses as a whole (nfnetlink's batch). Throws LinuxError
   * with the reason of the first one refused, and then none has been done.
   */
  async transaction(subsystem: number, requests: readonly NetlinkRequest[]): Promise<void> {
    const payload = Uint8Array.of(0, 0, subsystem >> 8, subsystem & 0xff);
    const job = await this.#submit([
      { type: NFNL_MSG_BATCH_BEGIN, flags: 0, payload },
      ...requests,
      { type: NFNL_MSG_BATCH_END, flags: 0, payload },
    ]);
    const refused = job.outcomes.findIndex((outcome) => outcome!.errno !== 0);
    if (refused < 0) return;
    const { errno, text } = job.outcomes[refused]!;
    throw new LinuxError('netlink', errnoName(errno), job.attempted, text ?? `request ${refused}`);
  }

  #submit(requests: readonly NetlinkRequest[], onReply: Job['onReply'] = null): Promise<Job> {
    return new Promise((resolve, reject) => {
      const firstSequence = this.#nextSequence;
      // Zero is what the kernel's own messages carry.
      this.#nextSequence = firstSequence + requests.length > 0x7fffffff ? 1 : firstSequence + requests.length;
      const messages = requests.map(({ type, flags, payload }, index) =>
        emitMessage({
          type,
          flags: flags | NLM_F_REQUEST | (isBracket(type) ? 0 : NLM_F_ACK),
          sequence: firstSequence + index,
          portId: 0,
          payload,
        }),
      );
      const { type } = requests.find((one) => !isBracket(one.type)) ?? requests[0]!;
      const job: Job = {
        datagram: Buffer.concat(messages),
        attempted: `netlink protocol ${this.#protocol}, ${requests.length} × message type 0x${type.toString(16)}`,
        firstSequence,
        // The brackets of a batch are only answered when the whole is refused.
        outcomes: requests.map(({ type }) => (isBracket(type) ? { errno: 0, text: null } : null)),
        outstanding: requests.filter(({ type }) => !isBracket(type)).length,
        isBatch: isBracket(requests[0]!.type),
        replies: [],
        onReply,
        interrupted: false,
        settle: (failure) => (failure ? reject(failure) : resolve(job)),
      };
      if (this.#closed) {
        job.settle(new LinuxError('netlink', 'ECANCELED', job.attempted, 'socket closed'));
        return;
      }
      this.#waiting.push(job);
      this.#sendNext();
      this.#receive();
    });
  }

  #sendNext(): void {
    while (!this.#current) {
      const job = this.#waiting.shift();
      if (!job) return;
      this.#current = job;
      try {
        if (!sendTo(this.#fd, job.datagram, null, job.attempted)) {
          this.#finish(new LinuxError('sendto', 'ENOBUFS', job.attempted));
        }
      } catch (error) {
        if (!(error instanceof LinuxError)) throw error;
        this.#finish(error);
      }
    }
  }

  #finish(failure: LinuxError | null): void {
    this.#current?.settle(failure);
    this.#current = null;
  }

  #receive(): void {
    // A callback may submit a request; its answer is then read by the loop already running.
    if (this.#receiving) return;
    this.#receiving = true;
    try {
      const turnEnds = performance.now() + TURN_MS;
      while (!this.#closed && this.#receiveOne() && performance.now() < turnEnds);
    } finally {
      this.#receiving = false;
    }
  }

  #receiveOne(): boolean {
    let length: number | null;
    try {
      length = receiveInto(this.#fd, this.#buffer, this.#sender);
    } catch (error) {
      if (!(error instanceof LinuxError)) throw error;
      // netlink(7): ENOBUFS is said once, after messages for this socket were dropped.
      this.#lose(error);
      return true;
    }
    if (length === null) return false;
    // Only the kernel has port 0; root's other processes could write to us too.
    if (parseHostU32(this.#sender, 4) !== 0) return true;
    try {
      // A copy where the answers outlive the buffer.
      const bytes = this.#current?.onReply ? this.#buffer.subarray(0, length) : this.#buffer.slice(0, length);
      for (const message of parseMessages(bytes)) this.#take(message);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#lose(new LinuxError('netlink', 'EBADMSG', `protocol ${this.#protocol}`, error.message));
    }
    return true;
  }

  #lose(failure: LinuxError): void {
    this.#finish(failure);
    this.#sendNext();
    this.#options.onOverrun?.();
  }

  #take(message: NetlinkMessage): void {
    const job = this.#current;
    const index = job ? message.sequence - job.firstSequence : -1;
    // Multicast messages carry the port and sequence of whoever caused them.
    if (!job || message.portId !== this.#portId || index < 0 || index >= job.outcomes.length) {
      if (!isOutcome(message)) this.#options.onMessage?.(message);
      return;
    }
    if (message.flags & NLM_F_DUMP_INTR) job.interrupted = true;
    if (!isOutcome(message)) {
      if (job.onReply) job.onReply(message);
      else job.replies.push(message);
    } else if (job.isBatch && index === 0) {
      // The kernel took each request of a batch and could not commit them.
      const outcome = parseOutcome(message);
      if (outcome.errno === 0) return;
      job.outcomes[0] = outcome;
      this.#finish(null);
      this.#sendNext();
    } else if (!job.outcomes[index]) {
      job.outcomes[index] = parseOutcome(message);
      job.outstanding -= 1;
      if (job.outstanding === 0) {
        this.#finish(null);
        this.#sendNext();
      }
    }
  }
}

function isBracket(type: number): boolean {
  return type === NFNL_MSG_BATCH_BEGIN || type === NFNL_MSG_BATCH_END;
}

function throwRefusal({ outcomes, attempted }: Job): void {
  const outcome = outcomes[0]!;
  if (outcome.errno !== 0)
    throw new LinuxError('netlink', errnoName(outcome.errno), attempted, outcome.text ?? '');
}

/** The values in a kernel's answers, without the null ones; bytes that make no sense are a LinuxError (EBADMSG). */
export function decodeAll<T>(
  messages: readonly NetlinkMessage[],
  parse: (message: NetlinkMessage) => T | null,
): T[] {
  const values: T[] = [];
  try {
    for (const message of messages) {
      const value = parse(message);
      if (value !== null) values.push(value);
    }
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new LinuxError('netlink', 'EBADMSG', 'decoding an answer', error.message);
  }
  return values;
}

/** struct sockaddr_nl: the kernel picks the port, and groups are joined one by one. */
function netlinkAddress(): Uint8Array {
  const address = new Uint8Array(12);
  address[0] = AF_NETLINK;
  return address;
}

function tryOption(set: () => void): boolean {
  try {
    set();
    return true;
  } catch (error) {
    if (error instanceof LinuxError) return false;
    throw error;
  }
}

function setReceiveBuffer(fd: number, bytes: number): void {
  // FORCE passes net.core.rmem_max but needs CAP_NET_ADMIN in the first user namespace.
  if (!tryOption(() => setSocketInt(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes))) {
    tryOption(() => setSocketInt(fd, SOL_SOCKET, SO_RCVBUF, bytes));
  }
}
