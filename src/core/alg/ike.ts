// Which device runs which IKE exchange with which server, from headers alone: IKE SAs by their SPIs
// (cookies in version 1), their phase-2 exchanges by message id, who began each and how far it is.
// Knows nothing of what is encrypted: whether CREATE_CHILD_SA makes a child SA or renews the IKE SA
// shows only later, when the device goes on under SPIs that no IKE_SA_INIT made.
// RFC 2408 3.1, RFC 2409 5.5, RFC 7296 1.3, 2.2 and 3.1.
import { exchangeTypes, type IsakmpMessage } from '../wire/isakmp.ts';
import type { Address, IkeSeen, Side } from './fact.ts';
import type { Instant } from './machine.ts';

/** A device has one IKE SA for each server and tunnel, and for a while its predecessor. */
const MOST_SAS_OF_DEVICE = 64;
/** What a gateway of thousands of devices has; about 400 bytes each. */
const MOST_SAS = 16_384;
/** Exchanges of one IKE SA that are remembered; peers have a window of one or a few (RFC 7296 2.3). */
const MOST_EXCHANGES = 8;

/** A phase-2 exchange: IKE_AUTH, CREATE_CHILD_SA or Quick Mode. */
export interface Exchange {
  readonly client: Address;
  readonly server: Address;
  readonly version: 1 | 2;
  readonly type: number;
  /** Who asked. */
  readonly by: Side;
  readonly askedLength: number;
  readonly askedAt: Instant;
  /** The request was sent more than once, so which one is answered cannot be known. */
  repeated: boolean;
  answeredAt: Instant | null;
  /** Of Quick Mode, which has a third message. */
  confirmedAt: Instant | null;
}

/** `another` repeats a message or belongs to no exchange whose beginning was seen. */
export type ExchangeStep = 'asked' | 'answered' | 'confirmed' | 'another';

export type IkeNews =
  | { readonly kind: 'exchange'; readonly step: ExchangeStep; readonly exchange: Exchange }
  /** The device goes on under SPIs that a CREATE_CHILD_SA must have made: an IKE SA was renewed. */
  | { readonly kind: 'renewed'; readonly client: Address; readonly server: Address }
  | null;

interface IkeSa {
  readonly server: Address;
  readonly initiatorSpi: bigint;
  readonly client: Address;
  answered: boolean;
  readonly exchanges: Map<string, Exchange>;
}

export function isPhaseTwo(type: number): boolean {
  return (
    type === exchangeTypes.quickMode || type === exchangeTypes.ikeAuth || type === exchangeTypes.createChildSa
  );
}

export class IkeTracker {
  readonly #byServer = new Map<Address, Map<bigint, IkeSa>>();
  /** In the order of their latest message; those that nobody answered are the first to go. */
  readonly #answered = new Set<IkeSa>();
  readonly #unanswered = new Set<IkeSa>();
  readonly #ofDevice = new Map<Address, Set<IkeSa>>();

  get size(): number {
    return this.#answered.size + this.#unanswered.size;
  }

  /** The device that this message belongs to, as far as the message or its IKE SA tells. */
  clientOf({ client, server, message }: IkeSeen): Address | null {
    return client ?? this.#byServer.get(server)?.get(message.header.initiatorSpi)?.client ?? null;
  }

  /** Whether a message belongs to an exchange whose beginning was let through. */
  isUnderWay({ server, from, message }: IkeSeen): boolean {
    const { initiatorSpi } = message.header;
    return this.#byServer.get(server)?.get(initiatorSpi)?.exchanges.has(keyOf(from, message)) ?? false;
  }

  hear(seen: IkeSeen, now: Instant): IkeNews {
    const { header } = seen.message;
    const known = this.#byServer.get(seen.server)?.get(header.initiatorSpi);
    const client = seen.client ?? known?.client ?? null;
    // A server's message that no device is known for tells nothing.
    if (client === null) return null;
    const sa = known?.client === client ? known : this.#begin(seen, client);
    this.#touch(sa, seen.from === 'wan');
    if (isPhaseTwo(header.exchangeType)) return this.#hearExchange(sa, seen, now);
    const isFresh = known === undefined && header.responderSpi !== 0n;
    return isFresh && header.majorVersion === 2 && header.exchangeType === exchangeTypes.informational
      ? { kind: 'renewed', client, server: seen.server }
      : null;
  }

