// The gateway: configuration and system in, one ruleset in force. Everything that changes it comes
// through here, one at a time: the operator's switches, a reload, the WAN's address, somebody else's
// hand in our table. Knows no HTTP and no command line.
import { parseIpv4, type Ipv4Address } from '../core/address.ts';
import { parseConfig, setInText } from '../core/config/document.ts';
import { renderProblem, type Problem } from '../core/config/problem.ts';
import { PROTOCOLS, type Config, type Passthrough, type Protocol } from '../core/config/schema.ts';
import { DROP_REASONS } from '../core/policy/counters.ts';
import { findForeignDrops } from '../core/policy/foreign.ts';
import { planRuleset } from '../core/policy/gateway.ts';
import { TABLE } from '../core/policy/ruleset.ts';
import type { SystemState } from '../core/policy/system.ts';
import type { ConntrackEntry } from '../core/wire/ctnetlink.ts';
import { ipProtocols } from '../core/wire/ipv4.ts';
import { switchOf, switchOfEntry } from '../core/policy/vpn-flows.ts';
import { deleteExpectations, flushMatching, listExpectations } from '../linux/conntrack.ts';
import { createLinkMonitor, type LinkMonitor, type SystemLink } from '../linux/links.ts';
import type { Nft } from '../linux/nft.ts';
import { watchTables } from '../linux/nft-events.ts';
import { openXfrmMonitor, type XfrmMonitor } from '../linux/xfrm.ts';
import { Failure, reasonOf } from './failure.ts';
import { readConfigText, stageConfigText, type StateDirectory } from './files.ts';
import { KernelTable } from './kernel-table.ts';
import type { Log } from './log.ts';
import type { InterfaceStatus, Status } from './status.ts';
import { applySysctls, forwardingTrouble, restoreSysctls } from './sysctls.ts';
import { VERSION } from './version.ts';

const LAST_GOOD = 'last-good.yaml';

/** Reads the configuration, or the last good one when it is broken. Throws Failure when there is neither. */
export function loadConfig(path: string, state: StateDirectory): { config: Config; problems: Problem[] } {
  let failure: Failure;
  try {
    const read = parseConfig(readConfigText(path));
    if ('config' in read) return { config: read.config, problems: [] };
    const count = read.problems.length === 1 ? 'a problem' : `${read.problems.length} problems`;
    failure = new Failure('config-invalid', `The configuration "${path}" has ${count}.`, read.problems);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    failure = error;
  }
  const kept = state.read(LAST_GOOD);
  const lastGood = kept === null ? null : parseConfig(kept);
  if (lastGood === null || 'problems' in lastGood) throw failure;
  if (failure.problems.length > 0) return { config: lastGood.config, problems: [...failure.problems] };
  // What happened and what to do are two sentences there.
  const end = failure.message.lastIndexOf('. ');
  const problem = { message: failure.message.slice(0, end), hint: failure.message.slice(end + 2, -1) };
  return { config: lastGood.config, problems: [{ path: '', ...problem }] };
}

