// For tests: the whole API in this process, with real accounts, tokens, history and journal in a folder of
// its own, and a gateway that only notes what it was asked.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import { setInText, parseConfig } from '../../core/config/document.ts';
import { PROTOCOLS, type Config, type Passthrough } from '../../core/config/schema.ts';
import { Accounts } from '../admin/accounts.ts';
import { Backups } from '../admin/backup.ts';
import { ConfigChanges } from '../admin/config-changes.ts';
import { AdminDatabase } from '../admin/database.ts';
import { Keys } from '../admin/keys.ts';
import type { Doctor } from '../doctor.ts';
import { StateDirectory } from '../files.ts';
import type { Gateway } from '../gateway.ts';
import { openRecords, type Records } from '../records.ts';
import type { Status } from '../status.ts';
import { Certificates } from '../tls/certificates.ts';
import { Metrics } from '../metrics.ts';
import { Pages } from './pages.ts';
import type { Route } from './route.ts';
import { createRoutes } from './routes.ts';
import { createApi } from './server.ts';
import { WebDoor } from './web-door.ts';

const TEXT = `version: 1
interfaces:
  wan: wan0   # towards the internet
  lan: [lan0]
`;

/** A gateway that only notes what it was asked, and fails when `failure` is set. */
export class FakeGateway {
  text = TEXT;
  readonly calls: string[] = [];
  failure: Error | null = null;

  get config(): Config {
    const read = parseConfig(this.text);
    if ('problems' in read) throw new Error(JSON.stringify(read.problems));
    return read.config;
  }
  get passthrough(): Passthrough {
    return this.config.passthrough;
  }
  note(call: string): void {
    this.calls.push(call);
    if (this.failure) throw this.failure;
  }
  async status(): Promise<Status> {
    this.note('status');
    return {
      version: '0',
      state: 'ok',
      started_at: new Date(0).toISOString(),
      passthrough: this.passthrough,
      ike_source_port: 'translate',
      wan: { name: 'wan0', state: 'up', addresses: [] },
      lan: [],
      nft: 'nft',
      problems: [],
      drops: [{ name: 'wan_new', sentence: 'A sentence.', packets: 3, bytes: 300 }],
    };
  }
  readText(): string {
    return this.text;
  }
  async change(edit: (text: string) => string): Promise<unknown> {
    const before = this.config;
    const former = this.text;
    const text = edit(former);
    this.note('change');
    this.text = text;
    return { former, text, before, after: this.config, ended: {} };
  }
  async setPassthrough(change: Partial<Passthrough>): Promise<unknown> {
    this.note(`set ${JSON.stringify(change)}`);
    for (const one of PROTOCOLS) {
      const value = change[one];
      if (value !== undefined) this.text = setInText(this.text, ['passthrough', one], value);
    }
    return { pptp: 2 };
  }
  async reload(): Promise<void> {
    this.note('reload');
  }
  async down(): Promise<void> {
    this.note('down');
  }
  renderRuleset(): string {
    return 'table inet throughway {\n}\n';
  }
  renderFor({ passthrough }: Config): string {
    return `table inet throughway {\n${JSON.stringify(passthrough)}\n}\n`;
  }
}

export interface Sent {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly url: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly remoteAddress?: string;
}

export class ServedApi {
  readonly folder = mkdtempSync(join(tmpdir(), 'throughway-'));
  readonly gateway = new FakeGateway();
  readonly logged: string[] = [];
  readonly told: string[] = [];
  readonly records: Records;
  readonly routes: readonly Route[];
  readonly accounts: Accounts;
  readonly keys: Keys;
  readonly changes: ConfigChanges;
  readonly socket: FastifyInstance;
  readonly web: FastifyInstance;
  downs = 0;
  /** Milliseconds that are added to the clock. */
  later = 0;
  readonly #database: AdminDatabase;

  constructor({ trustedProxies = [] }: { trustedProxies?: readonly string[] } = {}) {
    const gateway = this.gateway as unknown as Gateway;
    const now = (): number => Date.now() + this.later;
    const log = (level: string, message: string, fields?: object): void =>
      void this.logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
    const state = new StateDirectory(this.folder, () => undefined);
    this.#database = new AdminDatabase(join(this.folder, 'admin.sqlite'), (sentence) =>
      this.told.push(sentence),
    );
    this.records = openRecords({
      folder: this.folder,
      log,
      trace: null,
      onTrouble: () => undefined,
      lanLinks: () => [],
      release: () => Promise.resolve({ connections: 0, associations: 0 }),
    });
    this.keys = new Keys({
      database: this.#database,
      idleMs: () => 3_600_000,
      onEnded: (id) => door.endOpen(id),
      now,
    });
    this.accounts = new Accounts({
      database: this.#database,
      tell: (level, what) => this.told.push(`${level} ${what}`),
      endLogins: (user, except) => this.keys.endLoginsOf(user, except),
      now,
    });
    this.changes = new ConfigChanges({
      gateway,
      state,
      database: this.#database,
      log,
      tell: ({ what }) => this.told.push(what),
      endings: () => () => [],
      countConnections: () => Promise.resolve({}),
      warnings: () => [],
    });
    const certificates = new Certificates({ state, names: () => ['192.168.1.1'], onChange: () => undefined });
    const door = new WebDoor({ accounts: this.accounts, keys: this.keys, names: () => ['gateway.lan'] });
    this.routes = createRoutes({
      gateway,
      changes: this.changes,
      accounts: this.accounts,
      keys: this.keys,
      certificates,
      records: this.records,
      doctor: {
        examine: () => Promise.resolve({ state: 'well', findings: [], took_ms: 1 }),
      } as unknown as Doctor,
      prober: {
        probe: (host) => Promise.resolve({ host, addresses: [], results: [], conclusion: '', took_ms: 1 }),
      },
      backups: new Backups({
        gateway,
        database: this.#database,
        changes: this.changes,
        keys: this.keys,
        certificates,
        records: this.records,
      }),
      metrics: new Metrics({
        gateway,
        records: this.records,
        accounts: this.accounts,
        isEnabled: () => true,
      }),
      issuer: 'Throughway test',
      pageAddresses: () => ['http://192.168.1.1/'],
      detect: () => [],
      onDown: () => {
        this.downs += 1;
      },
    });
    const shared = { routes: this.routes, log, ready: Promise.resolve() };
    this.socket = createApi(shared);
    this.web = createApi({
      ...shared,
      door,
      elsewhere: new Pages(join(this.folder, 'pages')).answer,
      isTrustedProxy: (address) => trustedProxies.includes(address),
    });
  }

  /** Over TCP, from a browser's or a program's side. */
  ask({
    method,
    url,
    body,
    headers = {},
    remoteAddress = '192.168.1.11',
  }: Sent): Promise<LightMyRequestResponse> {
    return this.web.inject({
      method,
      url,
      remoteAddress,
      headers: {
        host: '192.168.1.1',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  }

  async close(): Promise<void> {
    this.changes.close();
    await this.socket.close();
    await this.web.close();
    this.records.close();
    this.#database.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
