// Everything about who administers the gateway and how they reach it, opened together: accounts, log-ins,
// tokens, changes of the configuration, the certificate, the sockets of the page. The gateway works without.
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Config, Protocol } from '../../core/config/schema.ts';
import type { Detected, Endings } from '../api/config.ts';
import { Listeners, listenWarnings, wantedListens } from '../api/listeners.ts';
import { Pages } from '../api/pages.ts';
import type { Route } from '../api/route.ts';
import { createApi } from '../api/server.ts';
import { WebDoor } from '../api/web-door.ts';
import { telling } from '../event-log.ts';
import type { StateDirectory } from '../files.ts';
import { countFlows } from '../flows.ts';
import type { Gateway } from '../gateway.ts';
import type { Log } from '../log.ts';
import type { Records } from '../records.ts';
import { proposeSides } from '../setup/plan.ts';
import { routedLinks, surveyLink } from '../setup/links.ts';
import { Certificates } from '../tls/certificates.ts';
import { Accounts } from './accounts.ts';
import { Backups } from './backup.ts';
import { ConfigChanges } from './config-changes.ts';
import { AdminDatabase } from './database.ts';
import { createFirstUser } from './first-user.ts';
import { Keys } from './keys.ts';

/** Where a home's names end; nobody outside can have one of them. */
const LOCAL_DOMAINS = ['', '.local', '.lan', '.home.arpa', '.internal'];

const DAY_MS = 86_400_000;

export interface AdminOptions {
  readonly gateway: Gateway;
  readonly records: Records;
  readonly state: StateDirectory;
  readonly configPath: string;
  readonly log: Log;
}

export class Admin {
  readonly #options: AdminOptions;
  readonly #database: AdminDatabase;
  readonly #door: WebDoor;
  #listeners: Listeners | null = null;
  #daily: NodeJS.Timeout | null = null;
  #closeApi: () => Promise<void> = () => Promise.resolve();
  readonly accounts: Accounts;
  readonly keys: Keys;
  readonly changes: ConfigChanges;
  readonly certificates: Certificates;
  readonly backups: Backups;
  readonly issuer = `Throughway ${hostname()}`;

  constructor(options: AdminOptions) {
    this.#options = options;
    const { gateway, records, state, log } = options;
    this.#database = new AdminDatabase(join(state.path, 'admin.sqlite'), (sentence) =>
      gateway.tellTrouble('accounts', sentence),
    );
    this.keys = new Keys({
      database: this.#database,
      idleMs: () => gateway.config.web.idle_minutes * 60_000,
      onEnded: (id) => this.#door.endOpen(id),
    });
    this.accounts = new Accounts({
      database: this.#database,
      tell: (level, what) => {
        log(level, what);
        records.events.tell(telling('login', level, what));
      },
      endLogins: (user, except) => this.keys.endLoginsOf(user, except),
    });
    this.changes = new ConfigChanges({
      gateway,
      state,
      database: this.#database,
      log,
      tell: (event) => records.events.tell(event),
      endings: (protocols) => findEndings(records, protocols),
      countConnections: countFlows,
      warnings: (config) => listenWarnings(config, gateway.system.links),
    });
    this.certificates = new Certificates({
      state,
      names: () => certificateNames(gateway),
      onChange: () => {
        this.#listeners?.renewCertificate();
        this.#lookAtCertificate();
      },
    });
    const { changes, keys, certificates } = this;
    this.backups = new Backups({ gateway, database: this.#database, changes, keys, certificates, records });
    this.#door = new WebDoor({
      accounts: this.accounts,
      keys: this.keys,
      names: () => ownNames(gateway.config),
    });
  }

  /** The ruleset is in force: the page may be served, and what was on probation goes on. */
  async start(routes: readonly Route[]): Promise<void> {
    const { gateway, configPath, log } = this.#options;
    this.changes.start();
    const api = createApi({
      routes,
      log,
      ready: Promise.resolve(),
      door: this.#door,
      elsewhere: new Pages().answer,
      isTrustedProxy: (address) => gateway.config.web.trusted_proxies.includes(address),
    });
    this.#closeApi = async () => {
      await api.close();
    };
    await api.ready();
    this.#listeners = new Listeners({
      answer: (request, response) => api.routing(request, response),
      config: () => gateway.config,
      links: () => gateway.system.links,
      certificate: () => this.certificates.current(),
      log,
      onTrouble: (sentence) => gateway.tellTrouble('web', sentence),
    });
    await this.follow();
    this.#lookAtCertificate();
    this.#daily = setInterval(() => this.#lookAtCertificate(), DAY_MS).unref();
    const made = await createFirstUser(this.accounts, configPath);
    if (made) log(made.level, made.sentence);
    const code = this.accounts.firstRunCode;
    if (code !== null)
      log('info', 'there is no account yet: open the page and give this one-time code', {
        code,
        page: this.addresses[0] ?? 'nowhere',
      });
  }

  /** The configuration or the interfaces changed. */
  async follow(): Promise<void> {
    const { gateway } = this.#options;
    const open = listenWarnings(gateway.config, gateway.system.links).filter((one) =>
      one.includes('internet at port'),
    );
    gateway.tellTrouble('web-open', open[0] ?? null);
    await this.#listeners?.follow();
  }

  /** Where no TLS is served, none is made. */
  #lookAtCertificate(): void {
    const { gateway } = this.#options;
    const isServed = gateway.config.web.tls_listen.length > 0;
    gateway.tellTrouble('certificate', isServed ? this.certificates.look() : null);
  }

  /** Where the page is served. */
  get addresses(): readonly string[] {
    return this.#listeners?.addresses ?? [];
  }

  /** What the machine has, for whoever chooses the two sides. */
  detect(): Detected[] {
    const { system } = this.#options.gateway;
    const links = system.links.map(surveyLink);
    const { wan, lan } = proposeSides({ links, routed: routedLinks(system) });
    return links
      .filter(({ isLoopback, isPort }) => !isLoopback && !isPort)
      .map(({ name, up, addresses }) => ({
        name,
        state: up ? 'up' : 'down',
        addresses: [...addresses],
        suggestion: name === wan ? 'wan' : lan.includes(name) ? 'lan' : null,
      }));
  }

  async close(): Promise<void> {
    if (this.#daily) clearInterval(this.#daily);
    this.changes.close();
    await this.#listeners?.close();
    await this.#closeApi();
    this.#database.close();
  }
}

function findEndings({ sessions }: Records, protocols: readonly Protocol[]): () => Endings['sessions'] {
  const describe = sessions.governed(protocols);
  return () =>
    describe().map(({ id, protocol, device, server, since }) => ({
      id,
      protocol,
      device: device.name ?? device.address,
      server: server.name ?? server.address,
      since,
    }));
}

/** In lower case, as the door compares them. */
function ownNames({ web }: Config): string[] {
  const full = hostname().toLowerCase();
  const short = full.split('.')[0]!;
  const local = [short, 'throughway'].flatMap((name) => LOCAL_DOMAINS.map((domain) => `${name}${domain}`));
  return ['localhost', full, ...local, ...web.names.map((name) => name.toLowerCase())];
}

function certificateNames({ config, system }: Gateway): string[] {
  const full = hostname().toLowerCase();
  const hosts = wantedListens(config, system.links).map(({ host }) => host);
  return [
    ...new Set([...config.web.names, full, ...hosts.filter((host) => host !== '0.0.0.0' && host !== '::')]),
  ];
}
