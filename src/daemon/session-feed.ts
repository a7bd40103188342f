// The sessions as a stream of changes for those who watch: everything once, in pieces, then once a second
// what is different. Nothing is compared while nobody watches. Knows no HTTP.
import type { Session, SessionsAll, SessionsSome } from './api/session.ts';

/** One message of the stream. */
export type SessionNews =
  | { readonly name: 'all'; readonly data: SessionsAll }
  | { readonly name: 'some'; readonly data: SessionsSome };

const LOOK_EVERY_MS = 1000;
/** So many are read by a browser without a noticeable pause. */
const MOST_IN_ONE = 500;

export class SessionFeed {
  readonly #list: () => readonly Session[];
  readonly #followers = new Set<(text: string) => void>();
  /** What followers know of each session. */
  #known = new Map<string, string>();
  #timer: NodeJS.Timeout | null = null;

  constructor(list: () => readonly Session[]) {
    this.#list = list;
  }

  get followers(): number {
    return this.#followers.size;
  }

  /** Tells everything at once, then changes, as text of server-sent events, until the returned function is called. */
  follow(tell: (text: string) => void): () => void {
    // The others hear first what this one is about to hear, so that all know the same.
    this.look();
    const sessions = this.#list();
    this.#known = new Map(sessions.map((one) => [one.id, digest(one)]));
    tell(render({ name: 'all', data: { sessions: sessions.slice(0, MOST_IN_ONE) } }));
    for (const piece of pieces(sessions.slice(MOST_IN_ONE), [])) tell(piece);
    this.#followers.add(tell);
    this.#timer ??= setInterval(() => this.look(), LOOK_EVERY_MS).unref();
    return () => {
      this.#followers.delete(tell);
      if (this.#followers.size > 0 || !this.#timer) return;
      clearInterval(this.#timer);
      this.#timer = null;
      this.#known.clear();
    };
  }

  /** Tells all followers what has changed since the last look. */
  look(): void {
    if (this.#followers.size === 0) return;
    const changed: Session[] = [];
    const gone = new Set(this.#known.keys());
    for (const session of this.#list()) {
      gone.delete(session.id);
      const now = digest(session);
      if (this.#known.get(session.id) === now) continue;
      this.#known.set(session.id, now);
      changed.push(session);
    }
    for (const id of gone) this.#known.delete(id);
    for (const piece of pieces(changed, [...gone])) for (const tell of this.#followers) tell(piece);
  }
}

function* pieces(changed: readonly Session[], gone: readonly string[]): Iterable<string> {
  if (changed.length === 0 && gone.length > 0) yield render({ name: 'some', data: { changed, gone } });
  for (let from = 0; from < changed.length; from += MOST_IN_ONE) {
    const piece = changed.slice(from, from + MOST_IN_ONE);
    yield render({ name: 'some', data: { changed: piece, gone: from === 0 ? gone : [] } });
  }
}

function render({ name, data }: SessionNews): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** What a reader would see change. The time until a session is forgotten falls by itself and is left out. */
function digest(one: Session): string {
  const { out, in: back } = one.traffic;
  const { last_packet: last, device, server } = one;
  return `${one.state} ${out.packets} ${back.packets} ${out.bytes} ${back.bytes} ${last.out} ${last.in} ${device.name} ${device.mac} ${server.name} ${one.protocol} ${one.guessed} ${one.pairing} ${one.since} ${one.details.length} ${one.trouble}`;
}
