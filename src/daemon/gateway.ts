// The gateway: configuration and system in, one ruleset in force. Everything that changes it comes
// through here, one at a time: the operator's switches, a reload, the WAN's address, somebody else's
// hand in our table. Knows no HTTP and no command line.
import { isInPrefix, parseIpv4, type Ipv4Address } from '../core/address.ts';
import { inboundKey, outboundKey } from '../core/alg/esp-element.ts';
import type { Territory } from '../core/alg/flow-table.ts';
import type { SessionRecord } from '../core/alg/session-record.ts';
import { PROTOCOLS, type Config, type Passthrough } from '../core/config/schema.ts';
import { DROP_REASONS } from '../core/policy/counters.ts';
import type { Count } from '../core/policy/fast-counts.ts';
import { planRuleset } from '../core/policy/gateway.ts';
import { renderTable } from '../core/policy/ruleset.ts';
import { layoutOf, type Layout } from '../core/policy/layout.ts';
import type { SystemState } from '../core/policy/system.ts';
import type { Spi } from '../core/wire/esp.ts';
import type { NftElement } from '../core/wire/nft-elements.ts';
import type { NftCounter } from '../core/wire/nftables.ts';
import {
  createLinkMonitor,
  type DefaultRoute,
  type LinkMonitor,
  type SystemLink,
  type SystemSnapshot,
} from '../linux/links.ts';
import type { Nft } from '../linux/nft.ts';
import { watchTables } from '../linux/nft-events.ts';
import { hasLegacyRules } from '../linux/proc-net.ts';
import { openXfrmMonitor, type XfrmMonitor } from '../linux/xfrm.ts';
import { ConfigFile, parseChanged } from './config-file.ts';
import { describeSwitch, telling, type Telling } from './event-log.ts';
import { Failure, reasonOf } from './failure.ts';
import { FastPathKeeper, type FastPathGround } from './fast-path.ts';
import type { StateDirectory } from './files.ts';
import {
  endDisabledFlows,
  endFlowsOfAddress,
  endFlowsOfSession,
  endTranslatedEsp,
  type Ended,
} from './flows.ts';
import { describeInterface, interfaceTrouble, ipv4Prefix } from './interfaces.ts';
import { KernelTable } from './kernel-table.ts';
import type { Log } from './log.ts';
import { OtherTables } from './other-tables.ts';
import { OwnAssociations } from './own-associations.ts';
import { restSoon } from './rest.ts';
import type { Released } from './sessions.ts';
import type { InterfaceStatus, ObservationStatus, Status } from './status.ts';
import { applySysctls, forwardingTrouble, restoreSysctls } from './sysctls.ts';
import { readSystemState } from './system-state.ts';
import { Troubles } from './troubles.ts';
import { VERSION } from './version.ts';

/** The kernel refused the ruleset, perhaps because memory was short: tried again then. */
const RETRY_MS = 1_000;
/** For how long a change of our table by somebody else is worth telling, and how many are counted. */
const RESTORED_MS = 600_000;
const MOST_RESTORED = 1_000;
/** The group of troubles that other tables make. */
const FOREIGN = 'foreign';

export interface GatewayOptions {
  /** The interfaces or their addresses may have changed. */
  readonly onTerritory: (territory: Territory) => void;
  readonly observation: () => ObservationStatus | undefined;
  readonly configPath: string;
  readonly state: StateDirectory;
  readonly nft: Nft;
  readonly log: Log;
  /** For the journal of events. */
  readonly tell: (event: Telling) => void;
  /** A configuration came into force; called before what it forbids is taken from the kernel. */
  readonly onConfig: (config: Config) => void;
  /** Interfaces or addresses changed. */
  readonly onLinks: () => void;
}

/** The gateway at one moment, for the doctor. */
export interface Examination {
  readonly config: Config;
  readonly configProblems: readonly string[];
  readonly links: readonly SystemLink[];
  readonly defaultRoutes: readonly DefaultRoute[];
  readonly table: 'intact' | 'changed' | 'gone';
  /** How often somebody else's change of our table had to be taken back lately. */
  readonly restored: number;
  /** The items of all tables but ours, as nft lists them. */
  readonly others: readonly unknown[];
  readonly troubles: readonly string[];
}