export interface GatewayOptions {
  readonly configPath: string;
  readonly state: StateDirectory;
  readonly nft: Nft;
  readonly log: Log;
}

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #table: KernelTable;
  readonly #startedAt = Date.now();
  #config: Config;
  #configProblems: Problem[];
  #links: LinkMonitor | null = null;
  #xfrm: XfrmMonitor | null = null;
  #system: SystemState = { wanAddress: null, ownGreRemotes: [] };
  /** What is learned in the kernel belongs to this address. */
  #learnedAddress: Ipv4Address | null = null;
  #tables: { close(): void } | null = null;
  #troubles = new Map<string, string>();
  #queue: Promise<unknown> = Promise.resolve();

  /** Throws Failure when there is no configuration to run on. */
  constructor(options: GatewayOptions) {
    this.#options = options;
    const { config, problems } = loadConfig(options.configPath, options.state);
    this.#table = new KernelTable(options.nft);
    this.#config = config;
    this.#configProblems = problems;
    this.#tellConfigProblems();
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
      onChange: () => void this.#inTurn(() => this.#followSystem()),
      onError: (error) => this.#trouble('links', `The interfaces cannot be read: ${error.message}`),
    });
    this.#system = this.#readSystem();
    this.#learnedAddress = this.#system.wanAddress;
    for (const sentence of applySysctls(this.#options.state)) this.#trouble(`sysctl ${sentence}`, sentence);
    try {
      await this.#table.apply(planRuleset(this.#config, this.#system));
    } catch (error) {
      this.#links.close();
      restoreSysctls(this.#options.state);
      throw error;
    }
    this.#xfrm = await openXfrmMonitor({
      onChange: () => void this.#inTurn(() => this.#markOwnAssociations()),
      onError: (error) => this.#trouble('xfrm', `The gateway's own IPsec cannot be read: ${error.message}`),
    });
    await this.#markOwnAssociations();
    this.#tables = watchTables((tables) => void this.#inTurn(() => this.#reconcile(tables)));
    await this.#endDisabled();
    await this.#lookAtOthers();
    this.#keepLastGood();
  }

  /** Switches protocols: in the file, with its comments, and in force. Resolves to the connections ended by protocol. */
  setPassthrough(wanted: Passthrough): Promise<Partial<Record<Protocol, number>>> {
    return this.#inTurn(async () => {
      const changed = PROTOCOLS.filter((protocol) => this.#config.passthrough[protocol] !== wanted[protocol]);
      if (changed.length === 0) return {};
      let text = readConfigText(this.#options.configPath);
      for (const protocol of changed) {
        const read = parseConfig(text);
        if ('problems' in read) {
          throw new Failure(
            'config-invalid',
            `The configuration "${this.#options.configPath}" is broken, so nothing was changed in it. Correct it first.`,
            read.problems,
          );
        }
        text = setInText(text, ['passthrough', protocol], wanted[protocol]);
      }
      const staged = stageConfigText(this.#options.configPath, text);
      const before = this.#config;
      try {
        const ended = await this.#enforce(this.#parseOwn(text));
        try {
          staged.commit();
        } catch (error) {
          await this.#enforce(before);
          throw error;
        }
        this.#configProblems = [];
        for (const protocol of changed)
          this.#options.log('info', `${protocol} passthrough ${wanted[protocol]}`, {
            ended: ended[protocol] ?? 0,
          });
        this.#keepLastGood(text);
        return ended;
      } catch (error) {
        staged.discard();
        throw error;
      }
    });
  }

  /** Reads the file again. A broken one changes nothing, and its problems are told. Throws Failure. */
  reload(): Promise<void> {
    return this.#inTurn(async () => {
      const text = readConfigText(this.#options.configPath);
      const read = parseConfig(text);
      if ('problems' in read) {
        this.#configProblems = read.problems;
        this.#tellConfigProblems();
        throw new Failure(
          'config-invalid',
          `The configuration "${this.#options.configPath}" is broken; the former one stays in force.`,
          read.problems,
        );
      }
      await this.#enforce(read.config);
      this.#configProblems = [];
      this.#keepLastGood(text);
      this.#options.log('info', 'configuration reloaded');
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
      drops: DROP_REASONS.map(({ name, sentence }) => ({
        name,
        sentence,
        packets: counters.get(name)?.packets ?? 0,
        bytes: counters.get(name)?.bytes ?? 0,
      })),
    };
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

  #parseOwn(text: string): Config {
    const read = parseConfig(text);
    if ('problems' in read)
      throw new Failure(
        'config-invalid',
        'The changed configuration would be broken, so nothing was changed.',
        read.problems,
      );
    return read.config;
  }

  /** Brings the kernel to `config`; a refusal leaves both as they were. */
  async #enforce(config: Config): Promise<Partial<Record<Protocol, number>>> {
    const before = this.#config;
    this.#config = config;
    try {
      const system = this.#readSystem();
      await this.#table.apply(planRuleset(config, system));
      this.#system = system;
    } catch (error) {
      this.#config = before;
      throw error;
    }
    this.#clear('table');
    return this.#endDisabled();
  }

  /** Ends the running connections of what is off: the rules block them already, this frees what they hold. */
  async #endDisabled(): Promise<Partial<Record<Protocol, number>>> {
    const off = PROTOCOLS.filter((protocol) => this.#config.passthrough[protocol] === 'disabled');
    const ended: Partial<Record<Protocol, number>> = {};
    if (off.length === 0) return ended;
    await flushMatching((entry) => {
      const protocol = switchOfEntry(entry);
      if (protocol === null || !off.includes(protocol)) return false;
      ended[protocol] = (ended[protocol] ?? 0) + 1;
      return true;
    });
    if (off.includes('pptp')) {
      const expected = await listExpectations();
      await deleteExpectations(
        expected.filter((one) => one.helper === 'pptp' || switchOf(one.master) === 'pptp'),
      );
    }
    return ended;
  }

  async #followSystem(): Promise<void> {
    const system = this.#readSystem();
    const address = system.wanAddress;
    if (JSON.stringify(system) === JSON.stringify(this.#system)) return;
    const moved = address !== null && this.#learnedAddress !== null && address !== this.#learnedAddress;
    this.#system = system;
    try {
      await this.#table.apply(planRuleset(this.#config, system, { forgetAddress: moved }));
      this.#clear('table');
    } catch (error) {
      this.#trouble('table', reasonOf(error));
      return;
    }
    this.#options.log('info', address === null ? 'the WAN has no address' : `the WAN address is ${address}`);
    if (moved) {
      const former = this.#learnedAddress;
      const flushed = await flushMatching(
        (entry) => hadAddress(entry, former) && switchOfEntry(entry) !== null,
      );
      this.#options.log('info', 'VPN connections of the former WAN address are forgotten', {
        address: former,
        entries: flushed,
      });
    }
    if (address !== null) this.#learnedAddress = address;
  }

  async #reconcile(tables: ReadonlySet<string> | null): Promise<void> {
    if ((tables === null || tables.has('throughway')) && !(await this.#table.isIntact())) {
      this.#options.log('warn', 'somebody changed or deleted our table; it is put back');
      try {
        await this.#table.apply(planRuleset(this.#config, this.#system));
        await this.#markOwnAssociations();
        this.#clear('table');
      } catch (error) {
        this.#trouble('table', reasonOf(error));
      }
    }
    if (tables === null || [...tables].some((name) => name !== 'throughway')) await this.#lookAtOthers();
  }

  /** ESP for the gateway's own security associations is for the gateway: the rules know them by a set. */
  async #markOwnAssociations(): Promise<void> {
    const own =
      this.#xfrm?.snapshot().filter((one) => one.family === 4 && one.protocol === ipProtocols.esp) ?? [];
    await this.#table.setElements(
      'own_sa',
      own.map((one) => `${one.destination} . ${one.spi}`),
    );
  }

  /** Other tables are left alone, and noticed. */
  async #lookAtOthers(): Promise<void> {
    const { wan, lan } = this.#config.interfaces;
    const prefixes = Object.fromEntries(
      lan.flatMap((name): [string, string][] => {
        const first = this.#describe(name).addresses.find((one) => parseIpv4(one.split('/')[0]!) !== null);
        return first === undefined ? [] : [[name, first]];
      }),
    );
    try {
      const found = findForeignDrops(await this.#listOtherTables(), { wan, lan, prefixes });
      const keys = new Set(found.map((sentence) => `foreign ${sentence}`));
      for (const key of this.#troubles.keys())
        if (key.startsWith('foreign ') && !keys.has(key)) this.#troubles.delete(key);
      for (const sentence of found) this.#trouble(`foreign ${sentence}`, sentence);
    } catch (error) {
      this.#options.log('warn', 'the other tables cannot be read', { reason: reasonOf(error) });
    }
  }

  /** All tables but ours: nft 1.0.6 has no JSON for maps that packets fill, and complains on stderr. */
  async #listOtherTables(): Promise<unknown[]> {
    const { nft } = this.#options;
    const tables = JSON.parse(await nft.run('list tables', 'json')) as {
      nftables: { table?: { family: string; name: string } }[];
    };
    const items: unknown[] = [];
    for (const { table } of tables.nftables) {
      if (!table || `${table.family} ${table.name}` === TABLE) continue;
      const listed = await nft.run(`list table ${table.family} ${table.name}`, 'json');
      items.push(...(JSON.parse(listed) as { nftables: unknown[] }).nftables);
    }
    return items;
  }

  #readSystem(): SystemState {
    const links = this.#links?.snapshot() ?? [];
    const wan = links.find((link) => link.name === this.#config.interfaces.wan);
    return {
      wanAddress: wan?.up ? globalIpv4(wan) : null,
      ownGreRemotes: links.flatMap((link) => link.greRemote ?? []),
    };
  }

  #describe(name: string): InterfaceStatus {
    const link = this.#links?.snapshot().find((one) => one.name === name);
    return {
      name,
      state: link === undefined ? 'missing' : link.up && link.running ? 'up' : 'down',
      addresses: (link?.addresses ?? [])
        .filter((one) => one.scope !== 'link')
        .map((one) => `${one.address}/${one.prefixLength}`),
    };
  }

  #problems(): string[] {
    const sentences = this.#configProblems.map(
      (problem) => `The configuration is broken and the last good one is in force: ${renderProblem(problem)}`,
    );
    const { wan, lan } = this.#config.interfaces;
    for (const [role, name] of [['WAN', wan], ...lan.map((one) => ['LAN', one])] as [string, string][]) {
      const { state, addresses } = this.#describe(name);
      if (state === 'missing')
        sentences.push(
          `The ${role} interface "${name}" does not exist. Plug it in, or correct the configuration; "ip -brief link" lists what there is.`,
        );
      else if (state === 'down')
        sentences.push(
          `The ${role} interface "${name}" is down. Check its cable, or bring it up: ip link set ${name} up`,
        );
      else if (!addresses.some((one) => parseIpv4(one.split('/')[0]!) !== null))
        sentences.push(
          `The ${role} interface "${name}" has no IPv4 address, so no device gets through. ${role === 'WAN' ? 'Check the DHCP client or the PPP connection.' : 'Give it one in the network configuration.'}`,
        );
    }
    const forwarding = forwardingTrouble();
    return [...sentences, ...(forwarding === null ? [] : [forwarding]), ...this.#troubles.values()];
  }

  /** A sentence that `status` shows until it is cleared; told in the log once. */
  #trouble(key: string, sentence: string): void {
    if (this.#troubles.get(key) === sentence) return;
    this.#troubles.set(key, sentence);
    this.#options.log('warn', sentence);
  }

  #clear(key: string): void {
    this.#troubles.delete(key);
  }

  /** The state directory reports its own state here. */
  tellState(sentence: string | null): void {
    if (sentence === null) this.#clear('state');
    else this.#trouble('state', sentence);
  }

  #tellConfigProblems(): void {
    for (const problem of this.#configProblems) {
      this.#options.log(
        'error',
        `the configuration is broken, the last good one is in force: ${renderProblem(problem)}`,
        problem.line === undefined ? {} : { line: problem.line },
      );
    }
  }

  #keepLastGood(text?: string): void {
    if (this.#configProblems.length > 0) return;
    this.#options.state.write(LAST_GOOD, text ?? readConfigText(this.#options.configPath));
  }
}

/** Whether a device's flow is translated to this address of the WAN, whoever began it. */
function hadAddress({ original, reply }: ConntrackEntry, address: Ipv4Address | null): boolean {
  return (
    reply.destination === address ||
    (original.destination === address && reply.source !== original.destination)
  );
}

/** What masquerade takes too: the first global address that is not a secondary one (inet_select_addr). */
function globalIpv4(link: SystemLink): Ipv4Address | null {
  const found = link.addresses.find(
    (one) => one.family === 4 && one.scope === 'global' && !one.secondary && !one.tentative,
  );
  return found ? parseIpv4(found.address) : null;
}
