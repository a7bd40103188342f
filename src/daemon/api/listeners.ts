// The TCP sockets of the page and the API: opened as the configuration says, and moved when addresses of the
// LAN interfaces come and go. Where one cannot be opened, that is told and tried again; the gateway goes on.
import { createServer, type RequestListener, type Server } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import { parseListenAddress, type Config } from '../../core/config/schema.ts';
import type { SystemLink } from '../../linux/links.ts';
import { reasonOf } from '../failure.ts';
import type { Log } from '../log.ts';
import type { KeyAndCertificate } from '../tls/self-made.ts';

const RETRY_MS = 5_000;
/** What is being answered on an address that is given up may end. */
const GRACE_MS = 2_000;
/** Of one address; a household has a few browsers with six connections each. */
const MOST_CONNECTIONS = 256;
const HEADERS_MS = 10_000;
const REQUEST_MS = 30_000;
const IDLE_MS = 30_000;

export interface Listen {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
}

export interface ListenersOptions {
  readonly answer: RequestListener;
  readonly config: () => Config;
  readonly links: () => readonly SystemLink[];
  readonly certificate: () => KeyAndCertificate;
  readonly log: Log;
  /** A sentence for `status`, or null when all is well. */
  readonly onTrouble: (sentence: string | null) => void;
}

export class Listeners {
  readonly #options: ListenersOptions;
  readonly #open = new Map<string, { listen: Listen; server: Server | TlsServer }>();
  #queue: Promise<void> = Promise.resolve();
  #retry: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  /** Where the page is served now, as addresses for a browser. */
  get addresses(): string[] {
    return [...this.#open.values()].map(({ listen }) => urlOf(listen));
  }

  /** Brings the sockets to what the configuration and the interfaces say now. */
  follow(): Promise<void> {
    this.#queue = this.#queue
      .then(() => this.#reconcile())
      .catch((error: unknown) => {
        this.#options.log('error', 'the page cannot be served', { reason: reasonOf(error) });
      });
    return this.#queue;
  }

  /** Another certificate is served from the next connection on. */
  renewCertificate(): void {
    const { key, certificate } = this.#options.certificate();
    for (const { server } of this.#open.values())
      if ('setSecureContext' in server) server.setSecureContext({ key, cert: certificate });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#retry) clearTimeout(this.#retry);
    await this.#queue;
    for (const { server } of this.#open.values()) {
      server.close();
      server.closeAllConnections();
    }
    this.#open.clear();
  }

  async #reconcile(): Promise<void> {
    if (this.#isClosed) return;
    const { config, links, log, onTrouble } = this.#options;
    if (this.#retry) clearTimeout(this.#retry);
    this.#retry = null;
    const wanted = new Map(wantedListens(config(), links()).map((one) => [urlOf(one), one]));
    for (const [url, { server }] of this.#open) {
      if (wanted.has(url)) continue;
      this.#open.delete(url);
      giveUp(server);
      log('info', `the page is no longer served at ${url}`);
    }
    const failures: string[] = [];
    for (const [url, listen] of wanted) {
      if (this.#open.has(url)) continue;
      try {
        this.#open.set(url, { listen, server: await this.#listen(listen) });
        log('info', `the page is served at ${url}`);
      } catch (error) {
        failures.push(`${url} (${reasonOf(error)})`);
      }
    }
    if (failures.length > 0) this.#retry = setTimeout(() => void this.follow(), RETRY_MS).unref();
    onTrouble(
      failures.length === 0
        ? null
        : `The page cannot be served at ${failures.join(' and ')}. Stop what else listens there, or name other addresses in "web.listen" and "web.tls_listen".`,
    );
  }

  async #listen({ scheme, host, port }: Listen): Promise<Server | TlsServer> {
    const { answer, certificate } = this.#options;
    const limits = {
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: IDLE_MS,
      connectionsCheckingInterval: HEADERS_MS,
    };
    let server: Server | TlsServer;
    if (scheme === 'http') server = createServer(limits, answer);
    else {
      const { createServer: createTlsServer } = await import('node:https');
      const { key, certificate: cert } = certificate();
      server = createTlsServer(
        { ...limits, key, cert, minVersion: 'TLSv1.2', handshakeTimeout: HEADERS_MS },
        answer,
      );
    }
    server.maxConnections = MOST_CONNECTIONS;
    const listening = server;
    await new Promise<void>((resolve, reject) => {
      listening.once('error', reject);
      listening.listen({ host, port, ipv6Only: true }, () => {
        listening.off('error', reject);
        resolve();
      });
    });
    listening.on('error', (error) =>
      this.#options.log('warn', 'a listening socket failed', { reason: reasonOf(error) }),
    );
    return listening;
  }
}

function giveUp(server: Server | TlsServer): void {
  server.close();
  setTimeout(() => server.closeAllConnections(), GRACE_MS).unref();
}

function urlOf({ scheme, host, port }: Listen): string {
  const isUsual = port === (scheme === 'http' ? 80 : 443);
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}${isUsual ? '' : `:${port}`}/`;
}

/** The addresses of the configuration, with those of the LAN interfaces for "lan". */
export function wantedListens({ web, interfaces }: Config, links: readonly SystemLink[]): Listen[] {
  const lans: readonly string[] = interfaces.lan;
  const lanAddresses = links
    .filter(({ name, up }) => up && lans.includes(name))
    .flatMap(({ addresses }) => addresses.filter((one) => one.scope === 'global' && !one.tentative))
    .map(({ address }) => address);
  const expand = (scheme: Listen['scheme'], texts: readonly string[]): Listen[] =>
    texts.flatMap((text) => {
      const { host, port } = parseListenAddress(text)!;
      return (host === 'lan' ? lanAddresses : [host]).map((one) => ({ scheme, host: one, port }));
    });
  return [...expand('http', web.listen), ...expand('https', web.tls_listen)];
}

/** What an administrator should know of where the page is served: a sentence for each thing. */
export function listenWarnings(config: Config, links: readonly SystemLink[]): string[] {
  const wan = links.find(({ name }) => name === config.interfaces.wan);
  const wanAddresses = new Set((wan?.addresses ?? []).map(({ address }) => String(address)));
  const { wan_services: services } = config.firewall;
  return [
    ...new Set(
      wantedListens(config, links).flatMap((listen) => {
        const url = urlOf(listen);
        if (services.includes(`tcp/${listen.port}`))
          return [
            `The page and the API can be reached from the internet at port ${listen.port}, since "firewall.wan_services" opens "tcp/${listen.port}". Take it out there unless you mean it.`,
          ];
        const isAll = listen.host === '0.0.0.0' || listen.host === '::';
        if (!isAll && !wanAddresses.has(listen.host)) return [];
        const what = isAll
          ? `"${listen.host}:${listen.port}" is every address, also that of the WAN interface`
          : `${url} is an address of the WAN interface`;
        return [
          `${what} "${config.interfaces.wan}". The firewall lets nobody in from the internet there; serve the page on the LAN instead ("lan:${listen.port}").`,
        ];
      }),
    ),
  ];
}