/** From one configuration to another. */
export interface ConfigChange {
  readonly former: string;
  readonly text: string;
  readonly before: Config;
  readonly after: Config;
  readonly ended: Ended;
}

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #table: KernelTable;
  readonly #own: OwnAssociations;
  readonly #startedAt = Date.now();
  readonly #file: ConfigFile;
  readonly #others: OtherTables;
  readonly #troubles: Troubles;
  #config: Config;
  #links: LinkMonitor | null = null;
  #xfrm: XfrmMonitor | null = null;
  #system: SystemState = { wanAddress: null, ownGreRemotes: [], othersFilter: false };
  #fastPath: FastPathKeeper | null = null;
  /** Null before the first ruleset. */
  #layout: Layout | null = null;
  /** What is learned in the kernel belongs to this address. */
  #learnedAddress: Ipv4Address | null = null;
  #tables: { close(): void } | null = null;
  /** When our table was put back, on the process's own clock. */
  readonly #restored: number[] = [];
  #queue: Promise<unknown> = Promise.resolve();

  /** Throws Failure when there is no configuration to run on. */
  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#file = new ConfigFile(options.configPath, options.state, options.log);
    this.#config = this.#file.load();
    this.#table = new KernelTable(options.nft);
    this.#own = new OwnAssociations(this.#table);
    this.#others = new OtherTables(options.nft);
    this.#troubles = new Troubles(options.log, options.tell);
  }

  get passthrough(): Passthrough {
    return this.#config.passthrough;
  }

  get config(): Config {
    return this.#config;
  }

  /** Resolves when the ruleset is in force. Throws Failure, and then nothing is. */
  async start(): Promise<void> {
    this.#links = await createLinkMonitor({
      onChange: () => {
        this.#options.onLinks();
        void this.#inTurn(async () => {
          await this.#followSystem();
          this.#options.onTerritory(this.territory());
        });
      },
      onError: (error) => this.#troubles.set('links', `The interfaces cannot be read: ${error.message}`),
    });
    await this.#lookAtOthers();
    try {
      await this.#enforce(this.#config);
    } catch (error) {
      this.#links.close();
      restoreSysctls(this.#options.state);
      throw error;
    }
    this.#xfrm = await openXfrmMonitor({
      onChange: () => void this.#inTurn(() => this.#markOwnAssociations()),
      onError: (error) =>
        this.#troubles.set('xfrm', `The gateway's own IPsec cannot be read: ${error.message}`),
    });
    await this.#markOwnAssociations();
    this.#tables = watchTables((tables) => void this.#inTurn(() => this.#reconcile(tables)));
    await this.#reconcile(null);
    this.#fastPath = new FastPathKeeper({
      nft: this.#options.nft,
      log: this.#options.log,
      links: () => this.#links?.snapshot() ?? [],
      ground: () => this.#fastPathGround(),
      inTurn: (work) => this.#inTurn(work),
    });
    this.#file.keepOwn();
  }

  /** What busy ESP has carried beside the counters of `esp_in` and `esp_out`, for one of their elements. */
  countsBeside(direction: 'out' | 'in', element: Pick<NftElement, 'key' | 'data'>): Count {
    return this.#fastPath?.countsBeside(direction, element) ?? { packets: 0, bytes: 0 };
  }

  /** Busy ESP may pass by conntrack, routing and the filter only where nobody else has a say in these. */
  #fastPathGround(): FastPathGround | null {
    const { wanAddress, othersFilter } = this.#system;
    const { ipsec } = this.#config.passthrough;
    if (wanAddress === null || ipsec === 'disabled' || othersFilter || this.#others.ingress) return null;
    if ((this.#xfrm?.snapshot().length ?? 0) > 0 || hasLegacyRules()) return null;
    const { wan, lan } = this.#config.interfaces;
    return { wan, lan, wanAddress, isEarly: this.#layout === 'early' };
  }

  /**
   * Switches protocols, in the file with its comments and in force; those left out stay as they are.
   * Resolves to the connections ended. Throws Failure, and then file and ruleset are as they were.
   */
  async setPassthrough(change: Partial<Passthrough>): Promise<Ended> {
    const { ended } = await this.change((text) =>
      this.#file.withPassthrough(text, { ...this.#config.passthrough, ...change }),
    );
    return ended;
  }

  /**
   * Puts another text into the file and in force; `edit` gets the present one. Throws Failure, and then
   * file and ruleset are as they were.
   */
  change(edit: (text: string) => string): Promise<ConfigChange> {
    return this.#inTurn(async () => {
      const former = this.#file.readText();
      const text = edit(former);
      const config = parseChanged(text);
      const before = this.#config;
      const change = { former, text, before, after: config };
      const isSame = JSON.stringify(before) === JSON.stringify(config);
      if (isSame && text === former) return { ...change, ended: {} };
      const staged = this.#file.stage(text);
      let ended: Ended;
      try {
        ended = await this.#enforce(config);
      } catch (error) {
        staged.discard();
        throw error;
      }
      try {
        staged.commit();
      } catch (error) {
        staged.discard();
        await this.#enforce(before);
        throw error;
      }
      for (const protocol of PROTOCOLS) {
        const value = config.passthrough[protocol];
        if (before.passthrough[protocol] === value) continue;
        this.#options.log('info', `${protocol} passthrough ${value}`, { ended: ended[protocol] ?? 0 });
        this.#options.tell(describeSwitch(protocol, value, ended[protocol] ?? 0));
      }
      this.#file.keep(text);
      return { ...change, ended };
    });
  }

  /** The text of the file, also when it is broken. Throws Failure. */
  readText(): string {
    return this.#file.readText();
  }

  /** The ruleset that `config` would bring, and what it would be for the one in force. */
  renderFor(config: Config): string {
    return renderTable(planRuleset(config, this.#readSystem(config)));
  }

  /** The interfaces of the machine, and its default routes, best first. */
  get system(): SystemSnapshot {
    return { links: this.#links?.snapshot() ?? [], defaultRoutes: this.#links?.defaultRoutes() ?? [] };
  }

  /** Reads the file again. A broken one changes nothing, and its problems are told. Throws Failure. */
  reload(): Promise<void> {
    return this.#inTurn(async () => {
      const { text, config } = this.#file.read();
      await this.#enforce(config);
      this.#file.keep(text);
      this.#options.log('info', 'configuration reloaded');
      this.#options.tell(telling('config', 'info', 'The configuration was read again and is in force.'));
    });
  }

  async status(): Promise<Status> {
    const counters = new Map((await this.#table.readCounters()).map((one) => [one.name, one]));
    const problems = this.#problems();
    return {
      version: VERSION,
      state: problems.length === 0 ? 'ok' : 'attention',
      started_at: new Date(this.#startedAt).toISOString(),
      passthrough: this.#config.passthrough,
      ike_source_port: this.#config.ike.source_port,
      wan: this.#describe(this.#config.interfaces.wan),
      lan: this.#config.interfaces.lan.map((name) => this.#describe(name)),
      nft: this.#options.nft.way,
      problems,
      observation: this.#options.observation(),
      drops: DROP_REASONS.map(({ name, sentence }) => ({
        name,
        sentence,
        packets: counters.get(name)?.packets ?? 0,
        bytes: counters.get(name)?.bytes ?? 0,
      })),
    };
  }

  /** What the doctor looks at, beside what it reads from the kernel itself. */
  async examine(): Promise<Examination> {
    return {
      config: this.#config,
      configProblems: this.#file.problems,
      links: this.#links?.snapshot() ?? [],
      defaultRoutes: this.#links?.defaultRoutes() ?? [],
      table: await this.#table.state(),
      restored: this.#restored.filter((at) => performance.now() - at < RESTORED_MS).length,
      others: await this.#others.list(),
      troubles: this.#troubles.list(FOREIGN),
    };
  }

  /** The named counters of our table. */
  readCounters(): Promise<NftCounter[]> {
    return this.#table.readCounters();
  }

  /** Files that this machine has written: the clock cannot be before them. */
  get files(): string[] {
    return [this.#file.path, this.#options.state.path];
  }

  renderRuleset(): string {
    return this.#table.render() ?? '';
  }

  /** Takes the gateway out of the packets' way: our table goes, the system's settings come back. */
  down(): Promise<void> {
    return this.#inTurn(async () => {
      this.#unwatch();
      await this.#table.remove();
      restoreSysctls(this.#options.state);
      this.#options.log('info', 'down: the table is removed and the system settings are restored');
    });
  }

  /** Stops watching. The ruleset stays in force: a gateway without its daemon goes on. */
  close(): void {
    this.#unwatch();
    this.#table.close();
  }

  #unwatch(): void {
    this.#fastPath?.close();
    this.#fastPath = null;
    this.#tables?.close();
    this.#links?.close();
    this.#xfrm?.close();
    this.#tables = this.#links = this.#xfrm = null;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch((error: unknown) => {
      if (!(error instanceof Failure)) this.#options.log('error', reasonOf(error));
    });
    return result;
  }

  /** Brings the kernel to `config` and the system as it is now; a refusal leaves all as it was. Throws Failure. */
  async #enforce(config: Config): Promise<Ended> {
    const system = this.#readSystem(config);
    const former = this.#learnedAddress;
    const address = system.wanAddress;
    const forgetAddress = address !== null && former !== null && address !== former;
    for (const sentence of applySysctls(this.#options.state, config.interfaces.lan))
      this.#troubles.set(`sysctl ${sentence}`, sentence);
    await this.#table.apply(planRuleset(config, system, { forgetAddress }), this.#fastPath?.removal);
    this.#fastPath?.removed();
    const layout = layoutOf(config, system);
    if (layout !== this.#layout && layout === 'early') await endTranslatedEsp();
    this.#layout = layout;
    this.#config = config;
    this.#options.onConfig(config);
    this.#system = system;
    if (address !== null) this.#learnedAddress = address;
    this.#troubles.set('table', null);
    this.#options.onTerritory(this.territory());
    if (forgetAddress) {
      const entries = await endFlowsOfAddress(former);
      this.#options.log('info', 'VPN connections of the former WAN address are forgotten', {
        address: former,
        entries,
      });
    }
    restSoon();
    return endDisabledFlows(config.passthrough);
  }

  #readSystem({ interfaces }: Config): SystemState {
    return readSystemState(this.#links?.snapshot() ?? [], interfaces.wan, this.#others.filter);
  }

  /** Which addresses are whose, as the interfaces are now. */
  territory(): Territory {
    const prefixes = this.#config.interfaces.lan.flatMap((name) => this.#describe(name).addresses);
    return {
      wanAddress: this.#system.wanAddress,
      isLan: (address) => prefixes.some((prefix) => isInPrefix(address, prefix)),
    };
  }

  async #followSystem(): Promise<void> {
    const system = this.#readSystem(this.#config);
    // An interface that has come has settings of its own.
    applySysctls(this.#options.state, this.#config.interfaces.lan);
    if (JSON.stringify(system) === JSON.stringify(this.#system)) return;
    const before = this.#system;
    await this.#enforceAgain();
    if (system.othersFilter !== before.othersFilter)
      this.#options.log(
        'info',
        system.othersFilter
          ? 'another table has rules for forwarded packets: ESP keeps its device address until they have seen it'
          : 'no other table has rules for forwarded packets: ESP takes the short way',
      );
    const address = this.#system.wanAddress;
    if (address === before.wanAddress) return;
    this.#options.log('info', address === null ? 'the WAN has no address' : `the WAN address is ${address}`);
    this.#options.tell(
      address === null
        ? telling('system', 'warn', 'The WAN has no address, so nothing passes.')
        : telling('system', 'info', `The WAN address is ${address}.`),
    );
  }

  /** As `#enforce` with the configuration in force; a refusal is told, and tried again in a second. */
  async #enforceAgain(): Promise<void> {
    try {
      await this.#enforce(this.#config);
    } catch (error) {
      this.#troubles.set('table', reasonOf(error));
      setTimeout(() => void this.#inTurn(() => this.#enforceAgain()), RETRY_MS).unref();
    }
  }

  async #reconcile(tables: ReadonlySet<string> | null): Promise<void> {
    if ((tables === null || tables.has('throughway')) && !(await this.#table.isIntact())) {
      this.#options.log('warn', 'somebody changed or deleted our table; it is put back');
      this.#restored.push(performance.now());
      if (this.#restored.length > MOST_RESTORED) this.#restored.shift();
      await this.#enforceAgain();
      await this.#markOwnAssociations();
    }
    if (tables === null || [...tables].some((name) => name !== 'throughway')) {
      this.#fastPath?.withdraw();
      await this.#lookAtOthers();
      await this.#followSystem();
    }
  }

  async #markOwnAssociations(): Promise<void> {
    this.#fastPath?.withdraw();
    await this.#own.mark(this.#xfrm?.snapshot() ?? []);
  }

  /** Other tables are left alone, and noticed. */
  async #lookAtOthers(): Promise<void> {
    const { wan, lan } = this.#config.interfaces;
    const prefixes = Object.fromEntries(
      lan.flatMap((name) => {
        const prefix = ipv4Prefix(this.#describe(name));
        return prefix === null ? [] : [[name, prefix]];
      }),
    );
    try {
      this.#troubles.setGroup(FOREIGN, await this.#others.look({ wan, lan, prefixes }));
    } catch (error) {
      this.#options.log('warn', 'the other tables cannot be read', { reason: reasonOf(error) });
    }
  }

  #describe(name: string): InterfaceStatus {
    return describeInterface(this.#links?.snapshot() ?? [], name);
  }

  #problems(): string[] {
    const sentences = this.#file.problems.map(
      (problem) => `The configuration is broken and the last good one is in force: ${problem}`,
    );
    const { wan, lan } = this.#config.interfaces;
    const troubles = [
      interfaceTrouble('WAN', this.#describe(wan)),
      ...lan.map((name) => interfaceTrouble('LAN', this.#describe(name))),
      forwardingTrouble(),
    ];
    return [...sentences, ...troubles.filter((one) => one !== null), ...this.#troubles.list()];
  }

  /** Other parts of the daemon report here what is wrong with them, each under a key of its own; null: nothing. */
  tellTrouble(key: string, sentence: string | null): void {
    this.#troubles.set(key, sentence);
  }

  /** The interfaces of the LANs that are there. */
  lanLinks(): readonly SystemLink[] {
    const lan: readonly string[] = this.#config.interfaces.lan;
    return (this.#links?.snapshot() ?? []).filter(({ name }) => lan.includes(name));
  }

  /** Takes what the kernel holds of one session out of it: its connections and its ESP associations. */
  release(session: SessionRecord): Promise<Released> {
    return this.#inTurn(async () => {
      const { sas } = session;
      const [client, server] = [parseIpv4(session.client), parseIpv4(session.server)];
      this.#fastPath?.withdraw();
      // Nothing is kept of ESP over IPv6, which is not translated.
      for (const { direction, spi } of client && server ? sas : []) {
        if (direction === 'in') await this.#table.removeElement('esp_in', inboundKey(server!, spi as Spi));
        else await this.#table.removeElement('esp_out', outboundKey(client!, server!, spi as Spi));
      }
      const connections = await endFlowsOfSession(session);
      this.#options.log('info', 'a session was ended on request', { session: session.id, connections });
      return { connections, associations: sas.length };
    });
  }
}
