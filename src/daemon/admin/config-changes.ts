// Every change of the configuration that somebody asks for: checked, planned, applied, on probation where it
// could cut them off, noted in the history. The gateway brings texts into force; here is decided which.
import { setTimeout as sleep } from 'node:timers/promises';
import {
  changedSettings,
  isRisky,
  mergeSettings,
  renderChanged,
  type SettingChange,
} from '../../core/config/changes.ts';
import { parseConfig, readSettings, type ReadConfig } from '../../core/config/document.ts';
import { PROTOCOLS, type Config, type Passthrough, type Protocol } from '../../core/config/schema.ts';
import { diffTexts } from '../../core/config/text-diff.ts';
import type { Applied, Checked, ConfigPlan, Endings, PendingChange, WantedConfig } from '../api/config.ts';
import { telling, type Telling } from '../event-log.ts';
import { Failure, reasonOf } from '../failure.ts';
import type { StateDirectory } from '../files.ts';
import type { Ended } from '../flows.ts';
import type { Gateway } from '../gateway.ts';
import type { Log } from '../log.ts';
import { ConfigHistory } from './config-history.ts';
import type { AdminDatabase } from './database.ts';
import {
  bootId,
  forgetProbation,
  keepProbation,
  monotonicMs,
  readProbation,
  type Probation,
} from './probation.ts';

/** What can cut the administrator off and comes over the network has so long to be confirmed. */
const PROBATION_SECONDS = 90;
const RETRY_MS = 5_000;

export interface ConfigChangesOptions {
  readonly gateway: Pick<
    Gateway,
    'config' | 'readText' | 'change' | 'setPassthrough' | 'reload' | 'renderFor'
  >;
  readonly state: StateDirectory;
  readonly database: AdminDatabase;
  readonly log: Log;
  readonly tell: (event: Telling) => void;
  /** The sessions that end if these protocols are turned off now, to be described when there is time. */
  readonly endings: (protocols: readonly Protocol[]) => () => Endings['sessions'];
  /** How many connections of these protocols there are in the kernel. */
  readonly countConnections: (protocols: readonly Protocol[]) => Promise<Endings['connections']>;
  /** What an administrator should know of a configuration before it is in force. */
  readonly warnings: (config: Config) => string[];
}

export interface Applying {
  readonly who: string;
  /** Seconds; null: for good at once; undefined: what is risky is on probation when it comes over the network. */
  readonly confirmWithin: number | null | undefined;
  readonly overNetwork: boolean;
}

