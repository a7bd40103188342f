// Names behind addresses from the DNS servers of this machine (/etc/resolv.conf), and the names of VPN
// servers where the configuration wants them. Few questions at once, each with an end; what is known is kept
// for a while. A name is what somebody wrote into the DNS: it is shown, and believed in nothing.
import { Resolver } from 'node:dns/promises';

const TIMEOUT_MS = 1_500;
const TRIES = 2;
const MOST_AT_ONCE = 4;
/** Servers that wait to be asked about; more come again when they are shown again. */
const MOST_WAITING = 512;
const MOST_SERVERS = 4_096;
const NAME_HOLDS_MS = 12 * 3_600_000;
/** Also of those that have none: most addresses of providers. */
const NOTHING_HOLDS_MS = 3_600_000;

/** The name of an address, without its last dot, or null; never rejects. The servers are those of this moment. */
export async function askReverse(address: string): Promise<string | null> {
  try {
    const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
    return hostNameOf((await resolver.reverse(address))[0]);
  } catch {
    // No server, no answer, no name: all the same for whoever looks at a list.
    return null;
  }
}

/** RFC 1123 2.1, and the underscore that people use; null for anything else, which could spoil a terminal. */
export function hostNameOf(text: string | undefined): string | null {
  const name = (text ?? '').replace(/\.$/, '').toLowerCase();
  return /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*$/.test(name)
    ? name
    : null;
}

interface Kept {
  readonly name: string | null;
  readonly until: number;
}

/** What VPN servers are called, asked for only while `isOn`: the questions tell others whom the devices talk to. */
export class ServerNames {
  readonly #ask: (address: string) => Promise<string | null>;
  readonly #kept = new Map<string, Kept>();
  readonly #waiting = new Set<string>();
  #asking = 0;
  #isOn = false;

  constructor(ask: (address: string) => Promise<string | null> = askReverse) {
    this.#ask = ask;
  }

  set isOn(on: boolean) {
    this.#isOn = on;
    if (on) return;
    this.#kept.clear();
    this.#waiting.clear();
  }

  /** What is known now; what is not is asked for. */
  nameOf(address: string): string | null {
    if (!this.#isOn) return null;
    const kept = this.#kept.get(address);
    if ((!kept || kept.until < performance.now()) && this.#waiting.size < MOST_WAITING) {
      this.#waiting.add(address);
      this.#next();
    }
    return kept?.name ?? null;
  }

  #next(): void {
    for (const address of this.#waiting) {
      if (this.#asking >= MOST_AT_ONCE) return;
      this.#waiting.delete(address);
      this.#asking += 1;
      // Until the answer it is not asked for again.
      this.#keep(address, this.#kept.get(address)?.name ?? null);
      void this.#ask(address).then((name) => {
        this.#asking -= 1;
        if (this.#isOn) this.#keep(address, name);
        this.#next();
      });
    }
  }

  #keep(address: string, name: string | null): void {
    this.#kept.delete(address);
    this.#kept.set(address, {
      name,
      until: performance.now() + (name === null ? NOTHING_HOLDS_MS : NAME_HOLDS_MS),
    });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MOST_SERVERS) this.#kept.delete(oldest!);
  }
}