  #hearExchange(sa: IkeSa, { from, message, server }: IkeSeen, now: Instant): IkeNews {
    const { majorVersion, exchangeType, flags, length } = message.header;
    const asker = askerOf(from, message);
    const key = keyOf(from, message);
    const known = sa.exchanges.get(key);
    if (known === undefined) {
      const exchange: Exchange = {
        client: sa.client,
        server,
        version: majorVersion,
        type: exchangeType,
        by: asker,
        askedLength: length,
        askedAt: now,
        repeated: false,
        answeredAt: majorVersion === 2 && flags.response ? now : null,
        confirmedAt: null,
      };
      sa.exchanges.set(key, exchange);
      if (sa.exchanges.size > MOST_EXCHANGES) sa.exchanges.delete(sa.exchanges.keys().next().value!);
      return { kind: 'exchange', step: exchange.answeredAt === null ? 'asked' : 'answered', exchange };
    }
    return { kind: 'exchange', step: stepOf(known, from, length, now), exchange: known };
  }

  #begin({ server, message }: IkeSeen, client: Address): IkeSa {
    const { initiatorSpi } = message.header;
    const replaced = this.#byServer.get(server)?.get(initiatorSpi);
    if (replaced) this.#forget(replaced);
    const own = this.#ofDevice.get(client);
    if (own && own.size >= MOST_SAS_OF_DEVICE) this.#forget(oldest(own));
    else if (this.size >= MOST_SAS) {
      this.#forget(oldest(this.#unanswered.size > 0 ? this.#unanswered : this.#answered));
    }
    const sa: IkeSa = { server, initiatorSpi, client, answered: false, exchanges: new Map() };
    const ofServer = this.#byServer.get(server);
    if (ofServer) ofServer.set(initiatorSpi, sa);
    else this.#byServer.set(server, new Map([[initiatorSpi, sa]]));
    const ofDevice = this.#ofDevice.get(client);
    if (ofDevice) ofDevice.add(sa);
    else this.#ofDevice.set(client, new Set([sa]));
    return sa;
  }

  #touch(sa: IkeSa, isAnswer: boolean): void {
    (sa.answered ? this.#answered : this.#unanswered).delete(sa);
    if (isAnswer) sa.answered = true;
    (sa.answered ? this.#answered : this.#unanswered).add(sa);
    const own = this.#ofDevice.get(sa.client)!;
    own.delete(sa);
    own.add(sa);
  }

  #forget(sa: IkeSa): void {
    this.#answered.delete(sa);
    this.#unanswered.delete(sa);
    const ofServer = this.#byServer.get(sa.server)!;
    ofServer.delete(sa.initiatorSpi);
    if (ofServer.size === 0) this.#byServer.delete(sa.server);
    const own = this.#ofDevice.get(sa.client)!;
    own.delete(sa);
    if (own.size === 0) this.#ofDevice.delete(sa.client);
  }
}

function askerOf(from: Side, { header }: IsakmpMessage): Side {
  return header.majorVersion === 2 && header.flags.response ? (from === 'lan' ? 'wan' : 'lan') : from;
}

/** In version 1 nothing in the header tells a request from its answer (RFC 2408 3.1). */
function keyOf(from: Side, message: IsakmpMessage): string {
  const { majorVersion, exchangeType, messageId } = message.header;
  return `${exchangeType}/${messageId}/${majorVersion === 2 ? askerOf(from, message) : ''}`;
}

/** What a further message of an exchange is. */
function stepOf(exchange: Exchange, from: Side, length: number, now: Instant): ExchangeStep {
  if (from !== exchange.by) {
    if (exchange.answeredAt !== null) return 'another';
    exchange.answeredAt = now;
    return 'answered';
  }
  // Quick Mode's first message is repeated with the same length; the third one is a hash only (RFC 2409 5.5).
  const isThird = exchange.version === 1 && exchange.answeredAt !== null && length < exchange.askedLength;
  if (!isThird || exchange.confirmedAt !== null) {
    exchange.repeated = true;
    return 'another';
  }
  exchange.confirmedAt = now;
  return 'confirmed';
}

function oldest<T>(set: ReadonlySet<T>): T {
  return set.values().next().value!;
}
