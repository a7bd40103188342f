// The configuration's file: its text, what is wrong with it, and the copy of the text last in force.
import { parseConfig, setInText } from '../core/config/document.ts';
import { renderProblem, type Problem } from '../core/config/problem.ts';
import { PROTOCOLS, type Config, type Passthrough } from '../core/config/schema.ts';
import { Failure } from './failure.ts';
import { readConfigText, stageConfigText, type StagedFile, type StateDirectory } from './files.ts';
import { LAST_GOOD, loadConfig } from './load-config.ts';
import type { Log } from './log.ts';

export class ConfigFile {
  readonly path: string;
  readonly #state: StateDirectory;
  readonly #log: Log;
  #problems: readonly Problem[] = [];

  constructor(path: string, state: StateDirectory, log: Log) {
    this.path = path;
    this.#state = state;
    this.#log = log;
  }

  /** What is wrong with the file, while the last good one is in force. */
  get problems(): readonly string[] {
    return this.#problems.map(renderProblem);
  }

  /** The configuration to begin with: the last good one when the file is broken, which is told. Throws Failure when there is neither. */
  load(): Config {
    const { config, problems } = loadConfig(this.path, this.#state);
    this.#setProblems(problems);
    return config;
  }

  /** Throws Failure. */
  readText(): string {
    return readConfigText(this.path);
  }

  /** The configuration of the file as it is now; what is wrong with it is told and kept. Throws Failure. */
  read(): { text: string; config: Config } {
    const text = this.readText();
    try {
      const config = parse(
        text,
        `The configuration "${this.path}" is broken; the former one stays in force.`,
      );
      return { text, config };
    } catch (error) {
      if (error instanceof Failure) this.#setProblems(error.problems);
      throw error;
    }
  }

  /** The text with these switches, its comments kept; a text that has them already is left as it is. Throws Failure. */
  withPassthrough(text: string, wanted: Passthrough): string {
    let config = parse(
      text,
      `The configuration "${this.path}" is broken, so nothing was changed in it. Correct it first.`,
    );
    let changed = text;
    for (const protocol of PROTOCOLS) {
      if (config.passthrough[protocol] === wanted[protocol]) continue;
      changed = setInText(changed, ['passthrough', protocol], wanted[protocol]);
      config = parseChanged(changed);
    }
    return changed;
  }

  /** Writes beside the file; throws Failure. */
  stage(text: string): StagedFile {
    return stageConfigText(this.path, text);
  }

  /** This text is in force: kept for the day on which the file is broken. */
  keep(text: string): void {
    this.#problems = [];
    this.#state.write(LAST_GOOD, text);
  }

  /** As `keep` for the file's own text, unless that is broken. */
  keepOwn(): void {
    if (this.#problems.length === 0) this.keep(this.readText());
  }

  #setProblems(problems: readonly Problem[]): void {
    this.#problems = problems;
    for (const problem of problems) {
      this.#log(
        'error',
        `the configuration is broken, the last good one is in force: ${renderProblem(problem)}`,
        problem.line === undefined ? {} : { line: problem.line },
      );
    }
  }
}

/** The configuration of a text that is to replace the file's. Throws Failure with every problem. */
export function parseChanged(text: string): Config {
  return parse(text, 'The changed configuration would be broken, so nothing was changed.');
}

function parse(text: string, refusal: string): Config {
  const read = parseConfig(text);
  if ('problems' in read) throw new Failure('config-invalid', refusal, read.problems);
  return read.config;
}