export class ConfigChanges {
  readonly #options: ConfigChangesOptions;
  readonly history: ConfigHistory;
  #probation: Probation | null = null;
  #timer: NodeJS.Timeout | null = null;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: ConfigChangesOptions) {
    this.#options = options;
    this.history = new ConfigHistory(options.database);
  }

  /** The gateway is running. What was on probation goes on; see also endProbationAtStart. */
  start(): void {
    this.#probation = readProbation(this.#options.state);
    this.#arm();
    this.#noteFile('the file', this.history.latest() === null ? 'as it was found' : null);
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  get pending(): PendingChange | null {
    if (this.#probation === null) return null;
    const { who, what, endsAtMs } = this.#probation;
    return { reverts_at: new Date(Date.now() + endsAtMs - monotonicMs()).toISOString(), who, what };
  }

  check(wanted: WantedConfig): Checked {
    const read = this.#read(wanted);
    return { problems: 'problems' in read ? read.problems : [] };
  }

  async plan(wanted: WantedConfig): Promise<ConfigPlan> {
    const { gateway, warnings } = this.#options;
    const read = this.#read(wanted);
    const nothing: ConfigPlan = {
      problems: [],
      changes: [],
      diff: '',
      ruleset_diff: '',
      ends: { sessions: [], connections: {} },
      needs_confirmation: false,
      warnings: [],
    };
    if ('problems' in read) return { ...nothing, problems: read.problems };
    const before = gateway.config;
    const after = read.config;
    const present = gateway.readText();
    return {
      problems: [],
      changes: changedSettings(before, after),
      diff: diffTexts(present, this.#render(wanted, present, after), ['in force', 'planned']),
      ruleset_diff: diffTexts(gateway.renderFor(before), gateway.renderFor(after), ['in force', 'planned']),
      ends: await this.endings(after.passthrough),
      needs_confirmation: isRisky(before, after),
      warnings: warnings(after),
    };
  }

  /** What the switches would end. */
  async endings(wanted: Partial<Passthrough>): Promise<Endings> {
    const off = this.#turnedOff(wanted);
    if (off.length === 0) return { sessions: [], connections: {} };
    return { sessions: this.#options.endings(off)(), connections: await this.#options.countConnections(off) };
  }

  #turnedOff(wanted: Partial<Passthrough>): Protocol[] {
    const before = this.#options.gateway.config.passthrough;
    return PROTOCOLS.filter((one) => wanted[one] === 'disabled' && before[one] === 'enabled');
  }

  /** Throws Failure, and then nothing has changed. */
  apply(wanted: WantedConfig, { who, confirmWithin, overNetwork }: Applying): Promise<Applied> {
    return this.#inTurn(async () => {
      this.#refuseWhilePending();
      const { gateway, state } = this.#options;
      const read = this.#read(wanted);
      if ('problems' in read)
        throw new Failure(
          'bad-request',
          'The configuration is not right, so nothing was changed.',
          read.problems,
        );
      const former = gateway.readText();
      const known = this.#options.warnings(gateway.config);
      const text = this.#render(wanted, former, read.config);
      const changed = changedSettings(gateway.config, read.config);
      const seconds =
        confirmWithin === undefined
          ? overNetwork && isRisky(gateway.config, read.config)
            ? PROBATION_SECONDS
            : null
          : confirmWithin;
      const what = describeChanges(changed);
      const isProbation = seconds !== null && text !== former;
      if (isProbation) {
        const endsAtMs = monotonicMs() + seconds * 1000;
        const probation = { former, text, who, what, boot: bootId(), endsAtMs };
        if (!keepProbation(state, probation)) {
          forgetProbation(state);
          throw new Failure(
            'state-unwritable',
            `The state directory "${state.path}" cannot be written, so the change could not be taken back by itself, and was not made. Make room, or apply it for good.`,
          );
        }
        this.#probation = probation;
      }
      let ended: Ended;
      try {
        ({ ended } = await gateway.change(() => text));
      } catch (error) {
        if (isProbation) this.#settle();
        throw error;
      }
      this.#arm();
      if (text !== former) {
        this.#note(text, who, what);
        this.#tell(
          'info',
          `${who} changed ${what}${isProbation ? `, on probation for ${seconds} seconds` : ''}.`,
        );
      }
      return {
        pending: this.pending,
        changed: changed.map(({ path }) => path),
        ended,
        // Of what was there before, whoever changes something else need not be told again.
        warnings: this.#options.warnings(read.config).filter((one) => !known.includes(one)),
      };
    });
  }

  /** Resolves to what ended for it. Throws Failure, and then nothing has changed. */
  setPassthrough(
    change: Partial<Passthrough>,
    who: string,
  ): Promise<{ ended: Ended; sessions: Endings['sessions'] }> {
    return this.#inTurn(async () => {
      this.#refuseWhilePending();
      const describe = this.#options.endings(this.#turnedOff(change));
      const ended = await this.#options.gateway.setPassthrough(change);
      this.#noteFile(who, null);
      return { ended, sessions: describe() };
    });
  }

  /** Keeps what is on probation. Throws Failure when nothing is. */
  confirm(who: string): Promise<void> {
    return this.#inTurn(async () => {
      const { what } = this.#requirePending();
      this.#settle();
      this.#tell('info', `${who} confirmed the change of ${what}.`);
    });
  }

  /** Throws Failure when nothing is on probation, or the former text cannot come back. */
  revert(who: string): Promise<void> {
    return this.#inTurn(() => this.#revert(who));
  }

  /** Reads the file again. Whoever edits it by hand has the machine: nothing reverts by itself then. */
  reload(who: string): Promise<void> {
    return this.#inTurn(async () => {
      const { gateway } = this.#options;
      await gateway.reload();
      if (this.#probation !== null && gateway.readText() !== this.#probation.text) {
        this.#settle();
        this.#tell('warn', 'The file was edited meanwhile, so the change on probation stays as it is there.');
      }
      this.#noteFile(who, null);
    });
  }

  async #revert(who: string): Promise<void> {
    const { former, text, what } = this.#requirePending();
    const { gateway } = this.#options;
    if (gateway.readText() !== text) this.#noteFile('the file', null);
    await gateway.change(() => former);
    this.#settle();
    this.#note(former, who, `back to what was before the change of ${what}`);
    this.#tell('warn', `The change of ${what} was taken back by ${who}.`);
  }

  #arm(): void {
    this.close();
    if (this.#probation === null) return;
    const left = Math.max(0, this.#probation.endsAtMs - monotonicMs());
    this.#timer = setTimeout(() => void this.#expire(), left);
  }

  async #expire(): Promise<void> {
    try {
      await this.#inTurn(async () => {
        if (this.#probation !== null) await this.#revert('the timer, since nobody confirmed it');
      });
    } catch (error) {
      this.#options.log('error', 'the change on probation cannot be taken back yet', {
        reason: reasonOf(error),
      });
      await sleep(RETRY_MS, undefined, { ref: false });
      if (this.#probation !== null) this.#arm();
    }
  }

  #settle(): void {
    this.#probation = null;
    forgetProbation(this.#options.state);
    this.close();
  }

  #requirePending(): Probation {
    if (this.#probation) return this.#probation;
    throw new Failure(
      'nothing-pending',
      'No change is on probation: it was confirmed or taken back already.',
    );
  }

  #refuseWhilePending(): void {
    if (this.#probation === null) return;
    const seconds = Math.max(1, Math.ceil((this.#probation.endsAtMs - monotonicMs()) / 1000));
    throw new Failure(
      'change-pending',
      `The change of ${this.#probation.what} waits to be confirmed, and is taken back in ${seconds} seconds. Confirm or revert it first: throughway confirm, or throughway revert.`,
    );
  }

  #read({ text, settings }: WantedConfig): ReadConfig {
    if (text !== undefined) return parseConfig(text);
    return readSettings(mergeSettings(this.#options.gateway.config, settings));
  }

  /** The text to be: the one given, or the present one with the settings changed in it. */
  #render({ text }: WantedConfig, present: string, config: Config): string {
    if (text !== undefined) return text;
    const read = parseConfig(present);
    if ('problems' in read) {
      throw new Failure(
        'config-invalid',
        'The configuration in the file is broken, so no setting was changed in it. Apply a whole one, or restore a former version.',
        read.problems,
      );
    }
    return renderChanged(present, read.config, config);
  }

  /** The file as it is now is a version of the history. */
  #noteFile(who: string, what: string | null): void {
    try {
      const text = this.#options.gateway.readText();
      const latest = this.history.latest();
      const [before, after] = [latest === null ? null : parseConfig(latest), parseConfig(text)];
      const changes =
        before !== null && 'config' in before && 'config' in after
          ? describeChanges(changedSettings(before.config, after.config))
          : 'the file';
      this.history.note(text, who, what ?? changes);
    } catch (error) {
      this.#options.log('warn', 'the history of the configuration cannot be kept', {
        reason: reasonOf(error),
      });
    }
  }

  /** A full disk does not undo what is in force. */
  #note(text: string, who: string, what: string): void {
    try {
      this.history.note(text, who, what);
    } catch (error) {
      this.#options.log('warn', 'the history of the configuration cannot be kept', {
        reason: reasonOf(error),
      });
    }
  }

  #tell(level: 'info' | 'warn', what: string): void {
    this.#options.log(level, what);
    this.#options.tell(telling('config', level, what));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => undefined);
    return result;
  }
}

const MOST_NAMED = 6;

function describeChanges(changes: readonly SettingChange[]): string {
  const paths = changes.map(({ path }) => path);
  if (paths.length === 0) return 'comments and order';
  const more = paths.length - MOST_NAMED;
  return more > 0 ? `${paths.slice(0, MOST_NAMED).join(', ')} and ${more} more` : paths.join(', ');
}
